// Goal: what another machine pushed takes the place of what the origin was asked for before, also where that is told by two clocks that differ a little. Method: a walk that is told news.
import t from 'tap';
import { SHARED_CLOCK_MARGIN_MS } from '../../lib/base/shared-limits.js';
import { applyShared, dropAliases, takeNews } from '../../lib/engine/shared-effects.js';
import { Fields } from '../../lib/http/fields.js';
import type { StoredResponse } from '../../lib/object/stored.js';
import { SharedClock } from '../../lib/store/shared-clock.js';
import type { News } from '../../lib/store/shared-news.js';
import { variantOf } from '../../lib/store/shared-record.js';
import { FakeClock } from '../kit/clock.js';
import { LeaseDesk, lyingBelow, PlayedBody, turns } from '../kit/lease-desk.js';
import { makeWalk, type Walk } from '../kit/walk.js';
import { makeStored } from '../store/make-stored.js';

const LIVING = Fields.of({ 'Cache-Control': 'max-age=60', ETag: '"1"' });
const VARIED = { 'Cache-Control': 'max-age=60', ETag: '"1"', Vary: 'X-A' };

/** What was asked for `afterMs` after the push, by the clock here, and is there yet once the push is told of; for which values. */
function leftAfter(afterMs: number): string[] {
  const walk = makeWalk();
  const values = ['1', '2'];
  for (const value of values) {
    walk.get('/a', { 'X-A': value });
    walk.origin.last.respond(200, VARIED, 'fetched');
  }
  const key = 'http://example.test/a';
  const [stored] = walk.engine.parts.store.known(key);
  if (stored === undefined) throw new Error('it is stored');
  const response = { ...stored, pushed: true, requestedAt: walk.clock.now() - afterMs } as const;
  const variant = variantOf(stored.selection);
  const news: News = { by: 'another', key, variant, what: 'pushed', how: {}, record: undefined };
  const clock = new SharedClock(walk.clock);
  const found = { response, body: undefined };
  takeNews(walk.engine, { around: () => undefined, clock }, news, found, 'here');
  dropAliases(walk.engine, clock, news, found);
  const left = walk.engine.parts.store.known(key);
  return values.filter((value) => left.some(({ selection }) => selection.values[0] === value));
}

t.test(
  'issue 5: what differs by less than clocks do counts as asked for before the push, and is asked for again',
  (t) => {
    t.same(leftAfter(-1_000), []);
    t.same(leftAfter(SHARED_CLOCK_MARGIN_MS - 1), []);
    t.same(leftAfter(SHARED_CLOCK_MARGIN_MS + 1), ['1', '2'], 'what was asked for since is newer');
    t.end();
  },
);

t.test('issue 5: what was pushed before goes for what is pushed now, and that itself stays', (t) => {
  const key = 'http://example.test/a';
  const isLeft = (pushed: true | undefined, afterMs: number): boolean => {
    const walk = makeWalk();
    walk.get('/a');
    walk.origin.last.respond(200, { 'Cache-Control': 'max-age=60' }, 'hello');
    const { store, clock } = walk.engine.parts;
    const [stored] = store.known(key);
    if (stored === undefined) throw new Error('it is stored');
    store.swap(stored, { ...stored, ...(pushed && { pushed }), requestedAt: clock.now() + afterMs });
    const { selection } = stored;
    const reach = { kind: 'keys', keys: [key], but: 'pushed', earlier: { key, selection } } as const;
    const since = clock.now() - SHARED_CLOCK_MARGIN_MS;
    applyShared(walk.engine, new SharedClock(clock), [{ effect: 'purge', reach, at: clock.now(), since, by: 'x' }]);
    return store.known(key).length > 0;
  };
  t.equal(isLeft(true, 0), true, 'the very push');
  t.equal(isLeft(true, 1), true, 'one after it');
  t.equal(isLeft(true, -SHARED_CLOCK_MARGIN_MS), false, 'one before it');
  t.equal(isLeft(undefined, 0), false, 'what the origin had sent');
  t.end();
});

/** Something is heard while a client is about to be given what lies in the shared tier. Returns whether that is what it gets. */
async function isTaken(
  made: Partial<StoredResponse>,
  hear: (walk: Walk, clock: SharedClock, response: StoredResponse) => void,
): Promise<boolean> {
  const clock = new FakeClock();
  const desk = new LeaseDesk(clock);
  const walk = makeWalk({ clock, leases: desk });
  const response = { ...makeStored({ key: 'http://example.test/a', bornAt: clock.now(), fields: LIVING }), ...made };
  const body = new PlayedBody();
  let open = (): void => {};
  const opened = new Promise<PlayedBody>((resolve) => {
    open = () => resolve(body);
  });
  const found = lyingBelow(response, 5, body);
  desk.below = [{ ...found, body: { bytes: 5, open: () => opened } }];
  const client = walk.get('/a');
  await turns();
  hear(walk, new SharedClock(clock), response);
  open();
  await turns();
  body.data('hello').end();
  await turns();
  t.equal(client.body === 'hello', walk.origin.count === 0, 'else the origin is asked');
  return client.body === 'hello';
}

t.test(
  'issue 5: who is about to take a pushed response takes it, though word comes that others go for it',
  async (t) => {
    const key = 'http://example.test/a';
    const place = { key, selection: { names: [], values: [] } };
    const told =
      (earlier?: typeof place) =>
      ({ engine }: Walk, clock: SharedClock): void => {
        const reach = { kind: 'keys', keys: [key], but: 'pushed', earlier } as const;
        applyShared(engine, clock, [{ effect: 'purge', reach, at: engine.parts.clock.now(), by: 'x' }]);
      };
    t.equal(await isTaken({ pushed: true }, told()), true);
    t.equal(await isTaken({}, told()), false, 'what was fetched is one of these');
    t.equal(await isTaken({ pushed: true }, told(place)), false, 'and so is what was pushed in the same place before');
    const heard =
      (isVery: boolean) =>
      ({ engine }: Walk, clock: SharedClock, response: StoredResponse): void => {
        const requestedAt = response.fetchedAt + (isVery ? 0 : 1);
        const found = { response: { ...response, pushed: true, requestedAt }, body: undefined } as const;
        const news: News = {
          by: 'x',
          key,
          variant: variantOf(place.selection),
          what: 'pushed',
          how: {},
          record: undefined,
        };
        takeNews(engine, { around: () => undefined, clock }, news, found, 'here');
        dropAliases(engine, clock, news, found);
      };
    t.equal(await isTaken({ pushed: true }, heard(true)), true, 'the news of it comes late');
    t.equal(await isTaken({ pushed: true }, heard(false)), false, 'or is of one after it');
    t.equal(await isTaken({}, heard(true)), false);
  },
);

t.test('issue 5: nor does an operation hold for what was asked for since', async (t) => {
  const late = { requestedAt: new FakeClock().now() + 1_000 };
  const purged = ({ engine }: Walk, clock: SharedClock): void => {
    const reach = { kind: 'prefix', prefixes: ['http://example.test/'] } as const;
    applyShared(engine, clock, [{ effect: 'purge', reach, at: engine.parts.clock.now(), by: 'x' }]);
  };
  t.equal(await isTaken(late, purged), true);
  t.equal(await isTaken({}, purged), false);
});
