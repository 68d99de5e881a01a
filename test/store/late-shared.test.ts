// Goal: issue 5, a worker that comes to the disk late takes nothing from it that another has written there meanwhile. Method: two tiers over one file, one of them behind a store that had to do without.
import t, { type Test } from 'tap';
import type { StoredResponse } from '../../lib/object/stored.js';
import { SILENT } from '../../lib/observe/events.js';
import { DiskTier } from '../../lib/store/disk.js';
import { LateStore } from '../../lib/store/late.js';
import { createMemoryStore } from '../../lib/store/memory.js';
import { FakeClock } from '../kit/clock.js';
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

for (const setBackMs of [0, 1234.567]) {
  const title = `what was looked up before the disk came is removed there too, once memory has let it go (a clock ${setBackMs} ms back)`;
  t.test(title, async (t) => {
    const { clock, bench, make } = setUp(t);
    clock.advance(setBackMs);
    bench.store.put(make({ key: `${KEY}before` }));
    await bench.tier.settled();
    const back = new FakeClock(clock.now() - setBackMs);
    const { memory, tier } = await bench.reopened({ clock: back });
    const late = new LateStore(memory, back);
    const [gone, kept] = [make({ bornAt: back.now() / 3 }), make({ key: `${KEY}kept`, bornAt: back.now() / 3 })];
    for (const stored of [gone, kept]) t.ok(late.put(stored));
    await late.adopt(tier);
    memory.scan(0, Number.MAX_SAFE_INTEGER, (stored) => memory.remove(stored, 'evicted'));
    t.ok(late.remove(gone, 'purged'), 'while it waits to be written or after');
    await tier.settled();
    t.same(late.known(KEY), []);
    t.ok(late.holds(kept));
    t.notOk(late.holds(make({ key: `${KEY}kept`, bornAt: back.now() / 3 + 1 })), 'another one is another one');
  });
}
