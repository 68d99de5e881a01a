// Goal: issue 5, what was to be taken away does not come back: a disk that was given up counts as nothing until it has been cleared. Method: the queue alone, before a writer that a test holds up and lets fail.
import t from 'tap';
import {
  DISK_FLUSH_MS,
  DISK_RETRY_FIRST_MS,
  DISK_RETRY_MAX_MS,
  MAX_DISK_PENDING_ORDERS,
} from '../../lib/base/disk-limits.js';
import { ordersIn } from '../../lib/store/disk-batch.js';
import { DiskFailure, type DiskJob, type DiskReport } from '../../lib/store/disk-contract.js';
import { DiskQueue } from '../../lib/store/disk-queue.js';
import { turns } from '../kit/barrier.js';
import { FakeClock } from '../kit/clock.js';

const DONE: DiskReport = {
  records: 0,
  removed: {},
  bodiless: [],
  outdated: [],
  refused: [],
  isFull: false,
  hasMore: false,
};

/** A disk that holds something under every key. */
class Bench {
  readonly clock = new FakeClock();
  /** Kinds of the orders of each job that was done. */
  readonly done: string[][] = [];
  isFailing = true;
  isHeld = false;
  readonly queue: DiskQueue;
  #go: () => void = () => {};

  constructor() {
    this.queue = new DiskQueue({
      port: { send: (job) => this.#send(job), close: () => Promise.resolve() },
      clock: this.clock,
      now: () => this.clock.now(),
      encode: () => false,
      overtaken() {},
      unwritten() {},
      unwordable() {},
      mayHold: () => true,
      reported() {},
      failed() {},
      recovered() {},
    });
  }

  async #send({ batch }: DiskJob): Promise<DiskReport> {
    if (this.isHeld) await new Promise<void>((resolve) => (this.#go = resolve));
    if (this.isFailing) throw new DiskFailure('ENOSPC', 'made to fail');
    this.done.push(batch === undefined ? [] : Array.from(ordersIn(batch), ({ kind }) => kind));
    return DONE;
  }

  release(): void {
    this.isHeld = false;
    this.#go();
  }

  remove(name: number | string): void {
    this.queue.remove(`http://a.test/${name}`, Buffer.from(`http://a.test/${name}\0`), 'purged');
  }

  /** The disk fails, and then more is to be taken away from it than can wait. */
  async giveUp(): Promise<void> {
    this.remove('first');
    this.clock.advance(DISK_FLUSH_MS);
    await turns(2);
    for (let at = 0; at <= MAX_DISK_PENDING_ORDERS && !this.queue.isBlind; at++) this.remove(at);
  }

  async advance(ms: number): Promise<void> {
    this.clock.advance(ms);
    await turns(2);
  }
}

t.test('issue 5: a disk that was given up is cleared before it counts again, however often that fails', async (t) => {
  const bench = new Bench();
  await bench.giveUp();
  t.ok(bench.queue.isBlind);
  for (let times = 0; times < 3; times++) await bench.advance(DISK_RETRY_MAX_MS);
  t.ok(bench.queue.isBlind);
  bench.isFailing = false;
  await bench.advance(DISK_RETRY_MAX_MS);
  t.ok(bench.done.flat().includes('clear'), 'what was to be taken away is');
  t.notOk(bench.queue.isBlind);
  t.equal(bench.queue.pendingBytes, 0);
});

t.test('issue 5: nor does it count because what was sent before it was given up could be written', async (t) => {
  const bench = new Bench();
  bench.remove('first');
  await bench.advance(DISK_FLUSH_MS);
  bench.isHeld = true;
  await bench.advance(DISK_RETRY_FIRST_MS);
  await bench.giveUp();
  t.ok(bench.queue.isBlind);
  bench.isFailing = false;
  bench.release();
  await turns(2);
  t.same(bench.done, [['remove']]);
  t.ok(bench.queue.isBlind, 'it is not cleared yet');
  await bench.advance(DISK_FLUSH_MS);
  t.same(bench.done.at(-1), ['clear']);
  t.notOk(bench.queue.isBlind);
});
