// Goal: issue 5, a worker that comes to the disk late takes nothing from it that another has written there meanwhile. Method: two tiers over one file, one of them behind a store that had to do without.
import t, { type Test } from 'tap';
import type { StoredResponse } from '../../lib/object/stored.js';
import { SILENT } from '../../lib/observe/events.js';
import { DiskTier } from '../../lib/store/disk.js';
import { LateStore } from '../../lib/store/late.js';
import { createMemoryStore } from '../../lib/store/memory.js';
import { setUp, type Walk } from './disk-walk.kit.js';

const KEY = 'http://a.test/';
const MB = 1024 * 1024;

/** A worker without the disk so far, beside one that has it. */
function lateBeside(t: Test): Walk & { late: LateStore; adopt: () => Promise<void> } {
  const walk = setUp(t);
  const { clock, bench } = walk;
  const memory = createMemoryStore({ budgetBytes: 8 * MB, clock, events: SILENT, keepsBodies: true });
  const late = new LateStore(memory, clock);
  const adopt = async (): Promise<void> => {
    const { file } = bench;
    await late.adopt(
      new DiskTier({
        file,
        port: bench,
        sizeBytes: 64 * MB,
        sharedBytes: MB,
        clock,
        events: SILENT,
        onDamaged: () => {},
      }),
    );
    file.refresh();
  };
  return { ...walk, late, adopt };
}

const below = (store: Walk['bench']['store']): StoredResponse | undefined => store.recall(KEY, ([first]) => first);

t.test(
  'issue 5: what a late worker took from another, and let go, stays on disk where that one wrote it',
  async (t) => {
    const { clock, bench, late, make, adopt } = lateBeside(t);
    const stored = make();
    clock.advance(10);
    late.put(stored, undefined, 'elsewhere');
    bench.store.put(stored);
    await bench.tier.settled();
    late.remove(stored, 'evicted');
    await adopt();
    const again = await bench.killed();
    t.equal(below(again.store)?.fetchedAt, stored.fetchedAt);
  },
);

t.test('issue 5: what another worker asked for while the answer of a late one came is not taken away', async (t) => {
  const { clock, bench, late, make, adopt } = lateBeside(t);
  const older = make();
  clock.advance(10);
  const later = make();
  clock.advance(10);
  late.put(older);
  bench.store.put(later);
  await bench.tier.settled();
  await adopt();
  t.not(late.peek(KEY)?.[0]?.fetchedAt, older.fetchedAt, 'nor is the older one served from memory');
  const again = await bench.killed();
  t.equal(below(again.store)?.fetchedAt, later.fetchedAt);
});

t.test('issue 5: what is older than what a late worker had, and what it removed, goes', async (t) => {
  for (const isRemoved of [false, true]) {
    const { clock, bench, late, make, adopt } = lateBeside(t);
    const older = make();
    bench.store.put(older);
    await bench.tier.settled();
    clock.advance(10);
    const later = make();
    late.put(later);
    clock.advance(10);
    late.remove(later, isRemoved ? 'purged' : 'evicted');
    await adopt();
    const again = await bench.killed();
    t.equal(below(again.store), undefined);
  }
});

t.test('issue 5: a removal holds, though something asked for before it was stored after it', async (t) => {
  const { clock, bench, late, make, adopt } = lateBeside(t);
  const early = make();
  clock.advance(10);
  const there = make();
  bench.store.put(there);
  await bench.tier.settled();
  clock.advance(10);
  late.removeKey(KEY, 'purged');
  late.remove(there, 'purged');
  late.put(early);
  late.remove(early, 'evicted');
  await adopt();
  const again = await bench.killed();
  t.equal(below(again.store), undefined);
});
