// Goal: issue 5, what cannot wait to be written is kept in memory alone, and counted; what cannot be written is tried again. Method: a disk tier whose writer is held up, or fails.
import { setImmediate as turn } from 'node:timers/promises';
import t from 'tap';
import { DISK_RETRY_FIRST_MS, DISK_RETRY_MAX_MS } from '../../lib/base/disk-limits.js';
import { FakeClock } from '../kit/clock.js';
import { openDisk } from '../kit/disk.js';
import { settled } from '../kit/proxy-kit.js';
import { setUp } from './disk-walk.kit.js';
import { makeStored } from './make-stored.js';

const MB = 1024 * 1024;
const KEY = 'http://a.test/';

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

t.test('issue 5: a disk that can be written for a moment at a time is tried again later and later', async (t) => {
  const { clock, bench, make } = setUp(t);
  const failAgain = async (name: string): Promise<void> => {
    bench.fail = 'ENOSPC';
    bench.store.put(make({ key: `${KEY}${name}` }));
    await bench.tier.settled();
    bench.fail = undefined;
    t.equal(bench.tier.stats.state, 'read-only', name);
  };
  await failAgain('first');
  clock.advance(DISK_RETRY_FIRST_MS);
  await settled(() => bench.tier.stats.state === 'writable');
  await failAgain('again');
  clock.advance(DISK_RETRY_FIRST_MS);
  await turn();
  t.equal(bench.tier.stats.state, 'read-only', 'not after the first delay');
  clock.advance(DISK_RETRY_FIRST_MS);
  await settled(() => bench.tier.stats.state === 'writable');
  clock.advance(DISK_RETRY_MAX_MS);
  await settled(() => bench.tier.stats.pendingBytes === 0);
  await failAgain('after a good while');
  clock.advance(DISK_RETRY_FIRST_MS);
  await settled(() => bench.tier.stats.state === 'writable');
});

t.test(
  'issue 5: who waits until all is on disk waits for what took the place of that, and for nothing else',
  async (t) => {
    const { bench, make } = setUp(t);
    const put = (name: string): void => void bench.store.put(make({ key: `${KEY}${name}` }));
    /** The job that is under way is done, and no other. */
    const releaseOne = async (): Promise<void> => {
      bench.release();
      bench.isHeld = true;
      await turn();
    };
    let isOver = false;
    const wait = (): void => {
      isOver = false;
      void bench.tier.settled().then((isWritten) => {
        isOver = isWritten;
      });
    };
    bench.isHeld = true;
    put('a');
    wait();
    put('other');
    put('other');
    await releaseOne();
    t.ok(isOver, 'what came later is its own business');
    put('b');
    wait();
    put('b');
    await releaseOne();
    t.notOk(isOver, 'the second took the place of the first, behind the mark');
    for (let jobs = 0; jobs < 2; jobs++) await releaseOne();
    t.ok(isOver);
    bench.release();
    t.equal((await bench.killed()).tier.find(`${KEY}b`).length, 1);
  },
);
