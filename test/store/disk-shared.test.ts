// Goal: issue 5, workers that have one disk lose nothing of each other there. Method: two tiers, the file of one with what the other wrote in it, and a kill before the next job.
import { setImmediate as turn } from 'node:timers/promises';
import t from 'tap';
import type { StoredResponse } from '../../lib/object/stored.js';
import { settled } from '../kit/proxy-kit.js';
import { setUp } from './disk-walk.kit.js';
import { freshened } from './make-stored.js';

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

t.test('issue 5: that a large body is read here is told at once: another worker may want its room', async (t) => {
  const { bench, make, clock } = setUp(t);
  bench.store.put(make({ bodyBytes: 3 * KB * KB }));
  const again = await bench.reopened();
  const jobs = again.reports.length;
  const reader = again.store.recall(KEY, ([first]) => first)?.body.open(0, 100);
  t.equal(reader?.read()?.length, 100);
  clock.advance(1);
  await settled(() => again.reports.length > jobs);
  let holds = 0;
  again.file.refresh();
  again.file.tables.holds.range(Buffer.of(0), Buffer.alloc(64, 0xff), () => {
    holds++;
    return true;
  });
  t.equal(holds, 1);
});
