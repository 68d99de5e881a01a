// Goal: decision 0016, bytes that are put together of what lies in memory are those that would be made of the response. Method: fast-check makes responses, each is stored, awake or asleep, and written both ways.
import fc from 'fast-check';
import t, { type Test } from 'tap';
import { ONE_BUFFER_BYTES, WRITE_AT_ONCE_BYTES } from '../../lib/base/limits.js';
import { READY_IDLE_PRUNINGS, READY_PRUNE_MS } from '../../lib/base/ready-limits.js';
import { readConfig } from '../../lib/config/load.js';
import { makeRules } from '../../lib/config/rules.js';
import { ReplyBytes } from '../../lib/front/reply-bytes.js';
import { type AnyShape, anyShape, commonBytes, storedOf } from '../kit/any-stored.js';
import { FakeClock } from '../kit/clock.js';
import { makeWalk, type Walk } from '../kit/walk.js';
import { makeStored } from '../store/make-stored.js';

const HOST = 'example.test';

/** What goes out as it lies there has a field at least. */
const shape = anyShape(
  fc.array(
    fc
      .tuple(fc.constantFrom(0, 1, 60, 4096, 4097, ONE_BUFFER_BYTES), fc.nat(255))
      .map(([n, byte]) => Buffer.alloc(n, byte)),
    { maxLength: 2 },
  ),
  1,
);

/** Stores all of them, and compares what comes of each by both ways. Returns how many went out as they lie there. */
function compare(t: Test, walk: Walk, shapes: readonly AnyShape[]) {
  const { engine, clock } = walk;
  const rules = makeRules(readConfig({ origin: 'http://o' }));
  engine.reconfigure({ ...engine.parts.live, rules });
  const rule = rules.all.at(-1);
  if (rule === undefined) throw new Error('there is always a last rule');
  shapes.forEach((one, at) => {
    t.ok(engine.parts.store.put(storedOf(one, `http://${HOST}/${at}`, clock.now(), rule)));
  });
  clock.advance(12_345);
  const bytes = new ReplyBytes();
  let count = 0;
  for (const at of shapes.keys()) {
    for (const debugHeader of [undefined, 'CDN-Cache']) {
      const ready = engine.ready(false, HOST, `/${at}`, undefined, clock.now());
      if (ready?.held === undefined) continue;
      const had = bytes.held(ready.held, debugHeader, ready.note.outcome)?.toString('latin1');
      const { status, note } = ready;
      const told = [status, { ...note }, ready.held.sight.bodyBytes];
      const byObjects = commonBytes(ready.reply, debugHeader);
      const handled = walk.get(`/${at}`).replied;
      const length = handled?.payload.kind === 'bytes' ? handled.payload.length : 0;
      t.strictSame(told, [handled?.status, handled?.note, length], 'what is told of it');
      t.equal(byObjects, commonBytes(handled, debugHeader));
      if (had === undefined) continue;
      count++;
      if (had !== byObjects) t.equal(had, byObjects, JSON.stringify(shapes[at]));
    }
  }
  return count;
}

t.test(
  'decision 0016: whatever is stored, what goes out as it lies in memory is what would be made of it',
  async (t) => {
    const shapes = fc.sample(shape, 300);
    for (const awakeCount of [1, 100_000]) {
      const walk = makeWalk({ clock: new FakeClock(), awakeCount });
      const count = compare(t, walk, shapes);
      t.ok(count > shapes.length / 4, `${count} of ${shapes.length * 2} went out so`);
      walk.engine.close();
    }
  },
);

t.test('RFC 9110 §7.6.3: what came by HTTP/1.0 is not told as what came by 1.1', async (t) => {
  for (const awakeCount of [1, 100]) {
    const walk = makeWalk({ awakeCount });
    const { engine, clock } = walk;
    const madeBy = engine.parts.live.rules.all.at(-1);
    for (const at of [0, 1, 2, 3]) {
      const made = makeStored({ bornAt: clock.now(), key: `http://${HOST}/${at}` });
      engine.parts.store.put({ ...made, ...(madeBy === undefined ? {} : { madeBy }), receivedVersion: '1.0' });
    }
    const ready = engine.ready(false, HOST, '/0', undefined, clock.now());
    t.match(ready?.reply.fields.get('via'), /^1\.0 /);
    t.equal(ready?.held, undefined);
    engine.close();
  }
});

t.test('decision 0016: a use of what goes out as it lies in memory is a use for the store', async (t) => {
  for (const awakeCount of [1, 100]) {
    const walk = makeWalk({ awakeCount });
    for (const target of ['/a', '/b', '/c', '/d']) {
      walk.get(target);
      walk.origin.last.respond(200, { 'Cache-Control': 'max-age=60' }, 'body');
    }
    const ready = walk.engine.ready(false, HOST, '/a', undefined, walk.clock.now());
    t.ok(ready?.held);
    const { store } = walk.engine.parts;
    const [stored] = store.known(`http://${HOST}/a`);
    if (stored === undefined) throw new Error('it is stored');
    t.equal(store.usage(stored)?.hits, 1);
    walk.engine.close();
  }
});

t.test('decision 0016: what is too large to be written at once is no hit before it is sent', async (t) => {
  for (const awakeCount of [1, 100]) {
    const walk = makeWalk({ awakeCount, budgetBytes: 64 * 1024 * 1024 });
    const { engine, clock } = walk;
    engine.reconfigure({ ...engine.parts.live, rules: makeRules(readConfig({ origin: 'http://o' })) });
    for (const target of ['/a', '/b', '/c']) {
      walk.get(target);
      walk.origin.last.respond(200, { 'Cache-Control': 'max-age=60' }, Buffer.alloc(WRITE_AT_ONCE_BYTES + 1));
    }
    t.equal(engine.ready(false, HOST, '/a', undefined, clock.now()), undefined);
    const [stored] = engine.parts.store.known(`http://${HOST}/a`);
    if (stored === undefined) throw new Error('it is stored');
    t.equal(engine.parts.store.usage(stored)?.hits, 0);
    engine.close();
  }
});

t.test('RFC 9111 §4.2: it is found for as long as it is fresh, and under settings that leave it alone', async (t) => {
  const walk = makeWalk({ awakeCount: 1 });
  const { engine, clock } = walk;
  const under = (conf: object) =>
    engine.reconfigure({ ...engine.parts.live, rules: makeRules(readConfig({ origin: 'http://o', ...conf })) });
  under({});
  for (const target of ['/a', '/b', '/c', '/d']) {
    walk.get(target);
    walk.origin.last.respond(200, { 'Cache-Control': 'max-age=60, stale-while-revalidate=60' }, 'body');
  }
  const ask = (host = HOST, isHead = false, condition?: string) => {
    const held = engine.ready(isHead, host, '/a', condition, clock.now())?.held;
    return held === undefined ? undefined : [held.ageSec, held.ttlSec];
  };
  clock.advance(59_999);
  t.strictSame(ask(), [59, 0]);
  t.equal(ask('other.test'), undefined);
  t.equal(ask(HOST, true), undefined, 'HEAD takes more');
  t.equal(ask(HOST, false, '"x"'), undefined, 'and so does a condition');
  clock.advance(1);
  t.equal(ask(), undefined);
  // Else it has been asked for often.
  clock.advance(READY_PRUNE_MS * (READY_IDLE_PRUNINGS + 2));
  walk.get('/a', { 'Cache-Control': 'no-cache' });
  walk.origin.last.respond(200, { 'Cache-Control': 'max-age=60' }, 'again');
  t.strictSame(ask(), [0, 60]);
  under({ defaults: { ttl: '5s' } });
  t.strictSame(ask(), [0, 5], 'its life is made anew');
  for (const conf of [
    { defaults: { response: { set: { 'X-Served': 'here' } } } },
    { rules: [{ name: 'p', match: { path: '/a' }, pass: true }] },
    { rules: [{ name: 's', match: { status: [200] }, ttl: '9s' }] },
  ]) {
    under(conf);
    t.equal(ask(), undefined, JSON.stringify(conf));
  }
  engine.close();
});
