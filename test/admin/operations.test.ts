// Goal: operators see and change what is stored, and nobody else does. Method: the whole proxy over real sockets, hostile requests among them.
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { createAdmin } from '../../lib/admin/server.js';
import { makeTokenCheck } from '../../lib/admin/token.js';
import { ADMIN_MAX_BODY_BYTES, ADMIN_MAX_PAGE_COUNT } from '../../lib/base/admin-limits.js';
import { readConfig } from '../../lib/config/load.js';
import { withOrigin } from '../../lib/config/schema.js';
import { SILENT } from '../../lib/observe/events.js';
import { createProxy } from '../../lib/proxy.js';
import { turns } from '../kit/barrier.js';
import { FakeClock } from '../kit/clock.js';
import { HOST, metric, openProxy, operatorRequest, request, settled, TOKEN } from '../kit/proxy-kit.js';
import { connectRaw, exchangeRaw, type RawResponse } from '../kit/raw-client.js';
import { makeSources } from './sources.kit.js';

const FRESH = ['Cache-Control', 'max-age=60', 'ETag', '"1"'] as const;
const BASE = `http://${HOST}`;

function json(response: RawResponse): Record<string, unknown> {
  return JSON.parse(response.body.toString());
}

async function open(t: Test, conf: Readonly<Record<string, unknown>> = {}) {
  const house = await openProxy(t, { conf: { defaults: { tags_from: 'Surrogate-Key' }, ...conf }, token: TOKEN });
  house.origin.respond((asked) => ({
    fields: asked.field('if-none-match') === '"1"' ? [...FRESH] : [...FRESH, 'Surrogate-Key', 'x y'],
    ...(asked.field('if-none-match') === '"1"' ? { status: 304 } : { body: 'from the origin' }),
  }));
  return house;
}

t.test('issue 4: what changes state needs the token, and says how to configure one', async (t) => {
  const bare = await openProxy(t);
  for (const [method, target] of [
    ['POST', '/v1/purge'],
    ['POST', '/v1/expire'],
    ['POST', '/v1/refresh'],
    ['PUT', `/v1/objects?url=${BASE}/a`],
    ['POST', '/v1/reload'],
    ['POST', '/v1/drain'],
  ] as const) {
    const none = await bare.operate(method, target, { tag: 'x' }, []);
    t.equal(none.status, 403, `${method} ${target}`);
    t.match(String(json(none)['detail']), /admin\.token_file.*PATINA_ADMIN_TOKEN/);
    t.equal(none.field('content-type'), 'application/problem+json');
  }
  const house = await open(t);
  for (const [lines, challenge] of [
    [[], 'Bearer realm="patina"'],
    [[`Authorization: Bearer ${TOKEN}x`], 'Bearer realm="patina", error="invalid_token"'],
    [[`Authorization: Bearer ${TOKEN.slice(1)}`], 'Bearer realm="patina", error="invalid_token"'],
    [['Authorization: Bearer'], 'Bearer realm="patina", error="invalid_token"'],
    [[`Authorization: Basic ${TOKEN}`], 'Bearer realm="patina", error="invalid_token"'],
    [[`Authorization: Bearer ${TOKEN}`, 'Authorization: Bearer x'], 'Bearer realm="patina"'],
  ] as const) {
    const refused = await house.operate('POST', '/v1/purge', { tag: 'x' }, lines);
    t.equal(refused.status, 401, lines.join());
    t.equal(refused.field('www-authenticate'), challenge);
  }
  t.equal((await house.operate('POST', '/v1/purge', { tag: 'x' }, [`authorization: bearer ${TOKEN}`])).status, 200);
  t.ok(house.notices.includes('operator-refused'));
});

t.test('a token is judged by its digest', async (t) => {
  const check = makeTokenCheck('0123456789abcdef');
  t.equal(check('Bearer 0123456789abcdef'), 'shown');
  t.equal(check(undefined), 'missing');
  for (const wrong of ['', 'Bearer', 'Bearer 0123456789abcde', 'Bearer 0123456789abcdef0', 'Bearer x 0123456789abcdef'])
    t.equal(check(wrong), 'wrong', wrong);
});

t.test('elsewhere than on loopback the token is needed to look, too', async (t) => {
  const listen = { host: '0.0.0.0', port: 0 };
  for (const [token, status] of [
    [undefined, 403],
    [makeTokenCheck(TOKEN), 401],
  ] as const) {
    const clock = new FakeClock();
    const admin = createAdmin({ listen, sources: makeSources({ token: () => token }), clock, events: SILENT });
    const { port } = await admin.start();
    t.teardown(() => admin.close());
    const ask = (target: string, ...lines: string[]) => exchangeRaw(port, request('GET', target, ...lines));
    t.equal((await ask('/v1/objects')).status, status);
    t.equal((await ask('/v1/config')).status, status);
    t.equal((await ask('/healthz')).status, 200);
    if (token !== undefined) t.equal((await ask('/v1/config', `Authorization: Bearer ${TOKEN}`)).status, 200);
  }
});

t.test('issue 4: purge by URL, prefix and tag, answered with counts, counted and told', async (t) => {
  const house = await open(t);
  for (const [named, objects] of [
    [{ url: `${BASE}/a` }, 1],
    [{ prefix: `${BASE}/` }, 2],
    [{ tag: 'y' }, 2],
    [{ tag: 'z' }, 0],
  ] as const) {
    await house.get('/a');
    await house.get('/b');
    const reply = await house.operate('POST', '/v1/purge', named);
    t.equal(reply.status, 200);
    t.strictSame(json(reply), { operation: 'purge', objects, fills: 0 });
  }
  const metrics = await house.metrics();
  t.equal(metric(metrics, 'patina_operations_total', 'operation="purge"', 'outcome="done"'), 3);
  t.equal(metric(metrics, 'patina_operations_total', 'operation="purge"', 'outcome="nothing"'), 1);
  t.ok(house.notices.includes('operator-purge'));
});

t.test('issue 4: expire makes stale, refresh revalidates by condition and can be waited for', async (t) => {
  const house = await open(t);
  await house.get('/a');
  t.strictSame(json(await house.operate('POST', '/v1/expire', { url: `${BASE}/a` })), {
    operation: 'expire',
    objects: 1,
    fills: 0,
  });
  t.equal((await house.get('/a')).field('cdn-cache'), 'REVALIDATED');
  const waited = await house.operate('POST', '/v1/refresh', { url: `${BASE}/a`, wait: true });
  t.equal(waited.status, 200);
  t.strictSame(json(waited), { operation: 'refresh', objects: 1, ended: { 'not-modified': 1 }, over: true });
  const begun = await house.operate('POST', '/v1/refresh', { prefix: BASE });
  t.equal(begun.status, 202);
  t.match(json(begun), { objects: 1, over: false });
  const filled = await house.operate('POST', '/v1/refresh', { url: `${BASE}/new`, fill: true, wait: true });
  t.match(json(filled), { objects: 0, ended: { stored: 1 } });
  t.equal((await house.get('/new')).field('cdn-cache'), 'HIT');
  t.match(json(await house.operate('POST', '/v1/refresh', { url: `${BASE}/none`, wait: true })), {
    objects: 0,
    ended: {},
  });
});

t.test('a request that says nothing, too much or nonsense is told what was expected', async (t) => {
  const house = await open(t);
  for (const [body, detail] of [
    ['', /not JSON/],
    ['{', /not JSON/],
    ['[]', /not a JSON object/],
    ['null', /not a JSON object/],
    ['{}', /Expected one of/],
    ['{"url": "http://a/", "tag": "x"}', /Expected one of/],
    ['{"url": 1}', /Expected one of/],
    ['{"url": "/a"}', /not an absolute URL/],
    ['{"prefix": ""}', /not an absolute URL/],
    ['{"tag": "a b"}', /one word/],
    ['{"uri": "http://a/"}', /There is no "uri"/],
    ['{"url": "http://a/", "wait": true}', /There is no "wait"/],
    // What looks like an answer of ours is one of nobody.
    ['{"status": 999, "contentType": "text/html", "body": "<b>"}', /There is no "status"/],
    ['{"status": "x", "contentType": "a\\n", "body": ""}', /There is no "status"/],
    ['{"__proto__": {"url": "http://a/"}}', /There is no "__proto__"|Expected one of/],
  ] as const) {
    const reply = await house.operate('POST', '/v1/purge', body);
    t.equal(reply.status, 400, body);
    t.match(String(json(reply)['detail']), detail, body);
  }
  for (const body of ['{"url": "http://a/", "wait": 1}', '{"tag": "x", "fill": true}'])
    t.equal((await house.operate('POST', '/v1/refresh', body)).status, 400, body);
});

t.test('RFC 9110 §15.5.16: another media type is a 415, a large body a 413, and the listener goes on', async (t) => {
  const house = await open(t);
  const auth = `Authorization: Bearer ${TOKEN}`;
  const ask = (lines: readonly string[], body = '') =>
    exchangeRaw(house.adminPort, `${request('POST', '/v1/purge', auth, ...lines).replace(HOST, 'localhost')}${body}`);
  t.equal((await ask(['Content-Type: text/plain', 'Content-Length: 2'], '{}')).status, 415);
  t.equal((await ask(['Content-Length: 0'])).status, 415);
  const length = ADMIN_MAX_BODY_BYTES + 1;
  t.equal((await ask(['Content-Type: application/json', `Content-Length: ${length}`])).status, 413);
  const chunk = `${length.toString(16)}\r\n${' '.repeat(length)}\r\n0\r\n\r\n`;
  t.equal((await ask(['Content-Type: application/json', 'Transfer-Encoding: chunked'], chunk)).status, 413);
  t.equal((await house.operate('GET', '/v1/purge')).status, 405);
  t.equal((await house.operate('POST', '/v1/objects', {})).status, 405);
  t.equal((await house.admin('/healthz')).status, 200);
});

t.test('RFC 9110 §10.1.1: a body is asked for once the token was shown, and not before', async (t) => {
  const house = await open(t);
  const head = (...lines: string[]): string =>
    operatorRequest(
      'PUT',
      `/v1/objects?url=${BASE}/a`,
      lines.includes('x') ? [] : undefined,
      'Expect: 100-continue',
      'Content-Length: 4',
      'Cache-Control: max-age=9',
    );
  const stranger = await connectRaw(house.adminPort);
  const refused = await stranger.send(head('x')).response();
  t.strictSame([refused.status, refused.interim.length, refused.field('connection')], [401, 0, 'close']);
  await stranger.ended;
  const operator = await connectRaw(house.adminPort);
  operator.send(head());
  await settled(() => operator.receivedBytes > 0);
  const done = await operator.send('body').response();
  t.strictSame([done.status, done.interim.map(({ status }) => status)], [200, [100]]);
  operator.close();
});

t.test(
  'SYSTEMS row 5, event-driven: the application pushes a response, and clients get it without the origin',
  async (t) => {
    const house = await open(t);
    const fields = [
      'Content-Type: text/html',
      'Cache-Control: max-age=60',
      'ETag: "p"',
      'X-Own: 1',
      'User-Agent: app/1',
    ];
    const reply = await house.operate('PUT', `/v1/objects?url=${BASE}/pushed`, '<p>pushed</p>', undefined, fields);
    t.equal(reply.status, 200);
    t.strictSame(json(reply), {
      operation: 'update',
      url: `${BASE}/pushed`,
      status: 200,
      bytes: 13,
      fills: 0,
      fresh_for_ms: 60_000,
    });
    const got = await house.get('/pushed');
    t.strictSame(
      [got.field('cdn-cache'), got.body.toString(), got.field('content-type'), got.field('etag'), got.field('x-own')],
      ['HIT', '<p>pushed</p>', 'text/html', '"p"', '1'],
    );
    t.strictSame(
      [got.field('authorization'), got.field('user-agent')],
      [undefined, undefined],
      'what was about the push is not in it',
    );
    t.equal((await house.get('/pushed', 'If-None-Match: "p"')).status, 304);
    t.equal(house.origin.requestCount, 0);
    const gone = await house.operate('PUT', `/v1/objects?url=${BASE}/gone&status=410`, '', undefined, [
      'Cache-Control: max-age=60',
    ]);
    t.equal(gone.status, 200);
    t.equal((await house.get('/gone')).status, 410);
  },
);

t.test('a push that cannot be stored says why', async (t) => {
  const house = await open(t);
  const push = async (target: string, ...fields: string[]) => house.operate('PUT', target, 'x', undefined, fields);
  const url = `/v1/objects?url=${BASE}/a`;
  for (const [reply, status, detail] of [
    [await push(url), 422, /how long it is fresh/],
    [await push(url, 'Cache-Control: no-store'), 422, /no-store/],
    [await push(url, 'Cache-Control: max-age=1', 'Set-Cookie: a=1'), 422, /set-cookie/],
    [await push('/v1/objects', 'Cache-Control: max-age=1'), 400, /\?url=/],
    [await push('/v1/objects?url=/a', 'Cache-Control: max-age=1'), 400, /absolute URL/],
    [await push(`${url}&stauts=404`, 'Cache-Control: max-age=1'), 400, /no parameter "stauts".*url, status/],
    [await push(`${url}?b=c&d=e`, 'Cache-Control: max-age=1'), 400, /no parameter "d".*%26/],
    [await push(`${url}&status=100`, 'Cache-Control: max-age=1'), 400, /status/],
    [await push(`${url}&status=304`, 'Cache-Control: max-age=1'), 422, /not-modified/],
  ] as const) {
    t.equal(reply.status, status);
    t.match(String(json(reply)['detail']), detail);
  }
  t.match(json(await house.admin('/v1/objects')), { objects: [], total_stored: 0 });
});

t.test('a push that breaks off changes nothing, and gives its room back', async (t) => {
  const house = await open(t);
  await house.get('/a');
  const client = await connectRaw(house.adminPort);
  client.send(
    `${operatorRequest('PUT', `/v1/objects?url=${BASE}/a`, undefined, 'Content-Length: 100000', 'Cache-Control: max-age=9')}half`,
  );
  while (metric(await house.metrics(), 'patina_reserved_bytes') === 0) await turns(2);
  client.reset();
  while (metric(await house.metrics(), 'patina_reserved_bytes') !== 0) await turns(2);
  t.equal((await house.get('/a')).body.toString(), 'from the origin');
});

t.test('issue 4: stored responses are listed, paged and filtered', async (t) => {
  const house = await open(t, {
    defaults: { tags_from: 'Surrogate-Key' },
    rules: [{ name: 'b', match: { path: '/b/**' } }],
  });
  for (let at = 0; at < 5; at++) await house.get(`/a/${at}`);
  await house.get('/b/0');
  await house.get('/b/0');
  await house.operate('PUT', `/v1/objects?url=${BASE}/p`, 'x', undefined, ['Cache-Control: max-age=9']);
  const keys = async (query: string): Promise<string[]> => {
    const { objects } = json(await house.admin(`/v1/objects${query}`)) as { objects: { key: string }[] };
    return objects.map(({ key }) => key.slice(BASE.length));
  };
  t.equal((await keys('')).length, 7);
  t.strictSame(await keys('?rule=b'), ['/b/0']);
  t.strictSame(await keys('?min_hits=1'), ['/b/0']);
  t.strictSame(await keys(`?prefix=${BASE}/a/&limit=2`), ['/a/0', '/a/1']);
  t.equal((await keys('?tag=x')).length, 6);
  t.strictSame(await keys('?phase=grace'), []);
  const seen: string[] = [];
  let cursor: unknown = '0';
  while (cursor !== undefined) {
    const page = json(await house.admin(`/v1/objects?limit=3&cursor=${cursor}`));
    t.ok((page['objects'] as unknown[]).length <= 3);
    seen.push(...(page['objects'] as { key: string }[]).map(({ key }) => key));
    cursor = page['next'];
  }
  t.equal(new Set(seen).size, 7);
  for (const bad of [
    '?phase=x',
    '?limit=0',
    `?limit=${ADMIN_MAX_PAGE_COUNT + 1}`,
    '?cursor=x',
    '?min_hits=-1',
    '?prefix=/a',
    '?sort=hits',
  ])
    t.equal((await house.admin(`/v1/objects${bad}`)).status, 400, bad);
});

t.test('issue 4: one URL is shown with its variants, times, hits, tags and last refresh', async (t) => {
  const clock = new FakeClock();
  const house = await openProxy(t, {
    clock,
    conf: { defaults: { tags_from: 'Surrogate-Key', grace: '1m' } },
    token: TOKEN,
  });
  house.origin.respond((asked) => ({
    fields: [...FRESH, 'Vary', 'Accept-Language', 'Surrogate-Key', 'x'],
    body: asked.field('accept-language') ?? '',
  }));
  await house.get('/a', 'Accept-Language: de');
  await house.get('/a', 'Accept-Language: en');
  await house.get('/a', 'Accept-Language: en');
  clock.advance(10_000);
  const shown = json(await house.admin(`/v1/objects?url=${BASE}/a`));
  t.match(shown, {
    url: `${BASE}/a`,
    variants: [
      {
        key: `${BASE}/a`,
        variant: { 'accept-language': 'en' },
        status: 200,
        phase: 'fresh',
        fresh_for_ms: 50_000,
        age_sec: 10,
        hits: 1,
        rule: 'defaults',
        tags: ['x'],
        pushed: false,
        body_bytes: 2,
        ttl_source: 'max-age',
        times: {
          born: '2026-01-01T00:00:00.000Z',
          fresh_until: '2026-01-01T00:01:00.000Z',
          grace_until: '2026-01-01T00:02:00.000Z',
          expired: null,
        },
        left_ms: { fresh: 50_000, grace: 110_000 },
      },
      { variant: { 'accept-language': 'de' }, hits: 0 },
    ],
    last_refresh: { at: '2026-01-01T00:00:00.000Z', end: 'stored', status: 200 },
  });
  await house.operate('POST', '/v1/expire', { url: `${BASE}/a` });
  t.match(json(await house.admin(`/v1/objects?url=${BASE}/a`)), {
    variants: [{ phase: 'grace', times: { expired: '2026-01-01T00:00:10.000Z' } }, {}],
  });
  house.origin.respond(() => ({ status: 503 }));
  await house.operate('POST', '/v1/refresh', { url: `${BASE}/a`, wait: true });
  t.match(json(await house.admin(`/v1/objects?url=${BASE}/a`)), { last_refresh: { end: 'error', status: 503 } });
  t.equal((await house.admin(`/v1/objects?url=${BASE}/none`)).status, 404);
  t.equal((await house.admin('/v1/objects?url=none')).status, 400);
  for (const other of ['b=c', 'limit=5', 'explian=GET'])
    t.equal((await house.admin(`/v1/objects?url=${BASE}/a&${other}`)).status, 400, other);
});

t.test('issue 4: the configuration in force is shown, secrets hidden, and reloaded on demand', async (t) => {
  let next: Readonly<Record<string, unknown>> = { defaults: { ttl: '5s' } };
  const house = await openProxy(t, { conf: { defaults: { ttl: '1s' } }, next: () => next, token: TOKEN });
  t.match(json(await house.admin('/v1/config')), { generation: 1, config: { defaults: { ttl: '1s' } } });
  t.match(json(await house.operate('POST', '/v1/reload')), {
    operation: 'reload',
    changed: ['defaults.ttl: 1s -> 5s'],
  });
  t.match(json(await house.admin('/v1/config')), { generation: 2, config: { defaults: { ttl: '5s' } } });
  next = { defaults: { ttl: 'nonsense' } };
  const refused = await house.operate('POST', '/v1/reload');
  t.equal(refused.status, 422);
  t.match(json(refused), { problems: [/defaults\.ttl/] });
  t.match(json(await house.admin('/v1/config')), { generation: 2 });
});

t.test('issue 4: drain is answered, and then asked of who runs the proxy', async (t) => {
  const house = await open(t);
  t.equal((await house.operate('POST', '/v1/drain')).status, 202);
  await house.proxy.leaving;
});

t.test('a token file that others can read is told, and one that is none is refused', async (t) => {
  const file = join(t.testdir({ token: `${TOKEN}-of-a-file\n`, short: 'abc' }), 'token');
  chmodSync(file, 0o644);
  const conf = { admin: { listen: '127.0.0.1:0', token_file: file } };
  const house = await openProxy(t, { conf, token: TOKEN });
  t.ok(house.notices.includes('token-file-readable'));
  t.equal(
    (await house.operate('POST', '/v1/purge', { tag: 'x' })).status,
    401,
    'the file comes before the environment',
  );
  const lines = [`Authorization: Bearer ${TOKEN}-of-a-file`];
  t.equal((await house.operate('POST', '/v1/purge', { tag: 'x' }, lines)).status, 200);
  chmodSync(file, 0o600);
  writeFileSync(file, 'too short');
  t.throws(() => readConfig(conf), /16 characters/);
  t.throws(() => readConfig({ admin: { token_file: '/nonexistent/token' } }), /cannot be read/);
  const config = withOrigin(readConfig({}), house.origin.url);
  t.throws(() => createProxy(config, { adminToken: 'short' }), /PATINA_ADMIN_TOKEN: .*16 characters/);
});
