// Goal: issue 5, the disk tier keeps what it is given, and nothing else. Method: a tier on a directory of its own, written by a port that a test can break.
import t from 'tap';
import {
  DISK_RETRY_FIRST_MS,
  DISK_TIDY_EVERY_MS,
  MAX_DISK_PENDING_BYTES,
  PROMOTE_BODY_BYTES,
} from '../../lib/base/disk-limits.js';
import { Fields } from '../../lib/http/fields.js';
import { Body, type BodyReader } from '../../lib/object/body.js';
import { Segments } from '../../lib/object/segments.js';
import type { StoredResponse } from '../../lib/object/stored.js';
import { expiredResponse } from '../../lib/policy/expire.js';
import { chunkKey, DISK_CHUNK_BYTES, recordKey } from '../../lib/store/disk-keys.js';
import { keysUnder } from '../../lib/store/disk-scan.js';
import { FakeClock } from '../kit/clock.js';
import type { DiskBench } from '../kit/disk.js';
import { settled } from '../kit/proxy-kit.js';
import { setUp } from './disk-walk.kit.js';
import { freshened, makeStored } from './make-stored.js';

const KB = 1024;
const MB = 1024 * KB;
const KEY = 'http://a.test/';

/** Bytes that tell where they are. */
function pattern(bytes: number, seed = 0): Buffer {
  const out = Buffer.alloc(bytes);
  for (let at = 0; at < bytes; at++) out[at] = (at + seed * 31 + (at >> 8) * 7) & 0xff;
  return out;
}

/** All of a body that is complete, or what came of it before it broke. */
function contentOf(body: Body): { bytes: Buffer; ending: 'end' | 'failed' | 'later' } {
  return drained(body.open());
}

function drained(reader: BodyReader): { bytes: Buffer; ending: 'end' | 'failed' | 'later' } {
  const chunks: Buffer[] = [];
  for (;;) {
    const got = reader.read();
    if (typeof got === 'string') return { bytes: Buffer.concat(chunks), ending: got };
    chunks.push(got);
  }
}

function first<T>(list: readonly T[]): T | undefined {
  return list[0];
}

/** What a lookup finds below, as the engine asks for it. */
function recalled(bench: DiskBench, key = KEY): StoredResponse | undefined {
  return bench.store.recall(key, first);
}

/** Changes a value in the file behind the tier's back. */
function damage(bench: DiskBench, table: 'records' | 'bodies', key: Buffer, at: number): void {
  bench.file.write(() => {
    const value = bench.file.tables[table].get(key);
    if (value === undefined) throw new Error('there is nothing to damage');
    value[at] = (value[at] as number) ^ 0xff;
    bench.file.tables[table].put(key, value);
  });
  bench.file.refresh();
}

function bodyIdOf(bench: DiskBench): Buffer {
  let id: Buffer | undefined;
  bench.file.tables.bodies.range(Buffer.of(0), Buffer.alloc(16, 0xff), (key) => {
    id = key.subarray(0, 12);
    return false;
  });
  if (id === undefined) throw new Error('there is no body');
  return id;
}

t.test('issue 5: what was put is found after a restart, with every member and byte', async (t) => {
  const { bench, make } = setUp(t);
  const body = Body.of([pattern(100_000), pattern(70_000, 1)]);
  const stored = { ...make({ body, language: 'de' }), tags: ['a', 'b'], pushed: true, chance: 0.5, receivedAt: 7 };
  t.ok(bench.store.put(stored));
  const again = await bench.reopened();
  t.equal(again.store.peek(KEY), undefined, 'nothing is read ahead');
  const found = recalled(again);
  t.ok(found);
  const { body: foundBody, madeBy: _, fields, ...members } = found ?? stored;
  const { body: __, fields: storedFields, partial: ___, ...expected } = { partial: undefined, ...stored };
  t.strictSame(members, expected);
  t.strictSame(fields.raw, storedFields.raw);
  t.ok(Buffer.concat(foundBody.wholeChunks ?? []).equals(Buffer.concat(body.wholeChunks ?? [])));
  t.strictSame(again.store.peek(KEY), [found], 'promoted to memory');
});

t.test('issue 5: what memory evicts stays on disk, and is promoted again', async (t) => {
  const { bench, make } = setUp(t, { memoryBytes: 64 * KB });
  const all = Array.from({ length: 40 }, (_, at) => make({ key: `${KEY}${at}`, bodyBytes: 8 * KB }));
  for (const stored of all) bench.store.put(stored);
  await bench.tier.settled();
  const evicted = all.filter((stored) => bench.store.peek(stored.key) === undefined);
  t.ok(evicted.length > 20);
  for (const { key } of evicted) t.ok(recalled(bench, key), key);
});

t.test('issue 5: a 304 rewrites the header record alone, also of what memory evicted', async (t) => {
  const { clock, bench, make } = setUp(t);
  const stored = make({ bodyBytes: 50 * KB });
  bench.store.put(stored);
  await bench.tier.settled();
  const id = bodyIdOf(bench);
  bench.store.remove(stored, 'evicted');
  t.equal(bench.store.peek(KEY), undefined);
  t.ok(bench.store.holds(stored), 'evicted, not purged');
  clock.advance(1000);
  const fields = Fields.of({ ETag: '"1"', 'X-New': 'yes' });
  const next = freshened(stored, clock.now(), fields);
  t.ok(bench.store.swap(stored, next), 'as if it were in memory');
  t.notOk(bench.store.swap(stored, next), 'once');
  t.ok(bench.store.holds(next));
  t.notOk(bench.store.holds(stored));
  await bench.tier.settled();
  t.same(bench.tier.stats.writes, { response: 1, header: 1 });
  t.ok(bodyIdOf(bench).equals(id), 'the body is the same');
  const again = await bench.reopened();
  t.equal(recalled(again)?.fields.get('x-new'), 'yes');
  t.equal(recalled(again), undefined, 'in memory by now: there is nothing better below');
});

t.test(
  'issue 5: a purge of what is on disk alone, or waits to be written, holds at once and after a crash',
  async (t) => {
    const { bench, make } = setUp(t);
    const written = make({ key: `${KEY}written` });
    bench.store.put(written);
    await bench.tier.settled();
    bench.store.remove(written, 'evicted');
    bench.store.put(make({ key: `${KEY}waiting` }));
    t.equal(bench.store.removeKey(`${KEY}written`, 'purged'), 1);
    t.equal(bench.store.removeKey(`${KEY}waiting`, 'purged'), 1);
    for (const key of ['written', 'waiting']) t.equal(recalled(bench, `${KEY}${key}`), undefined, key);
    t.notOk(bench.store.swap(written, freshened(written, 5)), 'a late 304 does not bring it back');
    await bench.tier.settled();
    const again = await bench.killed();
    for (const key of ['written', 'waiting']) t.equal(recalled(again, `${KEY}${key}`), undefined, key);
    t.equal(again.tier.stats.records, 0);
    t.equal(again.file.tables.bodies.count, 0, 'its body went with it');
  },
);

t.test('issue 5: variants stand side by side on disk, newest first, and one replaces its like', async (t) => {
  const { clock, bench, make } = setUp(t);
  bench.store.put(make({ language: 'de', bodyBytes: 1 }));
  clock.advance(10);
  bench.store.put(make({ language: 'en', bodyBytes: 2 }));
  clock.advance(10);
  bench.store.put(make({ language: 'de', bodyBytes: 3 }));
  const again = await bench.reopened();
  const known = again.store.known(KEY);
  t.strictSame(
    known.map(({ selection, body }) => [selection.values[0], body.totalBytes]),
    [
      ['de', 3],
      ['en', 2],
    ],
  );
  t.equal(again.file.tables.records.count, 2);
  t.equal(again.file.tables.varied.count, 1);
  again.store.removeKey(KEY, 'purged');
  await again.tier.settled();
  t.equal(again.file.tables.records.count, 0);
  t.equal(again.file.tables.varied.count, 0, 'nothing is left of them');
});

t.test('issue 5: a key longer than what stands in a record key is told from its like', async (t) => {
  const { bench, make } = setUp(t);
  const stem = `${KEY}${'x'.repeat(3000)}`;
  bench.store.put(make({ key: `${stem}1`, bodyBytes: 1 }));
  bench.store.put(make({ key: `${stem}2`, bodyBytes: 2 }));
  const again = await bench.reopened();
  t.equal(recalled(again, `${stem}2`)?.body.totalBytes, 2);
  t.equal(recalled(again, `${stem}1`)?.body.totalBytes, 1);
  t.equal(recalled(again, stem), undefined);
  const seen: string[] = [];
  again.store.scanBelow({ kind: 'prefix', prefix: stem.slice(0, 2000) }, undefined, 10, ({ key }) =>
    seen.push(key.slice(-1)),
  );
  t.same(seen, [], 'both are in memory by now');
});

t.test('issue 5: a damaged record is a miss, counted, and taken away', async (t) => {
  const { bench, make } = setUp(t);
  bench.store.put(make());
  const again = await bench.reopened();
  damage(again, 'records', recordKey(KEY, { names: [], values: [] }), 90);
  t.equal(recalled(again), undefined);
  t.equal(again.tier.stats.unreadable.checksum, 1);
  t.equal(recalled(again), undefined);
  t.equal(again.tier.stats.unreadable.checksum, 1, 'counted once');
  await again.tier.settled();
  t.equal(again.tier.stats.records, 0);
  t.equal(again.tier.stats.removed.damaged, 1);
});

t.test('issue 5: a damaged body is a miss, counted, and taken away, whatever its size', async (t) => {
  for (const bodyBytes of [5 * KB, PROMOTE_BODY_BYTES + 1]) {
    const { bench, make } = setUp(t);
    bench.store.put(make({ bodyBytes }));
    const again = await bench.reopened();
    damage(again, 'bodies', chunkKey(bodyIdOf(again), 0), 8);
    t.equal(recalled(again), undefined, `${bodyBytes} bytes`);
    t.equal(again.tier.stats.unreadable.body, 1);
    await again.tier.settled();
    t.equal(again.tier.stats.records, 0);
  }
});

t.test(
  'issue 5: damage in the middle of a large body breaks it off where it is, and never ends it cleanly',
  async (t) => {
    const { bench, make } = setUp(t);
    const whole = pattern(5 * DISK_CHUNK_BYTES + 17);
    bench.store.put(make({ body: Body.of([whole]) }));
    const again = await bench.reopened();
    damage(again, 'bodies', chunkKey(bodyIdOf(again), 3), 5000);
    const found = recalled(again);
    t.ok(found);
    const { bytes, ending } = contentOf(found?.body ?? Body.empty);
    t.equal(ending, 'failed');
    t.ok(bytes.equals(whole.subarray(0, 3 * DISK_CHUNK_BYTES)), 'not one wrong byte');
    t.equal(recalled(again), undefined, 'a miss from then on');
  },
);

t.test(
  'issue 5: a large body is read from disk piece by piece, from any place, and is not held in memory',
  async (t) => {
    const { bench, make } = setUp(t);
    const whole = pattern(3 * MB + 5);
    bench.store.put(make({ body: Body.of([whole]) }));
    const again = await bench.reopened();
    const found = recalled(again);
    t.equal(found?.body.heldBytes, 0);
    t.equal(found?.body.totalBytes, whole.length);
    t.ok(contentOf(found?.body ?? Body.empty).bytes.equals(whole));
    const part = drained((found?.body ?? Body.empty).open(100_000, 2 * MB));
    t.ok(part.bytes.equals(whole.subarray(100_000, 2 * MB)));
    t.equal(part.ending, 'end');
    t.equal(again.store.peek(KEY), undefined, 'its use is a lookup below, each time');
    t.ok(found !== undefined && again.store.holds(found));
  },
);

t.test('issue 5: a body goes to disk as it arrives, and whoever reads never notices', async (t) => {
  const { clock, bench, make } = setUp(t);
  const sink = bench.store.openSpill();
  if (sink === undefined) throw new Error('there is no place for it');
  const body = new Body({ mode: 'retain', highWaterBytes: MB });
  const pauses: string[] = [];
  body.attach({ pause: () => pauses.push('pause'), resume: () => pauses.push('resume'), abandoned() {} });
  body.spill(sink, MB);
  const slow = body.open();
  const whole = pattern(6 * MB);
  for (let at = 0; at < whole.length; at += 40_000) {
    body.write(whole.subarray(at, at + 40_000));
    if (body.heldBytes > MB) {
      t.equal(pauses.at(-1), 'pause', 'the origin waits while the disk is behind');
      await bench.tier.settled();
    }
  }
  t.ok(pauses.includes('resume'));
  const late = body.open(123_456);
  body.complete(0);
  const stored = make({ body });
  t.ok(bench.store.put(stored));
  t.ok(drained(slow).bytes.equals(whole), 'a reader from the start reads from disk what memory let go');
  t.ok(drained(late).bytes.equals(whole.subarray(123_456)));
  await bench.tier.settled();
  t.equal(body.heldBytes, 0);
  const again = await bench.reopened();
  t.ok(contentOf(recalled(again)?.body ?? Body.empty).bytes.equals(whole));
  clock.advance(3_600_000);
  await settled(() => again.reports.length > 0);
  t.ok(recalled(again), 'its chunks are not taken for those of a body whose response never came');
});

t.test('issue 5: a large body is found as soon as it is whole, though the disk has none of it yet', async (t) => {
  const { bench, make } = setUp(t);
  bench.isHeld = true;
  const sink = bench.store.openSpill();
  if (sink === undefined) throw new Error('there is no place for it');
  const body = new Body({ mode: 'retain', highWaterBytes: MB });
  body.spill(sink, 8 * MB);
  const whole = pattern(5 * MB);
  for (let at = 0; at < whole.length; at += 40_000) body.write(whole.subarray(at, at + 40_000));
  body.complete(0);
  t.ok(bench.store.put(make({ body })));
  const found = recalled(bench);
  t.ok(found !== undefined, 'no miss, while the disk is behind the origin');
  t.ok(contentOf(found?.body ?? Body.empty).bytes.equals(whole));
  t.equal(bench.tier.stats.unreadable.body, 0);
  bench.release();
  await bench.tier.settled();
  t.equal(body.heldBytes, 0);
  const again = await bench.reopened();
  t.ok(contentOf(recalled(again)?.body ?? Body.empty).bytes.equals(whole), 'and it is stored');
});

t.test('issue 5: a body whose response never comes is taken away in a while, also after a crash', async (t) => {
  const { clock, bench } = setUp(t);
  const sink = bench.store.openSpill();
  sink?.write(pattern(3 * DISK_CHUNK_BYTES));
  await bench.tier.settled();
  t.equal(bench.file.tables.bodies.count, 3);
  const again = await bench.killed();
  clock.advance(DISK_TIDY_EVERY_MS);
  await settled(() => again.reports.length === 1);
  t.equal(again.file.tables.bodies.count, 3, 'it may still be coming, in another process');
  clock.advance(601_000);
  await settled(() => again.reports.length >= 2);
  clock.advance(DISK_TIDY_EVERY_MS);
  await settled(() => again.file.tables.bodies.count === 0);
});

t.test('issue 5: a body that is not wanted any more leaves nothing behind', async (t) => {
  const { bench, clock } = setUp(t);
  const sink = bench.store.openSpill();
  sink?.write(pattern(3 * DISK_CHUNK_BYTES));
  sink?.abort();
  await bench.tier.settled();
  // Not in the transaction that wrote it (decision 0017).
  clock.advance(DISK_TIDY_EVERY_MS);
  await settled(() => bench.file.tables.bodies.count === 0);
  t.equal(bench.file.tables.doomed.count, 0);
});

t.test('issue 5: one body of two records goes with the second', async (t) => {
  const { bench, make } = setUp(t);
  const one = make({ language: 'de', bodyBytes: 20 * KB });
  const other = { ...one, selection: { names: ['accept-language'], values: ['en'] } };
  bench.store.put(one);
  await bench.tier.settled();
  bench.store.put(other);
  await bench.tier.settled();
  t.equal(bench.file.tables.bodies.count, 1, 'it is written once');
  bench.store.remove(one, 'purged');
  const again = await bench.reopened();
  t.equal(recalled(again)?.body.totalBytes, 20 * KB);
  again.store.removeKey(KEY, 'purged');
  await again.tier.settled();
  t.equal(again.file.tables.bodies.count, 0);
  t.equal(again.file.tables.shares.count, 0);
});

t.test('RFC 9111 §3.3: parts of a body survive a restart as parts', async (t) => {
  const { bench, make } = setUp(t);
  const partial = Segments.of({ from: 10, until: 20, chunks: [pattern(10)] }, 100).with({
    from: 50,
    until: 55,
    chunks: [pattern(5, 3)],
  });
  bench.store.put({ ...make({ body: Body.empty }), partial });
  const again = await bench.reopened();
  const found = recalled(again);
  t.same(
    found?.partial?.runs.map(({ from, until }) => [from, until]),
    [
      [10, 20],
      [50, 55],
    ],
  );
  t.same(found?.partial?.read(50, 55), [pattern(5, 3)]);
});

t.test('issue 5: what is found by prefix or tag is found on disk too, queued or written, each once', async (t) => {
  const { bench, make } = setUp(t);
  for (let at = 0; at < 7; at++) bench.store.put({ ...make({ key: `${KEY}shop/${at}` }), tags: ['shop', `t${at}`] });
  bench.store.put({ ...make({ key: 'http://b.test/shop/1' }), tags: ['shop'] });
  const again = await bench.reopened();
  again.store.put({ ...make({ key: `${KEY}shop/8` }), tags: ['shop'] });
  const all = (reach: Parameters<typeof again.store.scanBelow>[0]): string[] => {
    const seen: string[] = [];
    let after: string | undefined;
    do after = again.store.scanBelow(reach, after, 3, ({ key }) => seen.push(key));
    while (after !== undefined);
    return seen.sort();
  };
  const shop = Array.from({ length: 7 }, (_, at) => `${KEY}shop/${at}`);
  t.same(all({ kind: 'prefix', prefix: `${KEY}shop/` }), shop, 'what is in memory is not below it');
  t.same(all({ kind: 'tag', tag: 'shop' }), [...shop, 'http://b.test/shop/1']);
  t.same(all({ kind: 'tag', tag: 't3' }), [`${KEY}shop/3`]);
  t.same(all({ kind: 'tag', tag: 'none' }), []);
  t.same(again.store.keysBelow(`${KEY}shop/3`, 10), { keys: [`${KEY}shop/3`], next: undefined });
  const { keys, next } = keysUnder(again.tier, `${KEY}shop/`, 3);
  t.same(keys, shop.slice(0, 3));
  const further = keysUnder(again.tier, `${KEY}shop/`, 10, next);
  t.same([...further.keys].sort(), [...shop.slice(3), `${KEY}shop/8`], 'what waits is among the rest');
  const three = again.store.known(`${KEY}shop/3`)[0];
  if (three !== undefined) again.store.remove(three, 'purged');
  t.same(all({ kind: 'tag', tag: 't3' }), []);
  await again.tier.settled();
  t.same(all({ kind: 'tag', tag: 't3' }), []);
});

t.test('issue 5: an expiry by an operator lasts, of what is on disk alone too', async (t) => {
  const { clock, bench, make } = setUp(t);
  bench.store.put(make());
  const again = await bench.reopened();
  clock.advance(1000);
  again.store.scanBelow({ kind: 'prefix', prefix: KEY }, undefined, 10, (stored) => {
    t.ok(again.store.swap(stored, expiredResponse(stored, clock.now())));
  });
  t.equal(recalled(again)?.life.staleAt, clock.now(), 'at once');
  const third = await again.reopened();
  t.equal(recalled(third)?.expiredAt, clock.now());
});

t.test(
  'issue 5: what waits is bounded: beyond, responses are stored in memory alone, and what they replace is gone',
  async (t) => {
    const { bench, make } = setUp(t, { memoryBytes: 256 * MB });
    bench.store.put(make({ key: `${KEY}old`, bodyBytes: 1 }));
    await bench.tier.settled();
    bench.isHeld = true;
    const body = Body.of([Buffer.alloc(MB)]);
    for (let at = 0; at < MAX_DISK_PENDING_BYTES / MB; at++)
      bench.store.put(make({ key: `${KEY}${at}`, body: Body.of(body.wholeChunks ?? []) }));
    t.ok(bench.store.put(make({ key: `${KEY}old`, body })), 'stored all the same');
    t.ok(bench.tier.stats.pendingBytes <= MAX_DISK_PENDING_BYTES + MB);
    t.ok(bench.tier.stats.skipped.pending >= 1);
    bench.release();
    const again = await bench.reopened();
    t.equal(recalled(again, `${KEY}old`), undefined, 'the older one does not come back');
    t.ok(recalled(again, `${KEY}3`));
  },
);

for (const code of ['ENOSPC', '5', 'thread', 'MDB_MAP_FULL']) {
  t.test(
    `issue 5: a write that fails (${code}) makes the tier read-only, which is told once, and tried again`,
    async (t) => {
      const { clock, bench, make } = setUp(t);
      bench.store.put(make({ key: `${KEY}before` }));
      await bench.tier.settled();
      bench.memory.removeKey(`${KEY}before`, 'evicted');
      bench.fail = code;
      bench.store.put(make({ key: `${KEY}lost` }));
      await bench.tier.settled();
      t.equal(bench.tier.stats.state, 'read-only');
      t.same(bench.notices, ['disk-read-only']);
      t.ok(bench.store.peek(`${KEY}lost`), 'memory has it');
      t.ok(recalled(bench, `${KEY}before`), 'what is there is served');
      t.equal(bench.store.removeKey(`${KEY}before`, 'purged'), 1);
      t.equal(recalled(bench, `${KEY}before`), undefined, 'purged, although the disk has it');
      t.equal(await bench.tier.settled(), false, 'which is not for good yet');
      t.equal(bench.store.openSpill(), undefined);
      clock.advance(DISK_RETRY_FIRST_MS);
      await settled(() => bench.tier.stats.failures === 2);
      bench.fail = undefined;
      clock.advance(DISK_RETRY_FIRST_MS * 2);
      await settled(() => bench.tier.stats.state === 'writable');
      t.same(bench.notices, ['disk-read-only', 'disk-writable']);
      t.equal(await bench.tier.settled(), true);
      const again = await bench.killed();
      t.equal(recalled(again, `${KEY}before`), undefined, 'the purge was not forgotten');
    },
  );
}

t.test('issue 5: a refreshed body that is on disk alone stays readable while nothing can be written', async (t) => {
  const { clock, bench, make } = setUp(t);
  bench.store.put(make({ body: Body.of([pattern(2 * MB)]) }));
  const again = await bench.reopened();
  const found = recalled(again);
  if (found === undefined) throw new Error('it is lost');
  again.fail = 'EIO';
  clock.advance(10);
  again.store.swap(found, freshened(found, clock.now()));
  await again.tier.settled();
  t.ok(recalled(again)?.body.totalBytes);
});

t.test('issue 5: bytes on disk are bounded: what was used longest ago goes first', async (t) => {
  const sizeBytes = 16 * MB;
  const { clock, bench, make } = setUp(t, { sizeBytes, memoryBytes: MB });
  const put = async (at: number): Promise<void> => {
    bench.store.put(make({ key: `${KEY}${at}`, bodyBytes: 200 * KB, keepMs: 1e12 }));
    await bench.tier.settled();
    clock.advance(1000);
  };
  for (let at = 0; at < 40; at++) await put(at);
  clock.advance(700_000);
  t.ok(recalled(bench, `${KEY}0`), 'used');
  for (let at = 40; at < 120; at++) {
    await put(at);
    t.ok(bench.tier.stats.usedBytes <= sizeBytes, `${bench.tier.stats.usedBytes}`);
    if (at === 80) t.ok(bench.store.known(`${KEY}0`).length > 0, 'what was used outlives what was not');
  }
  t.equal(bench.store.known(`${KEY}1`).length, 0);
  t.ok(bench.store.known(`${KEY}119`).length > 0);
  t.ok(bench.tier.stats.removed.evicted > 40);
  t.ok(bench.file.fileBytes <= sizeBytes * 1.25, `a file of ${bench.file.fileBytes} bytes`);
});

t.test('issue 5: no more is evicted from disk than has to be, however large it is', async (t) => {
  const { clock, bench, make } = setUp(t, { sizeBytes: 16 * MB, memoryBytes: MB });
  const counts: number[] = [];
  for (let at = 0; at < 200; at++) {
    bench.store.put(make({ key: `${KEY}${at}`, bodyBytes: 200 * KB, keepMs: 1e12 }));
    await bench.tier.settled();
    clock.advance(1000);
    if (at >= 80) counts.push(bench.tier.stats.records);
  }
  t.ok(Math.min(...counts) >= 45, `down to ${Math.min(...counts)} responses of 200 KB in 16 MB`);
});

t.test('issue 5: what is past keep is swept from disk in steps', async (t) => {
  const { clock, bench, make } = setUp(t);
  for (let at = 0; at < 600; at++)
    bench.store.put(make({ key: `${KEY}${at}`, bodyBytes: 4 * KB, ttlMs: 1000, graceMs: 0, keepMs: 0 }));
  bench.store.put(make({ key: `${KEY}kept`, bodyBytes: 4 * KB, ttlMs: 10 * 3_600_000 }));
  await bench.tier.settled();
  clock.advance(200_000);
  while (bench.tier.stats.records > 1) {
    clock.advance(20);
    await new Promise((resolve) => setImmediate(resolve));
  }
  t.equal(bench.tier.stats.removed.expired, 600);
  t.equal(bench.file.tables.expiries.count, 1);
  t.equal(bench.file.tables.uses.count, 1);
  t.equal(bench.file.tables.bodies.count, 1);
});

t.test('issue 5: a clock that was set back between two starts makes nothing fresher', async (t) => {
  const { clock, bench, make } = setUp(t);
  bench.store.put(make({ ttlMs: 60_000 }));
  clock.advance(50_000);
  bench.store.put(make({ key: `${KEY}later` }));
  await bench.tier.settled();
  const back = new FakeClock(clock.now() - 3_600_000);
  const again = await bench.reopened({ clock: back });
  const found = recalled(again);
  t.equal((found?.life.staleAt ?? 0) - back.now(), 10_000, 'as if no time had passed');
  again.store.put(makeStored({ key: `${KEY}new`, bornAt: back.now(), ttlMs: 60_000 }));
  back.advance(20_000);
  await again.tier.settled();
  const third = await again.reopened({ clock: new FakeClock(back.now()) });
  t.equal((recalled(third, `${KEY}new`)?.life.staleAt ?? 0) - back.now(), 40_000, 'also what was written since');
});

t.test('issue 5: a response that is put and replaced before it is written leaves no body behind', async (t) => {
  const { bench, make } = setUp(t);
  for (let at = 4; at <= 8; at++) bench.store.put(make({ bodyBytes: at * KB }));
  await bench.tier.settled();
  t.equal(bench.file.tables.bodies.count, 1);
  t.equal(bench.file.tables.uses.count, 1);
  for (let at = 4; at <= 8; at++) {
    bench.store.put(make({ bodyBytes: at * KB }));
    await bench.tier.settled();
  }
  t.equal(bench.file.tables.bodies.count, 1);
});

t.test('issue 5: what disk evicted while memory has it is written whole at its next refresh', async (t) => {
  for (const bodyBytes of [1 * KB, 5 * KB]) {
    const { clock, bench, make } = setUp(t);
    const stored = make({ bodyBytes });
    bench.store.put(stored);
    await bench.tier.settled();
    bench.file.write(() => {
      bench.file.tables.records.clear();
      bench.file.tables.bodies.clear();
    });
    clock.advance(10);
    bench.store.swap(stored, freshened(stored, clock.now()));
    await bench.tier.settled();
    t.equal(bench.tier.stats.skipped.bodiless, 1);
    const again = await bench.killed();
    t.equal(recalled(again)?.body.totalBytes, bodyBytes);
  }
});

t.test('issue 5: a file that cannot be read at all is left alone, and said to be damaged', async (t) => {
  const { bench, make } = setUp(t);
  bench.store.put(make());
  await bench.tier.settled();
  bench.memory.removeKey(KEY, 'evicted');
  bench.file.tables.records.get = () => {
    throw new Error('MDB_CORRUPTED');
  };
  t.equal(recalled(bench), undefined, 'a miss');
  t.ok(bench.isDamaged);
  t.same(bench.notices, ['disk-unreadable']);
  t.equal(bench.tier.stats.state, 'off');
  t.ok(bench.store.put(make({ bodyBytes: 7 })), 'memory goes on');
});
