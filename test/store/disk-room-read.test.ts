// Goal: issue 5, room that bodies take which are still read is not made out of all else. Method: small and large responses on a small disk with a clock by hand; large ones are read, and what is evicted for the next is counted.
import t, { type Test } from 'tap';
import { DISK_HELD_MAX_MS, DISK_HOLD_AGAIN_MS, DISK_HOLD_MS, DISK_TIDY_EVERY_MS } from '../../lib/base/disk-limits.js';
import type { BodyReader } from '../../lib/object/reader.js';
import { FakeClock } from '../kit/clock.js';
import { type DiskBench, openDisk, spilled } from '../kit/disk.js';
import { makeStored } from './make-stored.js';

const MB = 1024 * 1024;
const SIZE_BYTES = 32 * MB;
const LARGE_BYTES = 5 * MB;
/** So many fit, and no more. */
const LARGE = 5;
const SMALL = 50;

const largeKey = (n: number): string => `http://a.test/large/${n}`;
const smallKey = (n: number): string => `http://a.test/small/${n}`;

class Disk {
  readonly clock = new FakeClock();
  bench: DiskBench;
  #next = 0;

  constructor(t: Test, sizeBytes = SIZE_BYTES) {
    this.bench = openDisk(t, { clock: this.clock, sizeBytes });
  }

  async storeLarge(count: number): Promise<void> {
    for (const end = this.#next + count; this.#next < end; this.#next++) await this.#store(largeKey(this.#next));
  }

  async #store(key: string): Promise<void> {
    const body = spilled(this.bench, LARGE_BYTES);
    this.bench.store.put(makeStored({ key, body, bornAt: this.clock.now(), ttlMs: 10 * DISK_HELD_MAX_MS }));
    await this.bench.tier.settled();
    this.clock.advance(1_000);
    await this.bench.tier.settled();
  }

  /** Stores another in its place. */
  replace(n: number): Promise<void> {
    return this.#store(largeKey(n));
  }

  async storeSmall(): Promise<void> {
    const ttlMs = 10 * DISK_HELD_MAX_MS;
    for (let n = 0; n < SMALL; n++) {
      this.bench.store.put(makeStored({ key: smallKey(n), bodyBytes: 1_000, bornAt: this.clock.now(), ttlMs }));
    }
    await this.bench.tier.settled();
  }

  /** A client takes the beginning of it. */
  read(n: number): BodyReader | undefined {
    const reader = this.#found(largeKey(n));
    reader?.read();
    return reader;
  }

  async readAll(count: number): Promise<(BodyReader | undefined)[]> {
    const readers = Array.from({ length: count }, (_, n) => this.read(n));
    await this.bench.tier.settled();
    return readers;
  }

  #found(key: string): BodyReader | undefined {
    return this.bench.store.recall(key, ([newest]) => newest)?.body.open();
  }

  /** What of it is on disk, whatever memory has, without reading of a large one. */
  hasLarge(n: number): boolean {
    return this.bench.store.recall(largeKey(n), ([newest]) => newest) !== undefined;
  }

  /** Records on disk, as the last job left them. */
  get records(): number {
    return this.bench.file.tables.records.count;
  }

  get evicted(): number {
    return this.bench.reports.reduce((sum, { removed }) => sum + (removed.evicted ?? 0), 0);
  }

  get wasFull(): boolean {
    return this.bench.reports.some(({ isFull }) => isFull);
  }

  async pass(ms: number, whileWaiting: () => void = () => {}): Promise<void> {
    for (let left = ms; left > 0; left -= DISK_HOLD_AGAIN_MS) {
      whileWaiting();
      this.clock.advance(Math.min(left, DISK_HOLD_AGAIN_MS));
      await this.bench.tier.settled();
    }
    this.clock.advance(DISK_TIDY_EVERY_MS);
    await this.bench.tier.settled();
  }
}

t.test(
  'issue 5: where all that is large is read, no more goes for what is new than would make room for it',
  async (t) => {
    const disk = new Disk(t);
    await disk.storeLarge(LARGE);
    await disk.pass(DISK_HOLD_MS);
    await disk.readAll(LARGE);
    await disk.storeSmall();
    t.equal(disk.evicted, 0);
    await disk.storeLarge(6);
    t.ok(disk.wasFull, 'there is no room before what was evicted is read no more');
    t.ok(disk.evicted <= 1, `${disk.evicted} went`);
    t.ok(disk.bench.tier.stats.usedBytes < SIZE_BYTES);
    const again = await disk.bench.reopened();
    disk.bench = again;
    t.equal(disk.records, LARGE - 1 + SMALL, 'a restart finds the rest');
    await disk.storeLarge(2);
    t.equal(disk.evicted, 0, 'and knows what is about to go');
    await disk.pass(DISK_HOLD_MS);
    const full = again.reports.length;
    await disk.storeLarge(1);
    t.notOk(again.reports.slice(full).some(({ isFull }) => isFull));
    t.ok(disk.hasLarge(LARGE + 8), 'there is room for the next once nobody reads what went');
    t.equal(disk.records, LARGE + SMALL);
  },
);

t.test('issue 5: to tidy up evicts no more either', async (t) => {
  const disk = new Disk(t);
  await disk.storeLarge(LARGE);
  await disk.readAll(LARGE);
  await disk.storeSmall();
  // What another process was told of the size: it is smaller for this one.
  const smaller = await disk.bench.reopened({ sizeBytes: 28 * MB });
  disk.bench = smaller;
  for (let n = 0; n < 10; n++) await disk.pass(1);
  t.ok(disk.evicted > 0);
  t.ok(disk.evicted <= 2, `${disk.evicted} went`);
});

t.test('issue 5: what is read is passed over where what stands behind it makes room at once', async (t) => {
  const disk = new Disk(t);
  await disk.storeLarge(LARGE);
  await disk.pass(DISK_HOLD_MS);
  await disk.readAll(2);
  await disk.storeLarge(1);
  t.notOk(disk.wasFull);
  t.same(
    [0, 1, 2, 3, LARGE].map((n) => disk.hasLarge(n)),
    [true, true, false, true, true],
  );
});

t.test(
  'issue 5: a body that is read on and on is no reason to store nothing until its client has it all',
  async (t) => {
    const disk = new Disk(t);
    await disk.storeLarge(LARGE);
    await disk.pass(DISK_HOLD_MS);
    const reader = disk.read(0);
    await disk.replace(0);
    await disk.pass(2 * DISK_HOLD_MS, () => reader?.read());
    const before = disk.bench.reports.length;
    await disk.storeLarge(1);
    t.notOk(disk.bench.reports.slice(before).some(({ isFull }) => isFull));
    t.ok(disk.hasLarge(LARGE));
    t.type(reader?.read(), Buffer);
  },
);

t.test(
  'issue 5: where bodies that are read on and on take all there is, nothing goes for what has no room anyway',
  async (t) => {
    // Without the small ones there were no room for what is new either.
    const disk = new Disk(t, SIZE_BYTES + MB / 2);
    await disk.storeLarge(LARGE);
    await disk.storeSmall();
    const readers = await disk.readAll(LARGE);
    for (let n = 0; n < LARGE; n++) disk.bench.store.removeKey(largeKey(n), 'purged');
    await disk.pass(2 * DISK_HOLD_MS, () => {
      for (const reader of readers) reader?.read();
    });
    await disk.storeLarge(2);
    t.ok(disk.wasFull);
    t.equal(disk.evicted, 0);
    t.equal(disk.records, SMALL);
    await disk.pass(2 * DISK_HOLD_MS);
    const before = disk.bench.reports.length;
    await disk.storeLarge(1);
    t.notOk(
      disk.bench.reports.slice(before).some(({ isFull }) => isFull),
      'they are gone with their readers',
    );
  },
);

t.test('issue 5: while there is no room, not each batch looks through all that is to go', async (t) => {
  const disk = new Disk(t);
  await disk.storeLarge(LARGE);
  await disk.readAll(LARGE);
  await disk.storeLarge(1);
  const { doomed } = disk.bench.file.tables;
  const range = doomed.range.bind(doomed);
  let looks = 0;
  doomed.range = (...what) => {
    looks++;
    range(...what);
  };
  const before = disk.bench.reports.length;
  for (let n = 0; n < 10; n++) {
    disk.bench.store.openSpill()?.write(Buffer.alloc(MB, n));
    await disk.bench.tier.settled();
  }
  t.ok(disk.bench.reports.slice(before).filter(({ isFull }) => isFull).length >= 10);
  t.ok(looks <= 2, `${looks} times`);
});
