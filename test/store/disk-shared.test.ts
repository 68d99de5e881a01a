// Goal: issue 5, workers that have one disk lose nothing of each other there. Method: two tiers, the file of one with what the other wrote in it, and a kill before the next job.
import { spawnSync } from 'node:child_process';
import { readdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { DISK_HOLD_MS } from '../../lib/base/disk-limits.js';
import type { StoredResponse } from '../../lib/object/stored.js';
import { bodiesRead } from '../../lib/store/disk-readers.js';
import { FakeClock } from '../kit/clock.js';
import { openDisk } from '../kit/disk.js';
import { setUp } from './disk-walk.kit.js';
import { freshened, makeStored } from './make-stored.js';

type Bench = ReturnType<typeof setUp>['bench'];

const KB = 1024;
const KEY = 'http://a.test/';

/** `to` has in its file what `from` has, as if another worker had written it there. */
function haveWritten(from: Bench, to: Bench): void {
  to.file.write(() => {
    for (const name of ['records', 'bodies'] as const) {
      to.file.tables[name].clear();
      from.file.tables[name].range(Buffer.of(0), Buffer.alloc(64, 0xff), (key, value) => {
        to.file.tables[name].put(Buffer.from(key), Buffer.from(value));
        return true;
      });
    }
  });
  to.file.refresh();
}

/** Changes the first byte of each entry of a table. */
function damage({ file }: Bench, name: 'records' | 'bodies'): void {
  const entries: [key: Buffer, value: Buffer][] = [];
  file.tables[name].range(Buffer.of(0), Buffer.alloc(64, 0xff), (key, value) => {
    entries.push([Buffer.from(key), Buffer.from(value)]);
    return true;
  });
  file.write(() => {
    for (const [key, value] of entries) {
      value[0] = (value[0] ?? 0) ^ 0xff;
      file.tables[name].put(key, value);
    }
  });
  file.refresh();
}

t.test('design 2: a purge takes away what another worker has put in the place of what was damaged', async (t) => {
  for (const damaged of ['records', 'bodies'] as const) {
    const { bench, make } = setUp(t);
    bench.store.put(make({ bodyBytes: 5 * KB }));
    const again = await bench.reopened();
    damage(again, damaged);
    const choose = ([first]: readonly StoredResponse[]): StoredResponse | undefined => first;
    t.equal(again.store.recall(KEY, choose), undefined);
    const other = setUp(t);
    other.bench.store.put(other.make({ bodyBytes: 6 * KB }));
    await other.bench.tier.settled();
    haveWritten(other.bench, again);
    const [there] = again.store.known(KEY);
    t.equal(there?.body.totalBytes, 6 * KB, `${damaged}: it is there before what was damaged is known to be gone`);
    t.equal(there !== undefined && again.store.remove(there, 'purged'), true, damaged);
    await again.tier.settled();
    t.equal((await again.reopened()).store.recall(KEY, choose), undefined, damaged);
  }
});

t.test(
  'issue 5: what is damaged is taken away, and not what another worker has put in its place meanwhile',
  async (t) => {
    for (const damaged of ['records', 'bodies'] as const) {
      const { bench, make } = setUp(t);
      bench.store.put(make({ bodyBytes: 5 * KB }));
      const again = await bench.reopened();
      damage(again, damaged);
      t.equal(
        again.store.recall(KEY, ([first]) => first),
        undefined,
      );
      const other = setUp(t);
      other.bench.store.put(other.make({ bodyBytes: 6 * KB }));
      await other.bench.tier.settled();
      haveWritten(other.bench, again);
      await again.tier.settled();
      t.equal(again.store.recall(KEY, ([first]) => first)?.body.totalBytes, 6 * KB, damaged);
      t.equal(again.tier.stats.removed.damaged, 0);
    }
  },
);

t.test(
  'issue 5: what another another worker wrote stays on disk until the body of what takes its place is there',
  async (t) => {
    for (const bodyBytes of [1 * KB, 5 * KB]) {
      const { clock, bench, make } = setUp(t);
      const stored = make({ bodyBytes });
      bench.store.put(stored);
      await bench.tier.settled();
      const other = setUp(t);
      other.bench.store.put(other.make({ bodyBytes: bodyBytes + 1 }));
      await other.bench.tier.settled();
      haveWritten(other.bench, bench);
      clock.advance(10);
      bench.store.swap(stored, freshened(stored, clock.now()));
      const send = bench.send.bind(bench);
      bench.send = async (job) => {
        const report = await send(job);
        bench.isHeld = true;
        return report;
      };
      void bench.tier.settled();
      while (bench.tier.stats.skipped.bodiless === 0) await turn();
      const again = await bench.killed();
      t.equal(again.store.recall(KEY, ([first]) => first)?.body.totalBytes, bodyBytes + 1);
    }
  },
);

t.test(
  'issue 5: that a large body is read here is told before its first byte is: another worker may want its room',
  async (t) => {
    const { bench, make, clock } = setUp(t);
    bench.store.put(make({ bodyBytes: 3 * KB * KB }));
    const again = await bench.reopened();
    const jobs = again.reports.length;
    t.ok(again.store.recall(KEY, ([first]) => first));
    t.equal(again.reports.length, jobs, 'nothing is written for it');
    const { directory } = again;
    t.equal(bodiesRead(directory, clock.now()).size, 1);
    t.equal(bodiesRead(directory, clock.now() + DISK_HOLD_MS - 1).size, 1);
    t.equal(bodiesRead(directory, clock.now() + DISK_HOLD_MS).size, 0, 'and counts for a while');
    await again.tier.close();
    t.equal(bodiesRead(directory, clock.now()).size, 0, 'or until the process ends');
  },
);

/** Two workers on one disk, which has one large response. */
async function twoOnOne(t: Test) {
  const clock = new FakeClock();
  const one = openDisk(t, { clock, sizeBytes: 16 * KB * KB });
  const other = openDisk(t, { clock, sizeBytes: 16 * KB * KB, directory: one.directory });
  const make = (key: string) => makeStored({ key, bornAt: clock.now(), bodyBytes: 3 * KB * KB });
  one.store.put(make(KEY));
  await one.tier.settled();
  other.file.refresh();
  return { one, other, make };
}

/** One response after another, more than the disk has room for; all are read, so that none is passed over for that. */
async function pushOut({ store, tier }: Bench, other: Bench, make: (key: string) => StoredResponse): Promise<void> {
  for (let n = 0; n < 8; n++) {
    store.put(make(`${KEY}${n}`));
    await tier.settled();
    other.file.refresh();
    other.store.recall(`${KEY}${n}`, ([first]) => first);
  }
}

t.test(
  'issue 5: no client is cut off because another worker purges or evicts what it reads, however late this one is told of',
  async (t) => {
    for (const way of ['purged', 'evicted'] as const) {
      const { one, other, make } = await twoOnOne(t);
      other.isHeld = true;
      const reader = other.store.recall(KEY, ([first]) => first)?.body.open();
      let bytes = 0;
      const take = (): void => {
        const read = reader?.read();
        if (read instanceof Buffer) bytes += read.length;
      };
      take();
      if (way === 'purged') one.store.removeKey(KEY, 'purged');
      await pushOut(one, other, make);
      other.file.refresh();
      t.same(other.tier.find(KEY), [], `it is ${way}`);
      for (let n = 0; n < 100; n++) take();
      t.equal(bytes, 3 * KB * KB, way);
      t.equal(other.tier.stats.unreadable.body, 0);
    }
  },
);

t.test(
  'issue 5: what another worker takes away just as it is found here is a miss, and no broken answer',
  async (t) => {
    const { one, other } = await twoOnOne(t);
    const gone = other.store.recall(KEY, ([first]) => {
      one.file.write(() => {
        for (const name of ['records', 'bodies'] as const) one.file.tables[name].clear();
      });
      return first;
    });
    t.equal(gone, undefined);
    t.equal(other.tier.stats.unreadable.body, 0, 'nothing was damaged');
  },
);

t.test('issue 5: what a worker that died was reading is kept no longer than what others read', async (t) => {
  const { one, other } = await twoOnOne(t);
  t.ok(other.store.recall(KEY, ([first]) => first));
  const [own] = readdirSync(one.directory).filter((name) => name.startsWith('reading-'));
  const { pid } = spawnSync(process.execPath, ['-e', '']);
  const dead = `reading-${pid}-0badcafe`;
  renameSync(join(one.directory, own ?? ''), join(one.directory, dead));
  t.equal(bodiesRead(one.directory, 0).size, 1, 'it may have been asked for by others too');
  t.ok(readdirSync(one.directory).includes(dead));
  t.equal(bodiesRead(one.directory, Number.MAX_SAFE_INTEGER).size, 0);
  t.notOk(readdirSync(one.directory).includes(dead), 'its file is taken away');
});

t.test(
  'issue 5: what a process read that died is taken away by the next one of its number, as in a container',
  async (t) => {
    const { one, other } = await twoOnOne(t);
    const third = openDisk(t, { clock: new FakeClock(), sizeBytes: 16 * KB * KB, directory: one.directory });
    const before = `reading-${process.pid}-0badcafe`;
    writeFileSync(join(one.directory, before), Buffer.alloc(32));
    t.ok(third.store.recall(KEY, ([first]) => first));
    t.ok(other.store.recall(KEY, ([first]) => first));
    const left = readdirSync(one.directory).filter((name) => name.startsWith('reading-'));
    t.notOk(left.includes(before));
    t.equal(left.length, 2, 'and nothing that this process tells itself, be it of another opening of the disk');
  },
);
