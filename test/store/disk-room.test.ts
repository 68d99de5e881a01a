// Goal: issue 5, a disk tier that is full serves nothing that it has not, and is not full of what nobody wants. Method: bodies that arrive on a small disk, written by hand.
import { constants } from 'node:os';
import t, { type Test } from 'tap';
import { DISK_DOOM_MS, DISK_HELD_MAX_MS, DISK_HOLD_MS, DISK_TIDY_EVERY_MS } from '../../lib/base/disk-limits.js';
import { Body } from '../../lib/object/body.js';
import type { BodyReader } from '../../lib/object/reader.js';
import type { StoredResponse } from '../../lib/object/stored.js';
import type { DiskFile } from '../../lib/store/disk-file.js';
import { DiskWriting } from '../../lib/store/disk-writing.js';
import { FakeClock } from '../kit/clock.js';
import { type DiskBench, openDisk, spilled } from '../kit/disk.js';
import { makeStored } from './make-stored.js';

const MB = 1024 * 1024;
const KEY = 'http://a.test/';

function open(t: Test): DiskBench {
  return openDisk(t, { clock: new FakeClock(), sizeBytes: 16 * MB });
}

function stored(body: Body): StoredResponse {
  return makeStored({ key: KEY, body, bornAt: Date.UTC(2026, 0, 1) });
}

/** What a lookup finds below, and how many bytes of it can be read. */
function readable(bench: DiskBench): number | undefined {
  const reader = bench.store.recall(KEY, ([newest]) => newest)?.body.open();
  if (reader === undefined) return undefined;
  let bytes = 0;
  for (let read = reader.read(); typeof read !== 'string'; read = reader.read()) bytes += read.length;
  return bytes;
}

t.test('issue 5: a body that found no room in its middle is no response, and leaves no gap to be served', async (t) => {
  const bench = open(t);
  const [other, sink] = [bench.store.openSpill(), bench.store.openSpill()];
  if (other === undefined || sink === undefined) throw new Error('there is no place for it');
  const body = new Body({ mode: 'retain', highWaterBytes: MB });
  body.spill(sink, 16 * MB);
  body.write(Buffer.alloc(MB));
  // Nothing of it can be evicted: it may still become a response.
  for (let at = 0; at < 11; at++) other.write(Buffer.alloc(MB, at));
  await bench.tier.settled();
  t.notOk(bench.reports.some(({ isFull }) => isFull));
  body.write(Buffer.alloc(2 * MB, 1));
  other.abort();
  body.write(Buffer.alloc(2 * MB, 2));
  body.complete(0);
  bench.store.put(stored(body));
  const lengths: number[] = [];
  const look = (): void => {
    const bytes = readable(bench);
    if (bytes !== undefined) lengths.push(bytes);
  };
  look();
  void bench.tier.settled();
  while (bench.tier.stats.pendingBytes > 0) {
    await Promise.resolve();
    look();
  }
  t.ok(bench.reports.some(({ isFull }) => isFull));
  t.notOk(bench.reports.at(-1)?.isFull, 'there is room again for its end');
  t.same([...new Set(lengths)], [5 * MB], 'whole as long as it is here, then not at all');
  const again = await bench.reopened();
  t.equal(readable(again), undefined);
  t.equal(again.tier.stats.unreadable.body, 0, 'and there is no record without its bytes');
});

/** Ways in which a body that is on disk gets no record, or loses it before it was written. */
const UNWANTED: readonly (readonly [string, (bench: DiskBench, body: Body) => void | Promise<void>])[] = [
  ['its response is not stored after all', (bench, body) => bench.store.giveUp(stored(body))],
  [
    'it is purged before its record is written',
    (bench, body) => {
      bench.store.put(stored(body));
      bench.store.removeKey(KEY, 'purged');
    },
  ],
  [
    'a later one of another process is there',
    async (bench, body) => {
      bench.store.put({ ...stored(Body.of([Buffer.alloc(1)])), requestedAt: Date.UTC(2027, 0, 1) });
      await bench.tier.settled();
      bench.store.put(stored(body));
    },
  ],
];

for (const [title, leave] of UNWANTED) {
  t.test(`issue 5: a large body gives its room back where ${title}`, async (t) => {
    const bench = open(t);
    for (let n = 0; n < 6; n++) {
      await leave(bench, spilled(bench, 5 * MB));
      await bench.tier.settled();
    }
    t.notOk(
      bench.reports.some(({ isFull }) => isFull),
      'there was room for each',
    );
    t.ok(bench.store.put(stored(spilled(bench, 5 * MB))));
    await bench.tier.settled();
  });
}

t.test('issue 5: what is not stored after all can be read on for a while, by those who have begun', async (t) => {
  const clock = new FakeClock();
  const bench = openDisk(t, { clock });
  const body = spilled(bench, 5 * MB);
  const reader = body.open();
  await bench.tier.settled();
  bench.store.giveUp(stored(body));
  await bench.tier.settled();
  let bytes = 0;
  for (let read = reader.read(); typeof read !== 'string'; read = reader.read()) bytes += read.length;
  t.equal(bytes, 5 * MB);
  clock.advance(DISK_HOLD_MS + DISK_TIDY_EVERY_MS);
  await bench.tier.settled();
  clock.advance(DISK_TIDY_EVERY_MS);
  await bench.tier.settled();
  t.equal(bench.file.tables.bodies.count, 0);
});

t.test('issue 5: to give up a body that a record has changes nothing', async (t) => {
  const bench = open(t);
  const kept = stored(spilled(bench, 5 * MB));
  bench.store.put(kept);
  await bench.tier.settled();
  bench.store.giveUp(kept);
  await bench.tier.settled();
  t.equal(bench.file.tables.doomed.count, 0);
  t.equal(readable(bench), 5 * MB);
});

/** Reads to the end, or to where it breaks off. */
function restOf(reader: BodyReader): number {
  let bytes = 0;
  for (let read = reader.read(); typeof read !== 'string'; read = reader.read()) bytes += read.length;
  return bytes;
}

/** One step of tidying up, and what it writes. */
async function tidied(bench: DiskBench, clock: FakeClock, ms: number): Promise<void> {
  clock.advance(ms);
  await bench.tier.settled();
}

t.test(
  'issue 5: a large body that is replaced while it is read is read to its end, though the disk is full',
  async (t) => {
    const clock = new FakeClock();
    const bench = openDisk(t, { clock, sizeBytes: 16 * MB });
    bench.store.put(stored(spilled(bench, 5 * MB)));
    await bench.tier.settled();
    const reader = bench.store.recall(KEY, ([newest]) => newest)?.body.open();
    if (reader === undefined) throw new Error('it is on disk');
    const first = reader.read();
    await bench.tier.settled();
    for (let n = 0; n < 3; n++) {
      bench.store.put({ ...stored(spilled(bench, 5 * MB)), fetchedAt: clock.now() + n });
      await bench.tier.settled();
    }
    t.ok(bench.reports.some(({ isFull }) => isFull) || bench.tier.stats.usedBytes > 10 * MB, 'there is need');
    t.equal(first.length + restOf(reader), 5 * MB);
    t.equal(bench.tier.stats.unreadable.body, 0);
  },
);

t.test('issue 5: a body that is not read any more, or for too long, gives its room back', async (t) => {
  for (const isRead of [false, true]) {
    const clock = new FakeClock();
    const bench = openDisk(t, { clock, sizeBytes: 16 * MB });
    bench.store.put(stored(spilled(bench, 5 * MB)));
    await bench.tier.settled();
    const reader = bench.store.recall(KEY, ([newest]) => newest)?.body.open();
    reader?.read();
    bench.store.removeKey(KEY, 'purged');
    await bench.tier.settled();
    await tidied(bench, clock, DISK_DOOM_MS - 1);
    t.ok(bench.file.tables.bodies.count > 0);
    for (let ms = 0; ms < DISK_HELD_MAX_MS + DISK_HOLD_MS && bench.file.tables.bodies.count > 0; ms += 10_000) {
      if (isRead) reader?.read();
      await tidied(bench, clock, 10_000);
      await tidied(bench, clock, DISK_TIDY_EVERY_MS);
      const isDue = isRead ? ms > DISK_HELD_MAX_MS : ms > DISK_HOLD_MS;
      if (isDue) t.equal(bench.file.tables.bodies.count, 0, `after ${ms} ms`);
    }
    t.equal(bench.file.tables.bodies.count, 0);
  }
});

t.test('issue 5: a reader whose body is gone at last takes nothing away from what replaced it', async (t) => {
  const clock = new FakeClock();
  const bench = openDisk(t, { clock, sizeBytes: 64 * MB });
  bench.store.put(stored(spilled(bench, 5 * MB)));
  await bench.tier.settled();
  const reader = bench.store.recall(KEY, ([newest]) => newest)?.body.open();
  reader?.read();
  bench.store.put({ ...stored(spilled(bench, 6 * MB)), fetchedAt: clock.now() + 1 });
  await bench.tier.settled();
  await tidied(bench, clock, DISK_DOOM_MS + DISK_HOLD_MS);
  for (let n = 0; n < 3; n++) await tidied(bench, clock, DISK_TIDY_EVERY_MS);
  t.ok(reader !== undefined && restOf(reader) < 5 * MB, 'it breaks off');
  await bench.tier.settled();
  t.equal(readable(bench), 6 * MB);
});

for (const [what, directory, code] of [
  ['a full filesystem', '/proc', 'ENOSPC'],
  ['a device that fails', '/', String(constants.errno.EIO)],
] as const) {
  const skip = process.platform === 'linux' ? false : 'no filesystem without room is at hand';
  t.test(`issue 5: a write that is cut short is told of as ${what}`, { skip }, (t) => {
    const write = (): never => {
      throw Object.assign(new Error('Input/output error'), { code: constants.errno.EIO });
    };
    const writing = new DiskWriting(
      { directory, makeRoom: () => undefined, write, tables: {} } as unknown as DiskFile,
      16 * MB,
    );
    t.throws(() => writing.do({ batch: undefined, now: 0 }), { name: 'DiskFailure', code });
    t.end();
  });
}
