// Goal: issue 5, what is on disk survives a restart with all that it is. Method: whole proxies one after another on one directory.
import { mkdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { HOT_STEP_DELAY_MS } from '../../lib/base/disk-limits.js';
import { readConfig } from '../../lib/config/load.js';
import { withOrigin } from '../../lib/config/schema.js';
import { createProxy } from '../../lib/proxy.js';
import { openDiskFile } from '../../lib/store/disk-file.js';
import { BODY_ID_BYTES, chunkKey, DISK_CHUNK_BYTES } from '../../lib/store/disk-keys.js';
import { FakeClock } from '../kit/clock.js';
import { makeDirectory } from '../kit/disk.js';
import { detailOf, metric, type OpenOptions, type OpenProxy, openProxy, TOKEN } from '../kit/proxy-kit.js';

const START = Date.UTC(2026, 0, 1);

async function restarted(
  t: Test,
  house: OpenProxy,
  clock: FakeClock,
  options: OpenOptions,
  url = house.origin.url,
): Promise<OpenProxy> {
  await house.proxy.close();
  return openProxy(t, { ...options, clock, url });
}

t.test('issue 5: after a restart a response is served from disk with its age, phase and validators', async (t) => {
  const path = join(makeDirectory(t), 'var');
  const options: OpenOptions = {
    conf: {
      cache: { disk: { path, size: '64MB' } },
      defaults: { grace: '1h', keep: '1d', tags_from: 'Surrogate-Key' },
    },
  };
  const clock = new FakeClock(START);
  const first = await openProxy(t, { ...options, clock });
  first.origin.respond((request) => ({
    fields: ['Cache-Control', 'max-age=60', 'ETag', '"one"', 'Vary', 'Accept-Language', 'Surrogate-Key', 'news'],
    body: `hello ${request.field('accept-language')}`,
  }));
  t.equal((await first.get('/a', 'Accept-Language: de')).field('cdn-cache'), 'MISS');
  await first.get('/a', 'Accept-Language: en');
  clock.advance(40_000);
  const second = await restarted(t, first, clock, options);
  clock.advance(5_000);
  const fresh = await second.get('/a', 'Accept-Language: de');
  t.equal(fresh.body.toString(), 'hello de');
  t.equal(fresh.field('age'), '45', 'the time of the restart counts');
  t.equal(detailOf(fresh), 'fresh');
  const english = await second.get('/a', 'Accept-Language: en', 'If-None-Match: "one"');
  t.equal(english.status, 304);
  t.equal(metric(await second.metrics(), 'patina_disk_hits_total'), 2);
  clock.advance(30_000);
  const stale = await second.get('/a', 'Accept-Language: en');
  t.equal(stale.field('cdn-cache'), 'UPDATING', 'in grace');
  t.equal(statSync(path).mode & 0o777, 0o700);
  t.equal(statSync(join(path, 'v2', 'data.mdb')).mode & 0o777, 0o600);
});

/** A proxy of little memory on a disk, with a token. */
function onDisk(path: string): OpenOptions {
  return {
    token: TOKEN,
    conf: { cache: { memory: '1MB', disk: { path, size: '64MB' } }, defaults: { tags_from: 'Surrogate-Key' } },
  };
}

t.test(
  'SYSTEMS row 3: a miss in memory is answered from disk, kept in memory for a while, and a task fetches it anew',
  async (t) => {
    const path = join(makeDirectory(t), 'var');
    const conf = { cache: { memory: '1MB', disk: { path, size: '64MB' } }, defaults: { ttl: '10s', grace: '1h' } };
    const clock = new FakeClock(START);
    const first = await openProxy(t, { conf, clock });
    first.origin.respond(() => ({ body: 'widget 1' }));
    await first.get('/widget');
    clock.advance(11_000);
    const second = await restarted(t, first, clock, { conf });
    first.origin.respond(() => ({ body: 'widget 2' }));
    const fromDisk = await second.get('/widget');
    t.same([fromDisk.field('cdn-cache'), fromDisk.body.toString()], ['UPDATING', 'widget 1'], 'at once, as it is');
    t.equal(metric(await second.metrics(), 'patina_disk_hits_total'), 1);
    await second.asks.reached(1);
    const anew = await second.get('/widget');
    t.same([anew.field('cdn-cache'), anew.body.toString()], ['HIT', 'widget 2'], 'the task has fetched it');
    t.equal(metric(await second.metrics(), 'patina_disk_hits_total'), 1, 'and memory has it');
    t.equal(second.origin.requestCount + first.origin.requestCount, 2);
  },
);

t.test('issue 5: a purge, an expiry and a tag act on what is on disk alone, and outlive a restart', async (t) => {
  const options = onDisk(makeDirectory(t));
  const clock = new FakeClock(START);
  const first = await openProxy(t, { ...options, clock });
  first.origin.respond(({ target }) => ({
    fields: ['Cache-Control', 'max-age=600', 'Surrogate-Key', target.startsWith('/news') ? 'news' : 'other'],
    body: target,
  }));
  for (const target of ['/news/1', '/news/2', '/shop/1', '/shop/2', '/one']) await first.get(target);
  const house = await restarted(t, first, clock, options);
  t.equal(metric(await house.metrics(), 'patina_objects'), 0, 'memory is empty');
  const count = async (path: string, target: Readonly<Record<string, unknown>>): Promise<unknown> =>
    JSON.parse((await house.operate('POST', path, target)).body.toString());
  t.match(await count('/v1/purge', { tag: 'news' }), { objects: 2 });
  t.match(await count('/v1/purge', { url: 'http://a.example/one' }), { objects: 1 });
  t.match(await count('/v1/expire', { prefix: 'http://a.example/shop/' }), { objects: 2 });
  const third = await restarted(t, house, clock, options, first.origin.url);
  t.equal((await third.get('/news/1', 'Cache-Control: only-if-cached')).status, 504);
  t.equal((await third.get('/one', 'Cache-Control: only-if-cached')).status, 504);
  t.equal((await third.get('/shop/1')).field('cdn-cache'), 'EXPIRED', 'stale, and still there');
});

t.test('issue 5: a purge reaches what an unusual X-Forwarded-Host stored before the restart', async (t) => {
  const options = onDisk(makeDirectory(t));
  const clock = new FakeClock(START);
  const first = await openProxy(t, { ...options, clock });
  first.origin.respond(() => ({ fields: ['Cache-Control', 'max-age=600'], body: 'x' }));
  await first.get('/', 'X-Forwarded-Host: other.example');
  const house = await restarted(t, first, clock, options);
  await house.operate('POST', '/v1/purge', { url: 'http://a.example/' });
  const gone = await house.get('/', 'X-Forwarded-Host: other.example', 'Cache-Control: only-if-cached');
  t.equal(gone.status, 504);
});

t.test('issue 5: operators see what is on disk, and where each response is', async (t) => {
  const options = onDisk(makeDirectory(t));
  const clock = new FakeClock(START);
  const first = await openProxy(t, { ...options, clock });
  first.origin.respond(() => ({ fields: ['Cache-Control', 'max-age=600'], body: 'x' }));
  for (let at = 0; at < 5; at++) await first.get(`/${at}`);
  const house = await restarted(t, first, clock, options);
  await house.get('/3');
  const tiers = new Map<string, string>();
  let cursor: string | undefined = '0';
  while (cursor !== undefined) {
    const page: { objects: { key: string; tier: string }[]; next?: string } = JSON.parse(
      (await house.admin(`/v1/objects?limit=2&cursor=${cursor}`)).body.toString(),
    );
    for (const { key, tier } of page.objects) tiers.set(key.slice(-1), tier);
    cursor = page.next;
  }
  t.same([...tiers].sort(), [
    ['0', 'disk'],
    ['1', 'disk'],
    ['2', 'disk'],
    ['3', 'memory'],
    ['4', 'disk'],
  ]);
  const one = JSON.parse((await house.admin('/v1/objects?url=http://a.example/1')).body.toString());
  t.equal(one.variants[0].tier, 'disk');
});

t.test(
  'issue 5: a body too large for memory is stored as it arrives, and served in parts after a restart',
  async (t) => {
    const options = onDisk(makeDirectory(t));
    const first = await openProxy(t, options);
    const body = Buffer.alloc(9 * 1024 * 1024, 'large bodies go to disk; ');
    first.origin.respond(() => ({ fields: ['Cache-Control', 'max-age=600', 'ETag', '"1"'], body }));
    const [one, two] = await Promise.all([first.get('/large'), first.get('/large')]);
    t.ok(one.body.equals(body));
    t.ok(two.body.equals(body));
    t.equal(first.origin.requestCount, 1);
    t.equal((await first.get('/large')).field('cdn-cache'), 'HIT');
    await first.proxy.close();
    const house = await openProxy(t, { ...options, url: first.origin.url });
    const again = await house.get('/large');
    t.equal(again.field('cdn-cache'), 'HIT');
    t.ok(again.body.equals(body));
    const part = await house.get('/large', 'Range: bytes=5000000-5000099');
    t.equal(part.status, 206);
    t.ok(part.body.equals(body.subarray(5_000_000, 5_000_100)));
    const several = await house.get('/large', 'Range: bytes=0-99,5000000-7999999');
    t.equal(several.status, 206);
    t.ok(several.body.includes(body.subarray(5_000_000, 8_000_000)));
    t.equal(metric(await house.metrics(), 'patina_stored_bytes'), 0, 'memory holds none of it');
  },
);

/** Takes one chunk away of the last body in a file that nobody has open. */
async function loseChunk(path: string, index: number): Promise<void> {
  const file = openDiskFile(join(path, 'v2'), 64 * 1024 * 1024);
  let id = Buffer.alloc(0);
  file.tables.bodies.range(Buffer.of(0), Buffer.alloc(16, 0xff), (key) => {
    id = Buffer.from(key.subarray(0, BODY_ID_BYTES));
    return true;
  });
  file.write(() => file.tables.bodies.remove(chunkKey(id, index)));
  await file.close();
}

t.test('issue 5: where a large body on disk has lost a chunk, its client gets the rest from the origin', async (t) => {
  const path = makeDirectory(t);
  const first = await openProxy(t, onDisk(path));
  const body = Buffer.alloc(9 * 1024 * 1024, 'large bodies go to disk; ');
  const fields = ['Cache-Control', 'max-age=600', 'ETag', '"1"'];
  first.origin.respond((asked) => {
    const from = Number(/bytes=(\d+)-/.exec(asked.field('range') ?? '')?.[1] ?? 0);
    if (from === 0) return { fields, body };
    const range = ['Content-Range', `bytes ${from}-${body.length - 1}/${body.length}`];
    return { status: 206, fields: [...fields, ...range], body: body.subarray(from) };
  });
  await first.get('/large');
  await first.proxy.close();
  await loseChunk(path, 30);
  const house = await openProxy(t, { ...onDisk(path), url: first.origin.url });
  const mended = await house.get('/large');
  t.equal(mended.field('cdn-cache'), 'HIT');
  t.ok(mended.body.equals(body));
  t.equal(first.origin.requests[1]?.field('range'), `bytes=${30 * DISK_CHUNK_BYTES}-`);
  t.equal(metric(await house.metrics(), 'patina_disk_unreadable_total'), 1);
  const next = await house.get('/large');
  t.equal(next.field('cdn-cache'), 'MISS');
  t.ok(next.body.equals(body));
});

t.test(
  "issue 5: a directory that is somebody else's is refused, and one that cannot be had is done without",
  async (t) => {
    const path = makeDirectory(t);
    writeFileSync(join(path, 'letters.txt'), 'dear');
    const config = withOrigin(readConfig({ cache: { disk: { path } } }), new URL('http://127.0.0.1:1'));
    t.throws(
      () => createProxy(config, { logDestination: { write: (_, done) => done() } }),
      /cache\.disk\.path: .*letters\.txt/,
    );
    const other = makeDirectory(t);
    mkdirSync(join(other, 'v2'));
    mkdirSync(join(other, 'v2', 'data.mdb'));
    const house = await openProxy(t, { conf: { cache: { disk: { path: other } } } });
    house.origin.respond(() => ({ body: 'served' }));
    t.equal((await house.get('/')).status, 200);
    t.ok(house.notices.includes('disk-unavailable'));
    t.equal(metric(await house.metrics(), 'patina_disk_state', 'state="off"'), 1);
    t.equal((await house.admin('/readyz')).status, 200);
  },
);

t.test('issue 5: another format beside ours is left alone, and a damaged file is set aside', async (t) => {
  const path = makeDirectory(t);
  mkdirSync(join(path, 'v0'));
  mkdirSync(join(path, 'v2'));
  writeFileSync(join(path, 'v2', 'damaged'), '');
  const house = await openProxy(t, { conf: { cache: { disk: { path } } } });
  t.same(
    house.notices.filter((code) => code.startsWith('disk')),
    ['disk-other-format', 'disk-damaged'],
  );
  t.ok(statSync(join(path, 'v0')).isDirectory());
  t.ok(statSync(join(path, 'v2.damaged')).isDirectory());
  t.equal(metric(await house.metrics(), 'patina_disk_state', 'state="writable"'), 1);
});

t.test('issue 5: what was asked for most is in memory again soon after the proxy serves', async (t) => {
  const options = onDisk(makeDirectory(t));
  const clock = new FakeClock(START);
  const first = await openProxy(t, { ...options, clock });
  first.origin.respond(() => ({ fields: ['Cache-Control', 'max-age=600'], body: 'x' }));
  for (const target of ['/hot', '/cold', '/hot', '/hot']) await first.get(target);
  const house = await restarted(t, first, clock, options);
  t.equal(metric(await house.metrics(), 'patina_objects'), 0, 'not before it serves');
  clock.advance(HOT_STEP_DELAY_MS);
  t.equal(metric(await house.metrics(), 'patina_objects'), 1);
  t.equal(metric(await house.metrics(), 'patina_disk_hot_promoted_total'), 1);
  t.equal((await house.get('/hot')).field('cdn-cache'), 'HIT');
  t.equal(house.origin.requestCount, 0);
});

t.test('issue 5: an explanation says in which tier the stored response lies', async (t) => {
  const options = onDisk(makeDirectory(t));
  const clock = new FakeClock(START);
  const first = await openProxy(t, { ...options, clock });
  first.origin.respond(() => ({ fields: ['Cache-Control', 'max-age=600'], body: 'x' }));
  await first.get('/one');
  const tierIn = async (house: OpenProxy): Promise<unknown> => {
    const answer = await house.admin('/v1/objects?url=http://a.example/one&explain=GET');
    return JSON.parse(answer.body.toString()).response?.tier;
  };
  t.equal(await tierIn(first), 'memory');
  const house = await restarted(t, first, clock, options);
  t.equal(await tierIn(house), 'disk', 'nobody has asked for it since the start');
  await house.get('/one');
  t.equal(await tierIn(house), 'memory');
});
