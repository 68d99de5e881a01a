// Goal: the store tells what is asked for often at the instant when it matters, and looks at nothing else meanwhile. Method: a memory store with a fake clock and a watch that counts what it is asked.
import t from 'tap';
import { DEMAND_TICK_MS } from '../../lib/base/refresh-limits.js';
import type { StoredResponse } from '../../lib/object/stored.js';
import { SILENT } from '../../lib/observe/events.js';
import type { Store } from '../../lib/store/contract.js';
import { createMemoryStore } from '../../lib/store/memory.js';
import { FakeClock } from '../kit/clock.js';
import { freshened, makeStored } from './make-stored.js';

const WITHIN_MS = 60_000;

interface Bench {
  readonly clock: FakeClock;
  readonly store: Store;
  /** Keys and hits, as they were told. */
  readonly told: [string, number][];
  planned: number;
  put(key: string, ttlMs: number): StoredResponse;
  use(stored: StoredResponse, count: number): void;
}

function makeBench(): Bench {
  const clock = new FakeClock();
  const store = createMemoryStore({ budgetBytes: 512 * 1024 * 1024, clock, events: SILENT });
  const bench: Bench = {
    clock,
    store,
    told: [],
    planned: 0,
    put(key, ttlMs) {
      const stored = makeStored({ key, bodyBytes: 10, bornAt: clock.now(), ttlMs, graceMs: 0, keepMs: 10 * ttlMs });
      store.put(stored);
      return stored;
    },
    use(stored, count) {
      for (let n = 0; n < count; n++) store.touch(stored);
    },
  };
  store.watchDemand({
    planFor(stored) {
      bench.planned++;
      return { at: stored.life.staleAt - 1_000, withinMs: WITHIN_MS };
    },
    due: ({ key }, hits) => void bench.told.push([key, Math.round(hits)]),
  });
  return bench;
}

t.test('issue 4: the hits of the time before are told once, when the instant has come', async (t) => {
  const bench = makeBench();
  const stored = bench.put('a', 30_000);
  bench.use(stored, 7);
  bench.clock.advance(28_999);
  t.same(bench.told, []);
  bench.clock.advance(DEMAND_TICK_MS);
  t.same(bench.told, [['a', 7]]);
  bench.clock.advance(300_000);
  t.equal(bench.told.length, 1);
});

t.test('issue 4: they count on from record to record, and fade with time', async (t) => {
  const bench = makeBench();
  let stored = bench.put('a', 20_000);
  bench.use(stored, 100);
  const told: number[] = [];
  for (let life = 0; life < 12; life++) {
    bench.clock.advance(19_250);
    told.push(bench.told.at(-1)?.[1] ?? -1);
    const next = freshened(stored, bench.clock.now());
    t.ok(bench.store.swap(stored, next));
    stored = next;
  }
  t.same(told.slice(0, 3), [100, 100, 100], 'within the minute all of them');
  for (let n = 1; n < told.length; n++) t.ok((told[n] ?? 0) <= (told[n - 1] ?? 0), told.join(' '));
  t.equal(told.at(-1), 0, 'and none after two');
});

t.test('issue 4: of a long life only the last stretch counts', async (t) => {
  const bench = makeBench();
  const stored = bench.put('a', 600_000);
  bench.use(stored, 1_000);
  bench.clock.advance(545_000);
  bench.use(stored, 5);
  bench.clock.advance(60_000);
  t.same(bench.told, [['a', 5]]);
});

t.test('issue 4: what replaces a response inherits its hits; what is removed is told of no more', async (t) => {
  const bench = makeBench();
  bench.use(bench.put('a', 30_000), 10);
  bench.clock.advance(10_000);
  bench.put('a', 30_000);
  const other = bench.put('b', 30_000);
  bench.use(other, 10);
  bench.store.remove(other, 'purged');
  bench.use(bench.put('c', 30_000), 3);
  bench.clock.advance(30_000);
  t.same(bench.told.sort(), [
    ['a', 10],
    ['c', 3],
  ]);
});

t.test(
  'issue 4: nothing is scanned: of a hundred thousand stored responses only those are looked at that are due',
  async (t) => {
    const bench = makeBench();
    for (let n = 0; n < 100_000; n++) bench.put(`long${n}`, 3_600_000);
    for (let n = 0; n < 50; n++) bench.put(`short${n}`, 10_000);
    bench.planned = 0;
    bench.clock.advance(9_500);
    t.equal(bench.told.length, 50);
    t.equal(bench.planned, 50);
  },
);

t.test('issue 4: many that are due at once are looked at in steps', async (t) => {
  const bench = makeBench();
  for (let n = 0; n < 2_000; n++) bench.put(`k${n}`, 10_000);
  bench.clock.advance(9_000);
  t.ok(bench.told.length <= 512);
  bench.clock.advance(DEMAND_TICK_MS + 20);
  t.equal(bench.told.length, 2_000);
});

t.test('without a watch nothing is kept or told, and no timer runs for it', async (t) => {
  const bench = makeBench();
  const stored = bench.put('a', 30_000);
  bench.use(stored, 10);
  bench.store.watchDemand(undefined);
  bench.clock.advance(60_000);
  t.same(bench.told, []);
  bench.store.close();
  t.equal(bench.clock.pendingCount, 0);
});
