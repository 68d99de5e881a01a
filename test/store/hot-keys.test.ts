// Goal: issue 5, the hottest keys are warmed from a small list saved at shutdown and now and then. Method: a store on a directory of its own, restarted or killed, and a clock of ours.

import t, { type Test } from 'tap';
import { HOT_FILL_SHARE, HOT_SAVE_EVERY_MS, HOT_STEP_DELAY_MS, MAX_HOT_KEYS } from '../../lib/base/disk-limits.js';
import { isSameRecord } from '../../lib/object/stored.js';
import { HOT_KEY } from '../../lib/store/disk-writing.js';
import { HotKeys } from '../../lib/store/hot-keys.js';
import { decodeHotList, encodeHotList } from '../../lib/store/hot-list.js';
import { FakeClock } from '../kit/clock.js';
import { type DiskBench, type DiskOptions, openDisk } from '../kit/disk.js';
import { makeStored } from './make-stored.js';

const KB = 1024;
const urlOf = (at: number): string => `http://a.test/${at}`;

interface Run {
  readonly clock: FakeClock;
  readonly bench: DiskBench;
  readonly hot: HotKeys;
}

function began(bench: DiskBench, clock: FakeClock, hasOthers = false, random = 0): Run {
  const hot = new HotKeys({ store: bench.store, disk: bench.tier, clock, hasOthers, random: () => random });
  hot.start();
  return { clock, bench, hot };
}

/** A run in which key `at` was asked for `hitsOf(at)` times. */
function run(t: Test, keys: number, hitsOf: (at: number) => number, options: Partial<DiskOptions> = {}): Run {
  const clock = new FakeClock();
  const one = began(openDisk(t, { clock, ...options }), clock);
  for (let at = 0; at < keys; at++) {
    const stored = makeStored({ key: urlOf(at), bodyBytes: 8 * KB, bornAt: clock.now() });
    one.bench.store.put(stored);
    for (let hit = 0; hit < hitsOf(at); hit++) one.bench.store.touch(stored);
  }
  return one;
}

/** The run after that, once all that the list names has been looked at. */
async function after({ bench, clock, hot }: Run, ending: 'restart' | 'kill', options: Partial<DiskOptions> = {}) {
  if (ending === 'restart') hot.close();
  const next = began(ending === 'restart' ? await bench.reopened(options) : await bench.killed(options), clock);
  t.equal(next.bench.memory.stats.objects, 0, 'nothing is read at the start itself');
  return next;
}

function inMemory(bench: DiskBench, keys: number): number[] {
  return Array.from({ length: keys }, (_, at) => at).filter((at) => bench.store.peek(urlOf(at)) !== undefined);
}

t.test('issue 5: after a restart the hottest are in memory without a request, and nothing else is', async (t) => {
  const next = await after(
    run(t, 40, (at) => (at % 4 === 0 ? at + 1 : 0)),
    'restart',
  );
  next.clock.advance(HOT_STEP_DELAY_MS);
  t.same(inMemory(next.bench, 40), [8, 12, 16, 20, 24, 28, 32, 36], 'the hottest come first, in small steps');
  next.clock.advance(HOT_STEP_DELAY_MS);
  t.same(inMemory(next.bench, 40), [0, 4, 8, 12, 16, 20, 24, 28, 32, 36]);
  t.equal(next.bench.tier.stats.hotPromoted, 10);
});

t.test('issue 5: what was hot is not forgotten by a run that is asked for nothing', async (t) => {
  const second = await after(
    run(t, 3, () => 8),
    'restart',
  );
  const third = await after(second, 'restart');
  third.clock.advance(HOT_STEP_DELAY_MS);
  t.same(inMemory(third.bench, 3), [0, 1, 2]);
});

t.test('issue 5: the list survives a kill, as it was last saved', async (t) => {
  const first = run(t, 4, (at) => at);
  first.clock.advance(HOT_SAVE_EVERY_MS - 1);
  await first.bench.tier.settled();
  t.equal(first.bench.file.tables.meta.get(HOT_KEY), undefined, 'not all the time');
  first.clock.advance(1);
  first.clock.advance(HOT_STEP_DELAY_MS);
  await first.bench.tier.settled();
  t.equal(first.bench.tier.stats.hotSaves, 1);
  const next = await after(first, 'kill');
  next.clock.advance(HOT_STEP_DELAY_MS);
  t.same(inMemory(next.bench, 4), [1, 2, 3]);
});

t.test('issue 5: a purge drops what the list names', async (t) => {
  const first = run(t, 3, () => 5);
  first.clock.advance(HOT_SAVE_EVERY_MS);
  first.clock.advance(HOT_STEP_DELAY_MS);
  first.bench.store.removeKey(urlOf(1), 'purged');
  await first.bench.tier.settled();
  const next = await after(first, 'kill');
  next.bench.store.removeKey(urlOf(2), 'purged');
  next.clock.advance(HOT_STEP_DELAY_MS);
  t.same(inMemory(next.bench, 3), [0], 'neither what was purged before nor after the restart');
});

t.test('issue 5: memory is filled to a share of it, and nothing is evicted for the list', async (t) => {
  const first = run(t, 60, () => 3);
  const memoryBytes = 256 * KB;
  const next = await after(first, 'restart', { memoryBytes });
  next.clock.advance(1000);
  const { bytes } = next.bench.memory.stats;
  t.ok(bytes >= memoryBytes * HOT_FILL_SHARE, 'up to the share');
  t.ok(bytes < memoryBytes * HOT_FILL_SHARE + 16 * KB, 'and one more at most');
  const before = inMemory(next.bench, 60);
  next.clock.advance(1000);
  t.same(inMemory(next.bench, 60), before, 'that was all');
});

t.test('issue 5: a damaged list is ignored and counted', async (t) => {
  const first = run(t, 3, () => 5);
  first.hot.close();
  const bench = await first.bench.reopened();
  const list = bench.file.tables.meta.get(HOT_KEY) ?? Buffer.alloc(0);
  list[list.length - 1] = (list.at(-1) ?? 0) ^ 1;
  bench.file.write(() => bench.file.tables.meta.put(HOT_KEY, list));
  bench.file.refresh();
  const next = began(bench, first.clock);
  next.clock.advance(1000);
  t.same(inMemory(bench, 3), []);
  t.equal(bench.tier.stats.unreadable['hot-list'], 1);
});

t.test(
  'issue 5: what a request brought up meanwhile stays as it is, and what is past its keep stays away',
  async (t) => {
    const next = await after(
      run(t, 2, () => 5),
      'restart',
    );
    const asked = next.bench.store.recall(urlOf(0), ([first]) => first);
    next.clock.advance(HOT_STEP_DELAY_MS);
    const [kept] = next.bench.store.peek(urlOf(0)) ?? [];
    t.ok(kept !== undefined && asked !== undefined && isSameRecord(kept, asked));
    t.equal(next.bench.tier.stats.hotPromoted, 1);
    next.hot.close();
    const bench = await next.bench.reopened();
    next.clock.advance(10 * 3_600_000);
    const late = began(bench, next.clock);
    late.clock.advance(HOT_STEP_DELAY_MS);
    t.equal(late.bench.tier.stats.hotPromoted, 0);
  },
);

t.test('issue 5: of those that share a disk each has what it is asked for most in the list', async (t) => {
  const clock = new FakeClock();
  const one = openDisk(t, { clock });
  const other = openDisk(t, { clock, directory: one.directory });
  const hits: [DiskBench, number, number][] = [
    [one, 0, 40],
    [other, 1, 20],
  ];
  for (const [bench, at, count] of hits) {
    const stored = makeStored({ key: urlOf(at), bodyBytes: 8 * KB, bornAt: clock.now() });
    bench.store.put(stored);
    for (let hit = 0; hit < count; hit++) bench.store.touch(stored);
    await bench.tier.settled();
  }
  const runs = [began(one, clock, true, 0.25), began(other, clock, true, 0.5)];
  const listed = (): number[] => {
    const list = one.tier.hotList();
    return (list === undefined ? [] : (decodeHotList(list) ?? [])).map(({ hits: count }) => count);
  };
  for (let step = 0; step < 40; step++) {
    clock.advance(HOT_SAVE_EVERY_MS / 4);
    await one.tier.settled();
    await other.tier.settled();
  }
  t.equal(listed().length, 2, 'both are in it');
  for (const { hot } of runs) hot.close();
});

t.test('issue 5: the list is bounded, and what is not one is told from it', (t) => {
  const many = Array.from({ length: MAX_HOT_KEYS + 5 }, (_, hits) => ({ recordKey: Buffer.from(urlOf(hits)), hits }));
  const list = encodeHotList(many);
  const read = decodeHotList(list);
  t.equal(read?.length, MAX_HOT_KEYS);
  t.equal(read?.[0]?.hits, MAX_HOT_KEYS + 4, 'the hottest first');
  const long = many.map(({ hits }) => ({ recordKey: Buffer.alloc(300), hits }));
  t.ok(encodeHotList(long).length <= 1024 * 1024, 'by bytes too');
  for (const bytes of [0, 5, 11, list.length - 1]) t.equal(decodeHotList(list.subarray(0, bytes)), undefined);
  t.same(decodeHotList(encodeHotList([])), []);
  t.end();
});
