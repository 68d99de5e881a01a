// Goal: decision 0037, what waits to be written is known as it was put, though nothing but its words is kept of it. Method: a disk tier whose writer is held up, or fails, below a memory that lets all go.
import t from 'tap';
import {
  DISK_BATCH_BYTES,
  DISK_FLUSH_MS,
  DISK_RETRY_FIRST_MS,
  DISK_WORDED_TOGETHER,
  MAX_DISK_PENDING_BYTES,
} from '../../lib/base/disk-limits.js';
import { Fields } from '../../lib/http/fields.js';
import { Body } from '../../lib/object/body.js';
import { Segments } from '../../lib/object/segments.js';
import type { StoredResponse } from '../../lib/object/stored.js';
import { BatchWriter } from '../../lib/store/disk-batch.js';
import { openDiskFile } from '../../lib/store/disk-file.js';
import { type DiskBench, makeDirectory } from '../kit/disk.js';
import { settled } from '../kit/proxy-kit.js';
import { setUp } from './disk-walk.kit.js';
import { freshened } from './make-stored.js';

const KEY = 'http://a.test/';

const bytesOf = (stored: StoredResponse | undefined): string | undefined =>
  stored?.body.wholeChunks?.map((chunk) => chunk.toString()).join('');

/** What the disk tier alone knows under a key. */
function below({ memory, store }: DiskBench, key = KEY): readonly StoredResponse[] {
  memory.removeKey(key, 'evicted');
  return store.known(key);
}

/** Others come until all that was put is in words. */
function comeTogether({ store }: DiskBench, make: (props: { key: string }) => StoredResponse): void {
  for (let at = 1; at < DISK_WORDED_TOGETHER; at++) store.put(make({ key: `${KEY}another/${at}` }));
}

const textual = (text: string): Body => Body.of([Buffer.from(text)]);

t.test('decision 0037: what waits is, member by member, what was put, also where the clock was set back', async (t) => {
  for (const aheadMs of [0, 12_345]) {
    const before = setUp(t);
    before.clock.advance(aheadMs);
    before.bench.store.put(before.make({ key: `${KEY}before` }));
    await before.bench.tier.settled();
    const { clock, make } = setUp(t);
    const bench = await before.bench.killed({ clock });
    const stored: StoredResponse = {
      ...make({ body: textual('hello'), fields: Fields.of({ ETag: '"2"', 'X-Name': 'Zoë' }), language: 'de' }),
      tags: ['a', 'b'],
      madeTag: '"made"',
      requestedAt: clock.now() - 5,
      receivedAt: clock.now() - 1,
      chance: 0.25,
      expiredAt: clock.now() - 3,
    };
    bench.store.put(stored);
    comeTogether(bench, make);
    const [found, ...others] = below(bench);
    t.same(others, []);
    t.not(found, stored, 'of the object nothing is kept');
    const { body, fields, madeBy: _, ...rest } = found ?? stored;
    const { body: _body, fields: ownFields, ...own } = stored;
    t.same(rest, own, `set back by ${aheadMs} ms`);
    t.same(fields.raw, ownFields.raw);
    t.equal(body.wholeChunks?.[0]?.toString(), 'hello');
  }
});

t.test('decision 0037: an empty body, and none of its own bytes elsewhere, is told as well', (t) => {
  const { bench, make } = setUp(t);
  bench.store.put(make({ body: Body.empty }));
  comeTogether(bench, make);
  t.equal(bytesOf(below(bench)[0]), '');
  t.end();
});

t.test(
  'decision 0037: each of many is told from its own place, before, while and after its batch is written',
  async (t) => {
    const { bench, clock, make } = setUp(t);
    const names = ['a', 'b', 'c', 'd', 'e', 'f'];
    for (const name of names) {
      bench.isHeld = true;
      for (const part of ['1', '2'])
        bench.store.put(make({ key: `${KEY}${name}${part}`, body: textual(`${name}${part}`.repeat(400)) }));
      clock.advance(DISK_FLUSH_MS);
      for (const part of ['3', '4'])
        bench.store.put(make({ key: `${KEY}${name}${part}`, body: textual(`${name}${part}`.repeat(300)) }));
      comeTogether(bench, make);
      for (const part of ['1', '2', '3', '4']) {
        const times = part < '3' ? 400 : 300;
        t.equal(bytesOf(below(bench, `${KEY}${name}${part}`)[0]), `${name}${part}`.repeat(times));
      }
      bench.release();
      await bench.tier.settled();
    }
    for (const name of names)
      for (const part of ['1', '4'])
        t.equal(below(bench, `${KEY}${name}${part}`)[0]?.body.receivedBytes, 2 * (part < '3' ? 400 : 300));
  },
);

t.test('design 2: what waits is freshened, purged and found to be there like what memory holds', async (t) => {
  const { bench, clock, make } = setUp(t);
  bench.isHeld = true;
  const put = make({ body: textual('kept') });
  bench.store.put(put);
  comeTogether(bench, make);
  t.ok(bench.tier.has(put), 'by who put it');
  const [told] = below(bench);
  t.ok(told !== undefined && bench.tier.has(told), 'by who was told of it');
  t.notOk(bench.tier.has(make({ body: textual('kept!') })));
  clock.advance(10);
  const next = freshened(told ?? put, clock.now(), Fields.of({ ETag: '"1"', 'X-Later': 'yes' }));
  t.ok(bench.store.swap(told ?? put, next));
  t.notOk(bench.tier.has(put), 'the older form is no more');
  t.ok(bench.tier.has(next));
  bench.release();
  const again = await bench.reopened();
  const [found] = again.store.known(KEY);
  t.equal(found?.fields.get('x-later'), 'yes');
  t.equal(bytesOf(found), 'kept');

  const other = setUp(t);
  other.bench.isHeld = true;
  other.bench.store.put(other.make());
  comeTogether(other.bench, other.make);
  other.clock.advance(DISK_FLUSH_MS);
  const [inFlight] = below(other.bench);
  t.ok(inFlight !== undefined && other.bench.store.remove(inFlight, 'purged'));
  t.same(below(other.bench), []);
  other.bench.release();
  t.same((await other.bench.reopened()).store.known(KEY), []);
});

t.test(
  'issue 5: of what could not be written memory has the whole, and it is written with its body by the next order',
  async (t) => {
    const { bench, clock, make } = setUp(t);
    bench.fail = 'EIO';
    const stored = make({ body: textual('in memory') });
    bench.store.put(stored);
    await bench.tier.settled();
    t.equal(bench.tier.stats.skipped.failed, 1);
    t.notOk(bench.tier.has(stored));
    bench.fail = undefined;
    clock.advance(DISK_RETRY_FIRST_MS);
    await settled(() => bench.tier.stats.state === 'writable');
    const next = freshened(stored, clock.now());
    t.ok(bench.store.swap(stored, next));
    await bench.tier.settled();
    const again = await bench.reopened();
    t.equal(bytesOf(again.store.known(KEY)[0]), 'in memory');
  },
);

t.test(
  'decision 0037: a batch that is over begins anew in the same bytes, unless these have grown beyond what is worth keeping',
  (t) => {
    const batch = new BatchWriter(64);
    batch.add({ kind: 'hot', list: Buffer.alloc(1000, 1) });
    const { buffer } = batch.take();
    t.ok(buffer instanceof SharedArrayBuffer, 'the thread that writes reads the same');
    t.ok(batch.clear());
    t.equal(batch.byteLength, 0);
    batch.add({ kind: 'mark' });
    t.equal(batch.take().buffer, buffer);
    batch.add({ kind: 'hot', list: Buffer.alloc(2 * DISK_BATCH_BYTES + 1) });
    t.notOk(batch.clear());
    t.end();
  },
);

t.test('decision 0037: bytes that threads have in common are written whatever their length', async (t) => {
  const file = openDiskFile(makeDirectory(t), MAX_DISK_PENDING_BYTES);
  const shared = Buffer.from(new SharedArrayBuffer(70_000)).fill(7);
  file.write(() => {
    for (const [at, length] of [1, 100, 5_000, 70_000].entries())
      file.tables.bodies.put(shared.subarray(0, 8 + at), shared.subarray(0, length));
  });
  file.refresh();
  const lengths: number[] = [];
  file.tables.bodies.range(Buffer.of(0), Buffer.alloc(20, 0xff), (_, value) => {
    lengths.push(value.every((byte) => byte === 7) ? value.length : -1);
    return true;
  });
  t.same(
    lengths.sort((one, other) => one - other),
    [1, 100, 5_000, 70_000],
  );
  await file.close();
});

t.test(
  'decision 0037: what cannot be put into words is kept in memory alone, and all behind it is written',
  async (t) => {
    const { bench, make } = setUp(t);
    bench.store.put(make({ key: `${KEY}bad`, body: textual('before') }));
    await bench.tier.settled();
    // More than any origin can say: a record counts up to one less.
    const part = { from: 0, until: 3, chunks: [Buffer.from('abc')] };
    const bad = {
      ...make({ key: `${KEY}bad`, body: Body.empty }),
      partial: Segments.of(part, Number.MAX_SAFE_INTEGER),
    };
    t.ok(bench.store.put(bad), 'memory has it');
    bench.store.put(make({ key: `${KEY}behind`, body: textual('behind') }));
    await bench.tier.settled();
    t.same(bench.notices, ['internal']);
    t.equal(bench.tier.stats.skipped.failed, 1);
    await bench.tier.settled();
    t.equal(bench.tier.stats.pendingBytes, 0);
    t.ok(bench.store.holds(bad));
    t.same(below(bench, `${KEY}bad`), [], 'nor is what it takes the place of there');
    t.equal(bytesOf((await bench.killed()).store.recall(`${KEY}behind`, ([one]) => one)), 'behind');
  },
);
