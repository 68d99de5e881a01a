// Goal: decision 0022, a look at the disk sees it as it was a moment ago, and never what a purge has met since. Method: a tier, and a file that changes behind its back as by another worker.
import t from 'tap';
import { DISK_MOMENT_MS } from '../../lib/base/disk-limits.js';
import { openDiskFile } from '../../lib/store/disk-file.js';
import { recordKey } from '../../lib/store/disk-keys.js';
import { type DiskBench, makeDirectory } from '../kit/disk.js';
import { setUp } from './disk-walk.kit.js';

const KEY = 'http://a.test/';
const PLACE = recordKey(KEY, { names: [], values: [] });

/** Another worker takes away what is there. */
function takeAway({ file }: DiskBench): void {
  file.write(() => file.tables.records.remove(PLACE));
}

const isSeen = ({ store }: DiskBench): boolean => store.below?.glance(KEY) !== undefined;

t.test('decision 0022: what another worker has taken away is seen for a moment at most', async (t) => {
  const { bench, clock, make } = setUp(t);
  bench.store.put(make({ bodyBytes: 10 }));
  await bench.tier.settled();
  t.ok(isSeen(bench));
  takeAway(bench);
  t.ok(isSeen(bench), 'within the moment');
  clock.advance(DISK_MOMENT_MS);
  t.notOk(isSeen(bench));
});

t.test(
  'decision 0022: who looks for all there is ends the moment, so that a purge is not followed by an older look',
  async (t) => {
    const looks: readonly ((bench: DiskBench) => unknown)[] = [
      ({ store }) => store.known(KEY),
      ({ store }) => store.removeKey(KEY, 'purged'),
      ({ store }) => store.scanBelow({ kind: 'prefix', prefix: KEY }, undefined, 10, () => undefined),
      ({ store }) => store.scanBelow({ kind: 'tag', tag: 'a' }, undefined, 10, () => undefined),
      ({ store }) => store.keysBelow(KEY, 10),
      ({ tier }) => tier.reading.refresh(),
    ];
    for (const look of looks) {
      const { bench, make } = setUp(t);
      bench.store.put(make({ bodyBytes: 10 }));
      await bench.tier.settled();
      bench.memory.removeKey(KEY, 'evicted');
      t.ok(isSeen(bench));
      takeAway(bench);
      look(bench);
      t.notOk(isSeen(bench), String(look));
    }
  },
);

t.test('decision 0022: a file that cannot be read any more is not held at a moment of it', async (t) => {
  const { bench, make } = setUp(t);
  bench.store.put(make({ bodyBytes: 10 }));
  await bench.tier.settled();
  t.ok(isSeen(bench));
  const { records } = bench.file.tables;
  let letGo = 0;
  bench.file.letGo = () => {
    letGo++;
  };
  records.look = () => {
    throw new Error('MDB_PAGE_NOTFOUND');
  };
  t.notOk(isSeen(bench));
  t.ok(bench.tier.reading.isBroken);
  t.equal(letGo, 1, 'others cannot use its pages again before');
});

t.test('decision 0022: what this process has written is seen at once', async (t) => {
  const { bench, make } = setUp(t);
  t.notOk(isSeen(bench));
  bench.store.put(make({ bodyBytes: 10 }));
  await bench.tier.settled();
  t.ok(isSeen(bench));
});

t.test('issue 5: what is added to a table stays what it was where something is there', async (t) => {
  const file = openDiskFile(makeDirectory(t), 1024 ** 2);
  const { records } = file.tables;
  const [key, shared] = [Buffer.from('a'), Buffer.from(new SharedArrayBuffer(3_000)).fill(1)];
  file.write(() => {
    t.ok(records.add(key, shared));
    t.notOk(records.add(key, Buffer.from('2')));
    t.ok(records.add(Buffer.from('b'), Buffer.from('3')));
  });
  file.refresh();
  t.ok(records.get(key)?.equals(shared));
  t.equal(records.get(Buffer.from('b'))?.toString(), '3');
  await file.close();
});
