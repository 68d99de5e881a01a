// Goal: an operation reaches what comes up from disk to memory while it walks. Method: more responses on disk than one step looks at; one behind is asked for between two steps.
import t, { type Test } from 'tap';
import { OPERATION_BELOW_STEP_COUNT, STORE_STEP_DELAY_MS } from '../../lib/base/limits.js';
import type { Target } from '../../lib/engine/reach.js';
import { FakeClock } from '../kit/clock.js';
import { openDisk } from '../kit/disk.js';
import { makeWalk, type Walk } from '../kit/walk.js';

const COUNT = OPERATION_BELOW_STEP_COUNT + 10;
const FIELDS = { 'Cache-Control': 'max-age=600', ETag: '"1"', 'Surrogate-Key': 'x' };
const EVERYWHERE: readonly Target[] = [
  { kind: 'prefix', prefix: 'http://example.test/' },
  { kind: 'tag', tag: 'x' },
];

/** Many responses that are on disk alone. */
async function full(t: Test): Promise<{ clock: FakeClock; walk: Walk; paths: readonly string[] }> {
  const clock = new FakeClock();
  const bench = openDisk(t, { clock });
  const rule = { tagsFrom: 'surrogate-key', grace: { kind: 'fixed', ms: 0 } } as const;
  const walk = makeWalk({ clock, store: bench.store, rule });
  const paths = Array.from({ length: COUNT }, (_, i) => `/p${i}`);
  for (const path of paths) {
    walk.get(path);
    walk.origin.last.respond(200, FIELDS, 'hello');
  }
  await bench.tier.settled();
  for (const path of paths)
    for (const stored of bench.store.peek(`http://example.test${path}`) ?? []) bench.store.remove(stored, 'evicted');
  return { clock, walk, paths };
}

/** Lets an operation go on to its end. */
async function ended<T>(clock: FakeClock, operation: Promise<T>): Promise<T> {
  let isOver = false;
  void operation.then(() => {
    isOver = true;
  });
  for (let turns = 0; !isOver && turns < 1_000; turns++) {
    clock.advance(STORE_STEP_DELAY_MS);
    await new Promise((resolve) => setImmediate(resolve));
  }
  return operation;
}

/** Asks for all between two steps of an operation: those that it has not come to yet are served, and are in memory from then on. */
const promoted = (walk: Walk, paths: readonly string[]) => paths.filter((path) => walk.get(path).outcome === 'HIT');

t.test('DESIGN §2: a purge takes out what is promoted while it walks, and counts it once', async (t) => {
  for (const target of EVERYWHERE) {
    const { clock, walk, paths } = await full(t);
    const operation = walk.engine.operations.purge(target);
    await new Promise((resolve) => setImmediate(resolve));
    const late = promoted(walk, paths);
    t.equal(late.length, COUNT - OPERATION_BELOW_STEP_COUNT);
    t.match(await ended(clock, operation), { objects: COUNT }, target.kind);
    t.same(promoted(walk, late), [], `nothing is left: ${target.kind}`);
  }
});

t.test('DESIGN §2: an expiry makes stale what is promoted while it walks, and counts each once', async (t) => {
  for (const target of EVERYWHERE) {
    const { clock, walk, paths } = await full(t);
    walk.get(paths[0] ?? '');
    const operation = walk.engine.operations.expire(target);
    const late = promoted(walk, paths);
    t.ok(late.length > 0);
    t.match(await ended(clock, operation), { objects: COUNT }, target.kind);
    t.same(promoted(walk, late), [], `nothing is fresh: ${target.kind}`);
  }
});

t.test('DESIGN §2: a refresh is about each once, promoted meanwhile or not', async (t) => {
  for (const target of EVERYWHERE) {
    const { clock, walk, paths } = await full(t);
    walk.get(paths[0] ?? '');
    const operation = walk.engine.operations.refresh(target, { fill: false });
    t.ok(promoted(walk, paths).length > 0);
    t.match(await ended(clock, operation), { objects: COUNT }, target.kind);
  }
});
