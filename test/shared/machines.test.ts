// Goal: machines that share a Redis act as one before the origin and before an operator. Method: whole proxies in one process, each with a memory of its own, and a real redis-server.
import { createHash, randomBytes } from 'node:crypto';
import { join } from 'node:path';
import t from 'tap';

import { createBarrier } from '../kit/barrier.js';
import { makeDirectory } from '../kit/disk.js';
import { metric, openProxy, request, TOKEN } from '../kit/proxy-kit.js';
import type { RawResponse } from '../kit/raw-client.js';
import { eventually, needsRedis, type RedisServer } from '../kit/redis-server.js';
import { isPush } from './hearing.kit.js';
import { heard, LIVING, openMachines, ownMetric } from './machines.kit.js';

t.test('issue 5: what one machine stored another serves as a hit, age and all', needsRedis(), async (t) => {
  const { here, there } = await openMachines(t, () => ({ fields: [...LIVING, 'Age', '7'], body: 'hello' }));
  await here.get('/a');
  await eventually(async () => (await there.metrics()).includes('patina_shared_messages_total 1'), 'news of it');
  const answer = await there.get('/a');
  t.equal(answer.body.toString(), 'hello');
  t.match(answer.field('cache-status'), /^patina; hit; ttl=\d+; detail=fresh$/);
  t.ok(Number(answer.field('age')) >= 7, `Age: ${answer.field('age')}`);
  t.equal(here.origin.requestCount, 1);
});

t.test('issue 5: of many clients on two machines that come at once one asks the origin', needsRedis(), async (t) => {
  const { here, there } = await openMachines(t, async () => {
    await new Promise((resolve) => setTimeout(resolve, 50));
    return { fields: LIVING, body: 'hello' };
  });
  const answers = await Promise.all(Array.from({ length: 20 }, (_, n) => (n % 2 === 0 ? here : there).get('/a')));
  t.ok(answers.every(({ body }) => body.toString() === 'hello'));
  t.equal(here.origin.requestCount, 1);
});

t.test('issue 5: what goes to the disk as it arrives is shared all the same', needsRedis(), async (t) => {
  const body = randomBytes(5 * 1024 * 1024);
  const { redis, here, there } = await openMachines(t, () => ({ fields: LIVING, body }), {}, { max_body: '8MB' });
  const disk = { path: join(makeDirectory(t), 'var'), size: '256MB' };
  const shared = { url: redis.url, timeout: '500ms', max_body: '8MB' };
  const conf = { cache: { memory: '16MB', disk, redis: shared } };
  const other = await openProxy(t, { token: TOKEN, conf, url: here.origin.url });
  await eventually(() => other.notices.includes('shared-up'), 'it is connected');
  await other.get('/a');
  await eventually(async () => (await ownMetric(other, 'patina_disk_records')) === 1, 'it is on disk');
  await eventually(async () => (await redis.client.keys('*{*')).length > 1, 'it is shared');
  const answer = await there.get('/a');
  t.ok(answer.body.equals(body));
  t.equal(here.origin.requestCount, 1);
});

t.test('SYSTEMS row 4: many regions share the work, with one refresh for all of them', needsRedis(), async (t) => {
  const release = createBarrier();
  const { here, there } = await openMachines(
    t,
    async (request) => {
      if (request.field('if-none-match') === undefined) return { fields: ['ETag', '"1"'], body: 'hello' };
      await release.passed;
      return { status: 304, fields: ['ETag', '"1"'] };
    },
    { defaults: { ttl: '1s', grace: '1h' } },
  );
  await here.get('/a');
  await eventually(async () => (await ownMetric(there, 'patina_shared_messages_total')) > 0, 'news');
  t.equal((await there.get('/a')).body.toString(), 'hello', 'the other region has not asked for it');
  t.equal(here.origin.requestCount, 1);
  for (const region of [here, there]) {
    await eventually(async () => (await region.get('/a')).field('cdn-cache') === 'UPDATING', 'its ttl is over');
  }
  for (let at = 0; at < 20; at++) {
    for (const region of [here, there]) t.equal((await region.get('/a')).body.toString(), 'hello');
  }
  await here.origin.seen(2);
  t.equal(here.origin.requestCount, 2, 'while one region asks, both serve what they have');
  release.open();
});

/** Keys of the server without those that last: the log and the name of its data set. */
async function keysOf(redis: RedisServer): Promise<string[]> {
  return (await redis.client.keys('*')).filter((key) => !key.startsWith('patina:log:'));
}

t.test(
  'issue 5: a 304 rewrites the header record alone, and the others take it around their body',
  needsRedis(),
  async (t) => {
    let etag = '"1"';
    const fields = () => ['Cache-Control', 'max-age=1, stale-while-revalidate=600', 'ETag', etag];
    const { redis, here, there } = await openMachines(t, (request) =>
      request.field('if-none-match') === etag
        ? { status: 304, fields: [...fields(), 'X-Round', '2'] }
        : { fields: fields(), body: 'x'.repeat(1000) },
    );
    await here.get('/a');
    await eventually(async () => (await keysOf(redis)).length === 2, 'record and body are there');
    await there.get('/a');
    const body = (await keysOf(redis)).find((key) => /\}.+\.0$/.test(key)) ?? '';
    await redis.client.object('FREQ', body).catch(() => undefined);
    const written = async () => /cmdstat_set:calls=(\d+)/.exec(await redis.client.info('commandstats'))?.[1];
    const before = await written();
    await eventually(async () => (await here.get('/a')).field('x-round') === '2', 'it was refreshed');
    t.equal(here.origin.requestCount, 2);
    await eventually(async () => (await there.get('/a')).field('x-round') === '2', 'and taken over');
    t.equal(await ownMetric(there, 'patina_saved_transfers_total'), 0, 'there the origin was not asked');
    t.equal(await written(), before, 'no body was written');
    etag = '"2"';
  },
);

t.test('issue 5: nothing in Redis lasts for ever', needsRedis(), async (t) => {
  const { redis, here } = await openMachines(
    t,
    () => ({
      fields: ['Cache-Control', 'max-age=10', 'ETag', '"1"', 'Surrogate-Key', 'one two'],
      body: 'hello',
    }),
    { defaults: { keep: '20s', tags_from: 'surrogate-key' } },
  );
  await here.get('/a');
  await eventually(async () => (await keysOf(redis)).length === 4, 'record, body, two tags');
  for (const key of await keysOf(redis)) {
    const ttlMs = await redis.client.pttl(key);
    t.ok(ttlMs > 0 && ttlMs <= 40_000, `${key}: ${ttlMs} ms`);
  }
  await here.operate('POST', '/v1/purge', { tag: 'one' });
  const log = (await redis.client.keys('*')).filter((key) => key.startsWith('patina:log:'));
  t.equal(log.length, 2, 'what was done, and in which data set');
  for (const key of log) t.ok((await redis.client.pttl(key)) > 0, `${key} outlasts the machines for a while only`);
});

t.test('issue 5: purge by URL, prefix and tag takes it from all machines, and from Redis', needsRedis(), async (t) => {
  const { redis, here, there } = await openMachines(
    t,
    ({ target }) => ({ fields: [...LIVING, 'Surrogate-Key', target === '/c/1' ? 'c1 all' : 'all'], body: target }),
    { defaults: { tags_from: 'surrogate-key' } },
  );
  const paths = ['/a', '/b/1', '/b/2', '/c/1', '/d'];
  const fillBoth = async (): Promise<void> => {
    for (const path of paths) {
      await here.get(path);
      await eventually(async () => /; hit;/.test((await there.get(path)).field('cache-status') ?? ''), path);
    }
  };
  await fillBoth();
  const storedThere = () => ownMetric(there, 'patina_objects');
  t.equal(await storedThere(), 5);
  await here.operate('POST', '/v1/purge', { url: `http://a.example/a` });
  await eventually(async () => (await storedThere()) === 4, 'the URL is gone there');
  await here.operate('POST', '/v1/purge', { prefix: 'http://a.example/b/' });
  await eventually(async () => (await storedThere()) === 2, 'the prefix is');
  await here.operate('POST', '/v1/purge', { tag: 'c1' });
  await eventually(async () => (await storedThere()) === 1, 'the tag is');
  const before = here.origin.requestCount;
  for (const path of ['/a', '/b/1', '/b/2', '/c/1'])
    t.match((await there.get(path)).field('cache-status'), /fwd=uri-miss/);
  t.equal(here.origin.requestCount, before + 4, 'it is not found in Redis either');
  t.match((await there.get('/d')).field('cache-status'), /; hit;/, 'and nothing else went');
  await eventually(async () => (await redis.client.keys('patina:{*}')).length >= 1, 'Redis goes on');
});

t.test('issue 5: an expiry makes it stale on all machines, and one of them refreshes it', needsRedis(), async (t) => {
  const { here, there } = await openMachines(t, (request) =>
    request.field('if-none-match') === undefined ? { fields: LIVING, body: 'hello' } : { status: 304, fields: LIVING },
  );
  await here.get('/a');
  await eventually(async () => (await ownMetric(there, 'patina_shared_messages_total')) > 0, 'news');
  await there.get('/a');
  await here.operate('POST', '/v1/expire', { url: 'http://a.example/a' });
  await eventually(
    async () => /stale-while-revalidate/.test((await there.get('/a')).field('cache-status') ?? ''),
    'stale there',
  );
  await eventually(async () => /detail=fresh/.test((await there.get('/a')).field('cache-status') ?? ''), 'fresh again');
  await eventually(async () => /detail=fresh/.test((await here.get('/a')).field('cache-status') ?? ''), 'here as well');
  t.equal(here.origin.requestCount, 2);
});

t.test('issue 5: a purge wins over what another machine is fetching', needsRedis(), async (t) => {
  const gate = createBarrier();
  let count = 0;
  const { here, there } = await openMachines(t, async () => {
    if (++count === 1) await gate.passed;
    return { fields: LIVING, body: `${count}` };
  });
  const first = there.get('/a');
  await here.origin.seen(1);
  await here.operate('POST', '/v1/purge', { url: 'http://a.example/a' });
  await eventually(async () => (await ownMetric(there, 'patina_shared_messages_total')) > 0, 'the purge is heard');
  gate.open();
  await first;
  t.equal(await ownMetric(there, 'patina_objects'), 0, 'nothing of it is stored');
  await here.get('/a');
  t.equal(here.origin.requestCount, 2);
});

t.test('issue 5: a POST invalidates on the other machines as well', needsRedis(), async (t) => {
  const { here, there } = await openMachines(t, () => ({ fields: LIVING, body: 'hello' }));
  await here.get('/a');
  await eventually(async () => (await ownMetric(there, 'patina_shared_messages_total')) > 0, 'news');
  await there.get('/a');
  await here.ask(request('POST', '/a', 'Content-Length: 0'), 'POST');
  await eventually(async () => (await ownMetric(there, 'patina_objects')) === 0, 'it is gone there');
});

t.test('issue 5: an update on one machine is what all serve', needsRedis(), async (t) => {
  const { here, there } = await openMachines(t, () => ({ fields: LIVING, body: 'old' }));
  await here.get('/a');
  await eventually(async () => (await ownMetric(there, 'patina_shared_messages_total')) > 0, 'news');
  t.equal((await there.get('/a')).body.toString(), 'old');
  const put = await here.operate('PUT', '/v1/objects?url=http://a.example/a', 'pushed', undefined, [
    'Cache-Control: max-age=60',
    'Content-Type: text/plain',
  ]);
  t.match(String(put.status), /^20/);
  await eventually(async () => (await there.get('/a')).body.toString() === 'pushed', 'it is served there');
  t.equal(here.origin.requestCount, 1);
});

t.test(
  'issue 5: a body of many chunks comes whole, and one over the limit is left to each machine',
  needsRedis(),
  async (t) => {
    const big = randomBytes(3 * 1024 * 1024);
    const huge = randomBytes(5 * 1024 * 1024);
    const { redis, here, there } = await openMachines(
      t,
      ({ target }) => ({ fields: LIVING, body: target === '/big' ? big : huge }),
      {},
      { max_body: '4MB' },
    );
    await here.get('/big');
    await eventually(async () => (await keysOf(redis)).length === 13, 'one record, twelve chunks');
    const answer = await there.get('/big');
    t.ok(answer.body.equals(big));
    t.match(answer.field('cache-status'), /; hit;/);
    t.match((await there.get('/big', 'Range: bytes=2000000-2000009')).field('cache-status'), /; hit;/);
    t.equal(here.origin.requestCount, 1);
    await Promise.all([here.get('/huge'), there.get('/huge')]);
    t.equal(here.origin.requestCount, 3);
    t.equal((await keysOf(redis)).filter((key) => /\}.+\./.test(key)).length, 12, 'nothing of it is in Redis');
  },
);

t.test('issue 5: what is damaged in Redis is a miss and is counted, never a wrong body', needsRedis(), async (t) => {
  const big = randomBytes(1100 * 1024);
  const { redis, here, there } = await openMachines(t, ({ target }) => ({
    fields: LIVING,
    body: target === '/big' ? big : target,
  }));
  const rest = big.subarray(2 * 256 * 1024);
  const range = ['Content-Range', `bytes ${big.length - rest.length}-${big.length - 1}/${big.length}`, 'ETag', '"1"'];

  for (const path of ['/chunk', '/cut', '/record', '/alien', '/gone', '/swapped', '/big']) await here.get(path);
  await eventually(async () => (await keysOf(redis)).length === 18, 'all are written');
  const nameOf = (path: string): string =>
    `patina:{${createHash('sha256').update(`http://a.example${path}`).digest('base64url').slice(0, 22)}}`;
  const chunkOf = async (path: string, index = 0): Promise<string> => {
    const keys = await redis.client.keys(`${nameOf(path)}?*.${index}`);
    return keys[0] ?? '';
  };
  const chunk = (await redis.client.getBuffer(await chunkOf('/chunk'))) ?? Buffer.alloc(0);
  chunk[5] = (chunk[5] ?? 0) ^ 1;
  await redis.client.set(await chunkOf('/chunk'), chunk, 'KEEPTTL');
  await redis.client.set(await chunkOf('/cut'), chunk.subarray(0, 3), 'KEEPTTL');
  const record = (await redis.client.hgetBuffer(nameOf('/record'), 'rall')) ?? Buffer.alloc(0);
  record[60] = (record[60] ?? 0) ^ 1;
  await redis.client.hset(nameOf('/record'), 'rall', record);
  await redis.client.hset(nameOf('/alien'), 'rall', `${'9'.repeat(40)}something else`);
  await redis.client.del(await chunkOf('/gone'));
  // The record of one resource under the key of another.
  await redis.client.hset(nameOf('/swapped'), 'rall', (await redis.client.hgetBuffer(nameOf('/chunk'), 'rall')) ?? '');
  await redis.client.set(await chunkOf('/big', 2), 'nothing of the kind', 'KEEPTTL');
  for (const path of ['/chunk', '/cut', '/record', '/alien', '/gone', '/swapped']) {
    const answer = await there.get(path);
    t.equal(answer.body.toString(), path);
    t.match(answer.field('cache-status'), /fwd=uri-miss/);
  }
  here.origin.respond((asked) => ({
    status: 206,
    fields: range,
    body: asked.field('range') === undefined ? '' : rest,
  }));
  t.ok((await there.get('/big')).body.equals(big), 'the rest came from the origin');
  const metrics = await there.metrics();
  t.ok(Number(/unreadable_total\{result="damaged"\} (\d+)/.exec(metrics)?.[1]) >= 6);
  t.ok(Number(/unreadable_total\{result="missing"\} (\d+)/.exec(metrics)?.[1]) >= 1);
});

t.test(
  'issue 5: what is of another kind under a key of ours is a miss, is counted, and goes',
  needsRedis(),
  async (t) => {
    const { redis, here, there } = await openMachines(t, ({ target }) => ({ fields: LIVING, body: target }));
    const nameOf = (path: string): string =>
      `patina:{${createHash('sha256').update(`http://a.example${path}`).digest('base64url').slice(0, 22)}}`;
    for (const path of ['/a', '/b']) await redis.client.set(nameOf(path), 'none of yours');
    t.match((await here.get('/a')).field('cache-status'), /fwd=uri-miss/);
    t.equal(await ownMetric(here, 'patina_shared_commands_total{result="failed"}'), 0);
    t.equal(Number(/unreadable_total\{result="damaged"\} (\d+)/.exec(await here.metrics())?.[1]), 1);
    await eventually(
      async () => (await redis.client.hexists(nameOf('/a'), 'rall')) === 1,
      'the response is there instead',
    );
    t.match((await there.get('/a')).field('cache-status'), /; hit;/);
    await here.operate('POST', '/v1/purge', { url: 'http://a.example/b' });
    t.equal(await redis.client.type(nameOf('/b')), 'hash', 'a purge is noted there all the same');
  },
);

t.test('issue 5: alien messages are counted, and change nothing', needsRedis(), async (t) => {
  const { redis, hearing, here, there } = await openMachines(t, () => ({ fields: LIVING, body: 'hello' }));
  await there.get('/a');
  await hearing.told(({ news }) => news?.what === 'kept');
  for (const text of ['', 'x', 'N', 'Nxxxxxxxx', 'O{', 'O{"e":"purge"}', 'O[]'])
    await redis.client.publish('patina:news', text);
  await redis.client.xadd('patina:log:{ops}', '*', 'op', 'not json');
  await heard(there, 8);
  t.match((await there.get('/a')).field('cache-status'), /; hit;/);
  t.ok((await ownMetric(there, 'patina_shared_alien_messages_total')) >= 3);
  await here.operate('POST', '/v1/purge', { url: 'http://a.example/a' });
  await eventually(async () => (await ownMetric(there, 'patina_objects')) === 0, 'the log is read on');
});

t.test('issue 5: variants lie under one key, each found by the request that selects it', needsRedis(), async (t) => {
  const { here, there } = await openMachines(t, (request) => ({
    fields: [...LIVING, 'Vary', 'Accept-Language'],
    body: request.field('accept-language') ?? 'none',
  }));
  for (const language of ['de', 'fr']) await here.get('/a', `Accept-Language: ${language}`);
  await eventually(async () => (await ownMetric(there, 'patina_shared_messages_total')) === 2, 'news of both');
  for (const language of ['fr', 'de'])
    t.equal((await there.get('/a', `Accept-Language: ${language}`)).body.toString(), language);
  t.equal(here.origin.requestCount, 2);
});

t.test('issue 5: two sites with prefixes of their own share nothing', needsRedis(), async (t) => {
  const { redis, here } = await openMachines(t, () => ({ fields: LIVING, body: 'hello' }));
  const cache = { memory: '16MB', redis: { url: redis.url, timeout: '500ms', prefix: 'other:' } };
  const other = await openProxy(t, { conf: { cache }, url: here.origin.url });
  await eventually(() => other.notices.includes('shared-up'), 'connected');
  await here.get('/a');
  await other.get('/a');
  t.equal(here.origin.requestCount, 2);
  await here.operate('POST', '/v1/purge', { prefix: 'http://a.example/' });
  t.match((await other.get('/a')).field('cache-status'), /; hit;/);
});

t.test(
  'RFC 9111 §4.4: an unsafe request takes out what is shared, and notes nothing of what is not',
  needsRedis(),
  async (t) => {
    const { redis, here, there } = await openMachines(t, ({ method }) =>
      method === 'POST' ? { status: 204 } : { fields: LIVING, body: 'hello' },
    );
    await here.get('/a');
    await eventually(async () => (await redis.client.keys('patina:{*}')).length > 0, 'it is shared');
    for (let at = 0; at < 50; at++) await there.ask(request('POST', `/other/${at}`, 'Content-Length: 0'), 'POST');
    await there.ask(request('POST', '/a', 'Content-Length: 0'), 'POST');
    const hashes = (): Promise<string[]> => redis.client.keys('patina:{??????????????????????}');
    await eventually(async () => {
      const [name = ''] = await hashes();
      const fields = await redis.client.hkeys(name);
      return fields.includes('p') && !fields.some((field) => field.startsWith('r'));
    }, 'the record of /a has gone, and what was asked for before is refused');
    t.equal((await hashes()).length, 1, 'of the fifty others nothing is there');
  },
);

t.test(
  'issue 5: a purge by URL is about what is stored there by a header, also where the machine never saw that',
  needsRedis(),
  async (t) => {
    let version = 1;
    const rules = [{ name: 'all', match: { path: '/**' }, key: { headers: ['X-Region'] } }];
    const { here, there } = await openMachines(t, () => ({ fields: LIVING, body: `version ${version}` }), { rules });
    const asked = (): Promise<RawResponse> => there.get('/a', 'X-Region: eu');
    t.equal((await asked()).body.toString(), 'version 1');
    await eventually(async () => (await ownMetric(here, 'patina_shared_messages_total')) > 0, 'it is shared');
    version = 2;
    await here.operate('POST', '/v1/purge', { url: 'http://a.example/a' });
    await eventually(async () => metric(await there.metrics(), 'patina_objects') === 0, 'it is dropped there');
    t.equal((await asked()).body.toString(), 'version 2');
    t.equal((await here.get('/a', 'X-Region: eu')).body.toString(), 'version 2');
  },
);

t.test(
  'issue 5: what a pushed response takes the place of does not come back, also where a header is part of its key',
  needsRedis(),
  async (t) => {
    let version = 1;
    const rules = [{ name: 'all', match: { path: '/**' }, key: { headers: ['X-Region'] } }];
    const answer = () => ({ fields: LIVING, body: `version ${version}` });
    const { hearing, here, there } = await openMachines(t, answer, { rules });
    const eu = 'X-Region: eu';
    t.equal((await here.get('/a', eu)).body.toString(), 'version 1');
    await eventually(async () => (await ownMetric(there, 'patina_shared_messages_total')) > 0, 'it is shared');
    version = 2;
    const target = `/v1/objects?url=${encodeURIComponent('http://a.example/a')}`;
    const pushed = await here.operate('PUT', target, 'pushed', undefined, ['Cache-Control: max-age=60']);
    t.equal(pushed.status, 200, pushed.body.toString());
    await heard(there, await hearing.told(isPush));
    t.equal((await here.get('/a', eu)).body.toString(), 'version 2');
    await eventually(async () => (await there.get('/a', eu)).body.toString() === 'version 2', 'there as well');
    for (const house of [here, there]) t.equal((await house.get('/a')).body.toString(), 'pushed');
  },
);

t.test(
  'issue 5: a response pushed for what a header selects takes the place of all that lay at its URL, also where only another machine had seen it',
  needsRedis(),
  async (t) => {
    let version = 1;
    const rules = [{ name: 'all', match: { path: '/a' }, key: { headers: ['X-Region'] } }];
    const answer = () => ({ fields: LIVING, body: `version ${version}` });
    const { hearing, here, there } = await openMachines(t, answer, { rules });
    const [eu, us, elsewhere] = ['X-Region: eu', 'X-Region: us', 'X-Forwarded-Host: b.example'];
    for (const line of [eu, us]) t.equal((await there.get('/a', line)).body.toString(), 'version 1');
    t.equal((await here.get('/b')).body.toString(), 'version 1');
    for (const house of [here, there]) await heard(house, 3);
    version = 2;
    const push = async (path: string, line: string): Promise<void> => {
      const before = hearing.count;
      const target = `/v1/objects?url=${encodeURIComponent(`http://a.example${path}`)}`;
      const fields = ['Cache-Control: max-age=60', `Patina-Request-${line}`];
      const pushed = await here.operate('PUT', target, 'pushed', undefined, fields);
      t.equal(pushed.status, 200, pushed.body.toString());
      await heard(there, await hearing.told(isPush, before));
    };
    await push('/a', 'X-Region: asia');
    await push('/a', eu);
    await push('/b', elsewhere);
    t.equal((await here.get('/b')).body.toString(), 'version 2', 'what lies under the URL alone');
    t.equal((await here.get('/a', us)).body.toString(), 'version 2', 'what lies under another header');
    for (const [path, line] of [
      ['/a', eu],
      ['/a', 'X-Region: asia'],
      ['/b', elsewhere],
    ] as const) {
      await eventually(async () => (await there.get(path, line)).body.toString() === 'pushed', 'it is there as well');
      t.equal((await here.get(path, line)).body.toString(), 'pushed');
    }
    t.equal((await there.get('/a', us)).body.toString(), 'version 2');
    t.equal((await there.get('/b')).body.toString(), 'version 2');
  },
);

t.test(
  'issue 5: a pushed response takes the place of what lies under a key that only another machine has seen',
  needsRedis(),
  async (t) => {
    let version = 1;
    const { here, there } = await openMachines(t, () => ({ fields: LIVING, body: `version ${version}` }));
    const line = 'X-Forwarded-Host: b.example';
    t.equal((await there.get('/a', line)).body.toString(), 'version 1');
    version = 2;
    const target = `/v1/objects?url=${encodeURIComponent('http://a.example/a')}`;
    const pushed = await here.operate('PUT', target, 'pushed', undefined, ['Cache-Control: max-age=60']);
    t.equal(pushed.status, 200, pushed.body.toString());
    await eventually(async () => (await there.get('/a', line)).body.toString() === 'version 2', 'and nothing older');
    await eventually(async () => (await here.get('/a', line)).body.toString() === 'version 2', 'nor from Redis');
  },
);
