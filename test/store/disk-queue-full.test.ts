// Goal: issue 5, what cannot wait to be written is kept in memory alone, and counted. Method: a disk tier whose writer is held up.
import t from 'tap';
import { FakeClock } from '../kit/clock.js';
import { openDisk } from '../kit/disk.js';
import { makeStored } from './make-stored.js';

const MB = 1024 * 1024;

t.test(
  'issue 5: a body that comes while the queue is full finds no place on disk, is counted, and the next one does',
  async (t) => {
    const clock = new FakeClock(Date.UTC(2026, 0, 1));
    const bench = openDisk(t, { clock, memoryBytes: 256 * MB });
    bench.isHeld = true;
    for (let at = 0; at < 63; at++)
      t.ok(bench.store.put(makeStored({ key: `http://a.test/${at}`, bodyBytes: MB, bornAt: clock.now() })));
    const sink = bench.store.openSpill();
    t.ok(sink, 'there is still room');
    sink?.write(Buffer.alloc(2 * MB));
    t.equal(bench.store.openSpill(), undefined);
    t.equal(bench.tier.stats.skipped.spill, 1);
    const late = makeStored({ key: 'http://a.test/late', bodyBytes: 2 * MB, bornAt: clock.now() });
    t.ok(bench.store.put(late), 'memory has it');
    t.equal(bench.tier.stats.skipped.pending, 1);
    t.notOk(bench.tier.has(late));
    sink?.abort();
    bench.release();
    await bench.tier.settled();
    t.ok(bench.store.openSpill(), 'the queue has run dry');
  },
);
