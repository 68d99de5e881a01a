// Goal: issue 5, workers that have one disk lose nothing of each other there. Method: two tiers, the file of one with what the other wrote in it, and a kill before the next job.
import { setImmediate as turn } from 'node:timers/promises';
import t from 'tap';
import { setUp } from './disk-walk.kit.js';
import { freshened } from './make-stored.js';

const KB = 1024;
const KEY = 'http://a.test/';

t.test(
  'issue 5: what another worker wrote stays on disk until the body of what takes its place is there',
  async (t) => {
    for (const bodyBytes of [1 * KB, 5 * KB]) {
      const { clock, bench, make } = setUp(t);
      const stored = make({ bodyBytes });
      bench.store.put(stored);
      await bench.tier.settled();
      const other = setUp(t);
      other.bench.store.put(other.make({ bodyBytes: bodyBytes + 1 }));
      await other.bench.tier.settled();
      const [from, to] = [other.bench.file.tables, bench.file.tables];
      bench.file.write(() => {
        for (const name of ['records', 'bodies'] as const) {
          to[name].clear();
          from[name].range(Buffer.of(0), Buffer.alloc(64, 0xff), (key, value) => {
            to[name].put(Buffer.from(key), Buffer.from(value));
            return true;
          });
        }
      });
      bench.file.refresh();
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
