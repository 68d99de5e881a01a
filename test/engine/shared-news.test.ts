// Goal: what another machine pushed takes the place of what the origin was asked for before, also where that is told by two clocks that differ a little. Method: a walk that is told news.
import t from 'tap';
import { SHARED_CLOCK_MARGIN_MS } from '../../lib/base/shared-limits.js';
import { applyShared, dropAliases, takeNews } from '../../lib/engine/shared-effects.js';
import { SharedClock } from '../../lib/store/shared-clock.js';
import type { News } from '../../lib/store/shared-news.js';
import { variantOf } from '../../lib/store/shared-record.js';
import { makeWalk } from '../kit/walk.js';

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
