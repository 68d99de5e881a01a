// Goal: SYSTEMS row 5, one directive for each route, line by line. Method: the whole proxy with a conf like a user's, on real sockets with a fake clock.
import t, { type Test } from 'tap';
import { FakeClock } from '../kit/clock.js';
import { detailOf, type OpenProxy, openProxy, request, TOKEN } from '../kit/proxy-kit.js';
import { refreshed } from './systems.kit.js';

type Conf = Readonly<Record<string, unknown>>;

async function house(t: Test, conf: Conf): Promise<OpenProxy & { clock: FakeClock }> {
  const clock = new FakeClock();
  const proxy = await openProxy(t, { clock, conf, token: TOKEN });
  proxy.origin.respond(({ target }) => ({ fields: ['Content-Type', 'text/html', 'ETag', '"1"'], body: target }));
  return { ...proxy, clock };
}

const rules = (...all: Conf[]): Conf => ({ defaults: { ttl: '0s', keep: '0s' }, rules: all });

/** Whether the second of two such requests is answered by what the first one left. */
async function isCached(proxy: OpenProxy, target: string, method = 'GET'): Promise<boolean> {
  await proxy.ask(request(method, target), method);
  return (await proxy.ask(request(method, target), method)).field('cdn-cache') === 'HIT';
}

const form = (body: string): string =>
  `${request('POST', '/search', 'Content-Type: application/x-www-form-urlencoded', `Content-Length: ${body.length}`)}${body}`;

t.test('SYSTEMS row 5: one directive says the lifetime for the server and another for the client', async (t) => {
  const proxy = await house(t, rules({ name: 'a', ttl: '60s', client: { cache_control: 'public, max-age=5' } }));
  await proxy.get('/a');
  proxy.clock.advance(59_000);
  const hit = await proxy.get('/a');
  t.same([hit.field('cdn-cache'), hit.field('cache-control')], ['HIT', 'public, max-age=5']);
});

t.test('SYSTEMS row 5: by extension', async (t) => {
  const proxy = await house(t, rules({ name: 'assets', match: { ext: ['css', 'png'] }, ttl: '60s' }));
  t.same(
    [await isCached(proxy, '/a.css'), await isCached(proxy, '/a.png?v=1'), await isCached(proxy, '/a.php')],
    [true, true, false],
  );
});

t.test('SYSTEMS row 5: by type of the response', async (t) => {
  const proxy = await house(t, rules({ name: 'pages', match: { content_type: ['text/html'] }, ttl: '60s' }));
  t.equal(await isCached(proxy, '/a'), true);
  proxy.origin.respond(() => ({ fields: ['Content-Type', 'application/json'], body: '{}' }));
  t.equal(await isCached(proxy, '/b'), false);
});

t.test('SYSTEMS row 5: by method, GET and POST', async (t) => {
  const rule = { name: 'search', match: { path: '/search', methods: ['POST'] }, methods: ['POST'], ttl: '60s' };
  const proxy = await house(t, rules(rule));
  await proxy.ask(form('q=1'), 'POST');
  t.equal((await proxy.ask(form('q=1'), 'POST')).field('cdn-cache'), 'HIT');
  t.equal(await isCached(proxy, '/search'), false, 'a GET falls under no rule here');
});

t.test('SYSTEMS row 5: by URI', async (t) => {
  const proxy = await house(t, rules({ name: 'news', match: { path: '/news/**' }, ttl: '60s' }));
  t.same([await isCached(proxy, '/news/1'), await isCached(proxy, '/other')], [true, false]);
});

t.test('SYSTEMS row 5: the first match wins', async (t) => {
  const proxy = await house(
    t,
    rules(
      { name: 'live', match: { path: '/news/live' }, ttl: '1s' },
      { name: 'news', match: { path: '/news/**' }, ttl: '60s' },
    ),
  );
  for (const target of ['/news/live', '/news/1']) await proxy.get(target);
  proxy.clock.advance(2_000);
  t.same(
    [(await proxy.get('/news/live')).field('cdn-cache'), (await proxy.get('/news/1')).field('cdn-cache')],
    ['MISS', 'HIT'],
  );
});

t.test('SYSTEMS row 5: inner routes inherit', async (t) => {
  const inner = { name: 'shop-list', match: { path: '/shop/list' }, client: { cache_control: 'no-cache' } };
  const proxy = await house(t, rules({ name: 'shop', match: { path: '/shop/**' }, ttl: '60s', rules: [inner] }));
  await proxy.get('/shop/list');
  const hit = await proxy.get('/shop/list');
  t.same([hit.field('cdn-cache'), hit.field('cache-control')], ['HIT', 'no-cache'], 'the ttl is that of the group');
});

t.test('SYSTEMS row 5: all, one entry whatever the parameters', async (t) => {
  const proxy = await house(t, rules({ name: 'a', ttl: '60s', query: 'ignore' }));
  await proxy.get('/a?x=1');
  t.equal((await proxy.get('/a?y=2')).field('cdn-cache'), 'HIT');
});

t.test('SYSTEMS row 5: only, this exact request with its parameters sorted', async (t) => {
  const match = { path: '/a', query: { x: '1', y: '2' } };
  const proxy = await house(t, rules({ name: 'a', match, ttl: '60s', query: 'exact' }));
  await proxy.get('/a?y=2&x=1');
  t.equal((await proxy.get('/a?x=1&y=2')).field('cdn-cache'), 'HIT');
  t.notOk(await isCached(proxy, '/a?x=1&y=2&z=3'), 'with another parameter it is another request');
  t.notOk(await isCached(proxy, '/a?x=1&y=3'));
});

t.test('SYSTEMS row 5: unique, an entry for each parameter set, POST data too', async (t) => {
  const rule = { name: 'search', match: { path: '/search' }, methods: ['GET', 'POST'], ttl: '60s' };
  const proxy = await house(t, rules(rule));
  t.same([await isCached(proxy, '/search?q=1'), proxy.origin.requestCount], [true, 1]);
  t.same([await isCached(proxy, '/search?q=2'), proxy.origin.requestCount], [true, 2]);
  await proxy.ask(form('q=1&p=2'), 'POST');
  t.equal((await proxy.ask(form('p=2&q=1'), 'POST')).field('cdn-cache'), 'HIT', 'sorted, as a form means the same');
  t.equal((await proxy.ask(form('q=2'), 'POST')).field('cdn-cache'), 'MISS');
});

t.test('SYSTEMS row 5: manual, the handler is always asked and may answer "use your copy"', async (t) => {
  const proxy = await house(t, rules({ name: 'a', ttl: '60s', validate: 'always', keep: '1h' }));
  await proxy.get('/a');
  proxy.origin.respond(({ field }) => (field('if-none-match') === '"1"' ? { status: 304 } : { body: 'none' }));
  for (let at = 2; at < 5; at++) {
    const answer = await proxy.get('/a');
    t.same([answer.field('cdn-cache'), answer.body.toString()], ['REVALIDATED', '/a']);
    t.equal(proxy.origin.requestCount, at);
  }
});

t.test('SYSTEMS row 5: event-driven, the application pushes a response into the cache', async (t) => {
  const proxy = await house(t, rules({ name: 'a', ttl: '60s' }));
  const url = encodeURIComponent('http://a.example/pushed');
  const pushed = await proxy.operate('PUT', `/v1/objects?url=${url}`, 'pushed', undefined, [
    'Content-Type: text/plain',
  ]);
  t.ok(pushed.status < 300, `${pushed.status} ${pushed.body}`);
  const answer = await proxy.get('/pushed');
  t.same([answer.field('cdn-cache'), answer.body.toString(), proxy.origin.requestCount], ['HIT', 'pushed', 0]);
});

t.test('SYSTEMS row 5: conditional answers to clients (304)', async (t) => {
  const proxy = await house(t, rules({ name: 'a', ttl: '60s' }));
  await proxy.get('/a');
  t.equal((await proxy.get('/a', 'If-None-Match: "1"')).status, 304);
  t.equal((await proxy.get('/a', 'If-None-Match: "2"')).status, 200);
  t.equal(proxy.origin.requestCount, 1);
});

t.test('SYSTEMS row 5: a memory limit, pruned from 85 % of it', async (t) => {
  const proxy = await house(t, { ...rules({ name: 'a', ttl: '1h' }), cache: { memory: '1MB' } });
  proxy.origin.respond(() => ({ body: Buffer.alloc(20_000) }));
  const used = async (): Promise<number> =>
    Number(/^patina_stored_bytes\S* (\d+)$/m.exec(await proxy.metrics())?.[1] ?? Number.NaN) / (1024 * 1024);
  let most = 0;
  for (let at = 0; at < 80; at++) {
    await proxy.get(`/${at}`);
    most = Math.max(most, await used());
  }
  t.ok(most <= 1 && most > 0.8, `at most ${most} of it`);
  proxy.clock.advance(1_000);
  const rest = await used();
  t.ok(rest <= 0.85 && rest > 0.7, `${rest} of it are left when pruning is through`);
});

t.test('SYSTEMS row 5: a trace of why a response was or was not taken from the cache', async (t) => {
  const proxy = await house(t, rules({ name: 'a', match: { path: '/a' }, ttl: '10s', grace: '10s' }));
  const reasons: string[] = [];
  const ask = async (target: string, ...lines: string[]): Promise<void> => {
    reasons.push(detailOf(await proxy.get(target, ...lines)));
  };
  await ask('/a');
  await ask('/a');
  await ask('/a', 'Authorization: Basic YTpi', 'Cache-Control: no-cache');
  proxy.clock.advance(11_000);
  await ask('/a');
  await refreshed(proxy, 3);
  t.same(reasons, ['uri-miss', 'fresh', 'authorization', 'stale-while-revalidate']);
});
