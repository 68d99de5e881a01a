// Goal: workers with one disk between them write each response once, and none brings back what is older. Method: engines in one process, each with its memory, over one file and one table of leases.
import t from 'tap';
import { DISK_FLUSH_MS, MAX_DISK_KEYS } from '../../lib/base/disk-limits.js';
import { STORE_STEP_DELAY_MS } from '../../lib/base/limits.js';
import { ANNOUNCED_MS, LEASE_ANSWER_TIMEOUT_MS } from '../../lib/base/worker-limits.js';
import { Fields } from '../../lib/http/fields.js';
import type { StoredResponse } from '../../lib/object/stored.js';
import { turns } from '../kit/lease-desk.js';
import { type SiblingCrew, type SiblingWorker, startSiblings } from '../kit/sibling-workers.js';
import { makeStored } from '../store/make-stored.js';

const URL = 'http://example.test/a';
const LIVING = { 'Cache-Control': 'max-age=10, stale-while-revalidate=60', ETag: '"1"' };
const NEWER = { ...LIVING, ETag: '"2"' };

function two(crew: SiblingCrew): [SiblingWorker, SiblingWorker] {
  const [one, other] = crew.workers;
  if (one === undefined || other === undefined) throw new Error('there are no two');
  return [one, other];
}

function held({ walk }: SiblingWorker): StoredResponse | undefined {
  return walk.engine.parts.store.peek(URL)?.[0];
}

function onDisk({ bench }: SiblingWorker): StoredResponse | undefined {
  return bench?.tier.find(URL)[0];
}

/** One has asked for it, the other has it from there, and it is on disk. */
async function bothHave(crew: SiblingCrew, body = 'hello'): Promise<[SiblingWorker, SiblingWorker]> {
  const [one, other] = two(crew);
  one.walk.get('/a');
  await turns();
  one.walk.origin.last.respond(200, LIVING, body);
  await turns();
  await crew.written();
  const client = other.walk.get('/a');
  await turns();
  t.equal(client.body, body);
  return [one, other];
}

async function refresh(crew: SiblingCrew, worker: SiblingWorker): Promise<void> {
  crew.clock.advance(10_000);
  worker.walk.get('/a');
  await turns();
}

t.test('issue 5: what a worker takes from another it does not write to the disk that both have', async (t) => {
  const crew = startSiblings(t, { workers: 3 });
  const [one] = two(crew);
  one.walk.get('/a');
  const waiting = crew.workers.slice(1).map(({ walk }) => walk.get('/a'));
  await turns();
  one.walk.origin.last.respond(200, LIVING, 'hello');
  await turns();
  await crew.written();
  t.same(
    waiting.map(({ body }) => body),
    ['hello', 'hello'],
  );
  t.equal(crew.asked, 1);
  t.same(crew.writes(), [
    { response: 1, header: 0 },
    { response: 0, header: 0 },
    { response: 0, header: 0 },
  ]);
  for (const worker of crew.workers) t.equal(held(worker)?.body.totalBytes, 5, 'each has it in memory');
});

t.test(
  'issue 5: what is found on disk is put under the rule that holds, and written only where that makes it another',
  async (t) => {
    const crew = startSiblings(t);
    const [one, other] = two(crew);
    one.walk.get('/a');
    await turns();
    one.walk.origin.last.respond(200, LIVING, 'hello');
    await crew.written();
    await turns();
    t.equal(other.walk.get('/a').outcome, 'HIT');
    await crew.written();
    t.same(crew.writes()[1], { response: 0, header: 0 });
  },
);

t.test('RFC 9111 §4.3.4: a 304 in one worker is written once, and holds in all', async (t) => {
  const crew = startSiblings(t, { workers: 3 });
  const [one] = await bothHave(crew);
  const third = crew.workers[2]?.walk.get('/a');
  await turns();
  t.equal(third?.body, 'hello');
  await refresh(crew, one);
  const stale = crew.workers.slice(1).map(({ walk }) => walk.get('/a').outcome);
  t.same(stale, ['UPDATING', 'UPDATING']);
  await turns();
  one.walk.origin.last.respond(304, { ...LIVING, 'X-Round': '2' });
  await turns();
  await crew.written();
  t.equal(crew.asked, 2);
  for (const { walk } of crew.workers) t.equal(walk.get('/a').field('x-round'), '2');
  await crew.written();
  t.same(crew.writes(), [
    { response: 1, header: 1 },
    { response: 0, header: 0 },
    { response: 0, header: 0 },
  ]);
});

t.test('RFC 9111 §4.3.4: a 304 around a body that another worker wrote writes the record alone', async (t) => {
  const crew = startSiblings(t);
  const [one, other] = await bothHave(crew);
  await refresh(crew, other);
  other.walk.origin.last.respond(304, { ...LIVING, 'X-Round': '2' });
  await turns();
  await crew.written();
  t.same(crew.writes(), [
    { response: 1, header: 0 },
    { response: 0, header: 1 },
  ]);
  t.equal(one.walk.get('/a').field('x-round'), '2');
  await crew.written();
  t.same(
    crew.writes().map(({ header }) => header),
    [0, 1],
    'nor is it written where it is used',
  );
  t.equal(onDisk(one)?.fields.first('x-round'), '2');
  t.equal(one.bench?.file.tables.records.count, 1, 'there is one record');
  t.ok((onDisk(one)?.body.receivedBytes ?? 0) > 0, 'and its body with it');
});

t.test(
  'issue 5: what a worker has stored anew is what others serve, though the disk has the older one yet',
  async (t) => {
    const crew = startSiblings(t);
    const [one, other] = await bothHave(crew);
    if (one.bench !== undefined) one.bench.isHeld = true;
    await refresh(crew, one);
    one.walk.origin.last.respond(200, NEWER, 'newer');
    await turns();
    t.equal(onDisk(other)?.fields.first('etag'), '"1"', 'the disk does not have it');
    const client = other.walk.get('/a');
    await turns();
    t.equal(client.body, 'newer');
    t.equal(crew.asked, 2);
    other.bench?.memory.removeKey(URL, 'evicted');
    const again = other.walk.get('/a');
    await turns();
    t.equal(again.body, 'newer');
    t.equal(crew.asked, 2);
    one.bench?.release();
    await crew.written();
    await turns();
    other.bench?.memory.removeKey(URL, 'evicted');
    t.equal(other.walk.get('/a').body, 'newer', 'from the disk, in the same turn');
  },
);

t.test('issue 5: the same for a worker that has it on disk alone, and for a new record', async (t) => {
  const crew = startSiblings(t);
  const [one, other] = await bothHave(crew);
  other.bench?.memory.removeKey(URL, 'evicted');
  if (one.bench !== undefined) one.bench.isHeld = true;
  await refresh(crew, one);
  one.walk.origin.last.respond(304, { ...LIVING, 'X-Round': '2' });
  await turns();
  const client = other.walk.get('/a');
  await turns();
  t.equal(client.field('x-round'), '2');
  t.equal(crew.asked, 2);
  one.bench?.release();
});

t.test('issue 5: what a worker stores of an answer that it asked for alone is what others serve', async (t) => {
  const crew = startSiblings(t, { hasDisk: false });
  const [one, other] = await bothHave(crew);
  one.walk.engine.parts.store.removeKey(URL, 'evicted');
  crew.clock.advance(1_000);
  // A range with a condition of its own goes out as it is, and nobody waits for it.
  one.walk.get('/a', { Range: 'bytes=0-1', 'If-None-Match': '"0"' });
  await turns();
  one.walk.origin.last.respond(200, NEWER, 'newer');
  await turns();
  t.equal(held(one)?.fields.first('etag'), '"2"');
  const client = other.walk.get('/a');
  await turns();
  t.equal(client.body, 'newer');
  t.equal(crew.asked, 2);
});

t.test('RFC 9110 §9.3.3: the answer to a POST that one worker keeps for GET is what others serve', async (t) => {
  const crew = startSiblings(t, { hasDisk: false });
  const [one, other] = await bothHave(crew);
  crew.clock.advance(1_000);
  const fields = Fields.of({ ...NEWER, 'Content-Location': '/a' });
  const tap = one.walk.send({ method: 'POST', target: '/a' }).passed?.respond(200, 'OK', fields).tap;
  tap?.write(Buffer.from('newer'));
  tap?.end();
  await turns();
  t.equal(held(one)?.fields.first('etag'), '"2"');
  const client = other.walk.get('/a');
  await turns();
  t.equal(client.body, 'newer');
  t.equal(crew.asked, 1, 'the POST went by another way');
});

t.test('issue 5: where who announced it died before it was written, the disk has the best that there is', async (t) => {
  const crew = startSiblings(t);
  const [one, other] = await bothHave(crew);
  if (one.bench !== undefined) one.bench.isHeld = true;
  await refresh(crew, one);
  one.walk.origin.last.respond(200, NEWER, 'newer');
  await turns();
  crew.kill(one);
  await turns();
  const client = other.walk.get('/a');
  t.equal(client.body, 'hello', 'at once, stale');
  t.equal(client.outcome, 'UPDATING');
  await turns();
  t.equal(other.walk.origin.count, 1, 'and one refresh');
});

t.test('issue 5: what is announced and never written stands in the way for a while only', async (t) => {
  const crew = startSiblings(t);
  const [one, other] = await bothHave(crew);
  if (one.bench !== undefined) one.bench.isHeld = true;
  await refresh(crew, one);
  one.walk.origin.last.respond(200, NEWER, 'newer');
  await turns();
  t.equal(
    other.walk.engine.parts.store.recall(URL, (found) => found[0]),
    undefined,
  );
  crew.clock.advance(ANNOUNCED_MS);
  t.equal(other.walk.engine.parts.store.recall(URL, (found) => found[0])?.fields.first('etag'), '"1"');
  one.bench?.release();
});

t.test('issue 5: an expiry by a worker that has an older form leaves the newer one on disk', async (t) => {
  const crew = startSiblings(t);
  const [one, other] = await bothHave(crew);
  crew.isHeld = true;
  await refresh(crew, one);
  crew.let();
  await turns();
  crew.isHeld = true;
  one.walk.origin.last.respond(200, NEWER, 'newer');
  await turns();
  await crew.written();
  t.equal(held(other)?.fields.first('etag'), '"1"', 'it has not heard of it');
  t.same(await other.walk.engine.operations.expire({ kind: 'url', url: URL }), { objects: 1, fills: 0 });
  t.equal(onDisk(one)?.fields.first('etag'), '"2"');
  t.equal(held(other), undefined, 'what is older than the disk is dropped');
  t.equal(other.bench?.tier.stats.skipped.outdated, 1);
  t.equal(one.bench?.file.tables.records.count, 1);
  const client = other.walk.get('/a');
  t.equal(client.body, 'newer');
  crew.let();
});

t.test('issue 5: an expiry wins over the same response written by another worker before it', async (t) => {
  const crew = startSiblings(t);
  const [one, other] = await bothHave(crew);
  crew.clock.advance(1_000);
  await other.walk.engine.operations.expire({ kind: 'url', url: URL });
  // One has not heard of it, and writes its form again.
  const mine = held(one);
  if (mine !== undefined) one.walk.engine.parts.store.swap(mine, { ...mine, rule: 'another' });
  await crew.written();
  t.ok((onDisk(one)?.expiredAt ?? 0) > 0);
  t.equal(one.bench?.tier.stats.skipped.outdated, 1);
});

t.test('issue 5: what is past its keep in one worker does not take away what another wrote meanwhile', async (t) => {
  const crew = startSiblings(t);
  const [one, other] = await bothHave(crew);
  crew.isHeld = true;
  await refresh(crew, one);
  crew.let();
  await turns();
  crew.isHeld = true;
  one.walk.origin.last.respond(200, { ...NEWER, 'Cache-Control': 'max-age=1000000' }, 'newer');
  await turns();
  await crew.written();
  const old = held(other);
  t.equal(old?.fields.first('etag'), '"1"');
  if (old !== undefined) t.ok(other.walk.engine.parts.store.remove(old, 'expired'));
  await crew.written();
  t.equal(onDisk(one)?.fields.first('etag'), '"2"');
  crew.let();
});

t.test(
  'issue 5: a body too large for memory is written by the worker that asked for it, and by no other',
  async (t) => {
    const crew = startSiblings(t);
    const [one, other] = two(crew);
    const half = Buffer.alloc(3 * 1024 * 1024, 'half');
    const first = one.walk.get('/a');
    await turns();
    one.walk.origin.last.head(200, { ...LIVING, 'Content-Length': String(2 * half.length) }).data(half);
    await turns();
    const second = other.walk.get('/a');
    await turns();
    t.equal(second.body.length, half.length, 'as it comes');
    one.walk.origin.last.data(half).end();
    for (let n = 0; n < 20; n++) {
      crew.clock.advance(DISK_FLUSH_MS);
      await turns();
    }
    await crew.written();
    t.same([first.body.length, second.body.length], [2 * half.length, 2 * half.length]);
    t.equal(crew.asked, 1);
    t.same(crew.writes()[1], { response: 0, header: 0 });
    t.equal(one.bench?.file.tables.records.count, 1);
    const third = other.walk.get('/a');
    t.equal(third.outcome, 'HIT', 'found on disk');
    t.equal(crew.asked, 1);
  },
);

t.test('issue 5: a large body that is whole and not yet written is had from the worker that has it', async (t) => {
  const crew = startSiblings(t);
  const [one, other] = two(crew);
  const body = Buffer.alloc(5 * 1024 * 1024, 'x');
  one.walk.get('/a');
  await turns();
  one.walk.origin.last.head(200, { ...LIVING, 'Content-Length': String(body.length) });
  for (let at = 0; at < body.length; at += 65_536) one.walk.origin.last.data(body.subarray(at, at + 65_536));
  await crew.written();
  if (one.bench !== undefined) one.bench.isHeld = true;
  one.walk.origin.last.end();
  await turns();
  t.equal(one.walk.engine.stats.fills, 0);
  const client = other.walk.get('/a');
  await turns();
  t.equal(crew.asked, 1);
  t.equal(client.status, 200);
  one.bench?.release();
});

t.test(
  'issue 5: what a worker asked for on its own, for want of an answer who may, the others hear of too',
  async (t) => {
    const crew = startSiblings(t);
    const [one, other] = await bothHave(crew);
    crew.isHeld = true;
    await refresh(crew, one);
    crew.clock.advance(LEASE_ANSWER_TIMEOUT_MS);
    await turns();
    t.equal(one.walk.origin.count, 2, 'it has waited for that long enough');
    one.walk.origin.last.respond(200, NEWER, 'newer');
    await turns();
    t.equal(held(other)?.fields.first('etag'), '"1"');
    crew.let();
    await turns();
    t.equal(held(other), undefined);
    const client = other.walk.get('/a');
    await turns();
    t.equal(client.body, 'newer');
    t.equal(crew.asked, 2);
  },
);

t.test('RFC 9111 §4.4: what a worker still takes out in steps, others do not take from it meanwhile', async (t) => {
  const crew = startSiblings(t);
  const [one, other] = two(crew);
  const { store } = other.walk.engine.parts;
  const keys = Array.from({ length: MAX_DISK_KEYS + 2 }, (_, at) => `${URL} x="${String(at).padStart(5, '0')}"`);
  for (const key of keys) store.put(makeStored({ key, bornAt: crew.clock.now() }));
  await crew.written();
  const last = keys.at(-1) ?? '';
  store.removeKey(last, 'evicted');
  const selection = { names: [], values: [] };
  const given = () => other.leases.give({ key: last, selection, askedAt: 0, sequence: one.sequence.begun });
  t.not(given(), 'superseded');
  one.walk.engine.purging.purgeKey(URL, 'invalidated');
  await turns();
  t.equal(one.sequence.begun, 1);
  t.equal(given(), 'superseded', 'it may be one of those');
  crew.clock.advance(STORE_STEP_DELAY_MS);
  await turns();
  t.equal(given(), 'none', 'all of them have gone');
  t.equal(one.sequence.ended, 1);
});
