// Goal: PURGE and REFRESH on the main listener serve those who may, and nobody else. Method: the whole proxy, real sockets.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { readConfig } from '../../lib/config/load.js';
import { withOrigin } from '../../lib/config/schema.js';
import { makeOperatorMethods } from '../../lib/proxy/operators.js';
import { turns } from '../kit/barrier.js';
import { makeDirectory } from '../kit/disk.js';
import { detailOf, metric, openProxy, request, settled, TOKEN } from '../kit/proxy-kit.js';
import { connectRaw } from '../kit/raw-client.js';
import { makeWalk } from '../kit/walk.js';

const AUTH = `Authorization: Bearer ${TOKEN}`;

async function open(
  t: Test,
  conf: Readonly<Record<string, unknown>> = { purge_methods: { from: '127.0.0.1' } },
  token: string | undefined = TOKEN,
) {
  const house = await openProxy(t, { conf, ...(token === '' ? {} : { token }) });
  house.origin.respond((asked) =>
    asked.method === 'GET' ? { fields: ['Cache-Control', 'max-age=60', 'ETag', '"1"'], body: 'x' } : { status: 405 },
  );
  const send = (method: string, ...lines: string[]) => house.ask(request(method, '/a', ...lines), method);
  return { ...house, send };
}

t.test('issue 4: off by default: they go to the origin like any unknown method', async (t) => {
  const house = await open(t, {});
  t.equal((await house.send('PURGE', AUTH)).status, 405);
  t.strictSame(
    house.origin.requests.map(({ method }) => method),
    ['PURGE'],
  );
});

t.test('issue 4: PURGE takes out what is stored, and is a 404 where nothing is', async (t) => {
  const house = await open(t);
  await house.get('/a');
  const purged = await house.send('PURGE', AUTH);
  t.strictSame(
    [purged.status, detailOf(purged), purged.body.toString()],
    [200, 'operator-purged', 'Purged: 1, and 0 on their way.\n'],
  );
  const again = await house.send('PURGE', AUTH);
  t.strictSame([again.status, detailOf(again)], [404, 'operator-nothing']);
  t.equal((await house.get('/a')).field('cdn-cache'), 'MISS');
  t.equal(metric(await house.metrics(), 'patina_operations_total', 'operation="purge"', 'outcome="done"'), 1);
});

t.test('issue 5: PURGE says of a disk that cannot be had that it is not done there yet', async (t) => {
  const path = join(makeDirectory(t), 'disk');
  // In the way of the directory.
  writeFileSync(path, '');
  const house = await open(t, { purge_methods: { from: '127.0.0.1' }, cache: { disk: { path, size: '64MB' } } });
  await house.get('/a');
  const purged = await house.send('PURGE', AUTH);
  t.strictSame([purged.status, detailOf(purged)], [200, 'operator-purging']);
  t.equal(
    purged.body.toString(),
    'Purged: 1, and 0 on their way. Not yet in the disk tier, which cannot be reached.\n',
  );
});

t.test('issue 4: REFRESH revalidates in the background', async (t) => {
  const walk = makeWalk({ operators: { isOn: true, refuse: () => undefined } });
  walk.get('/a');
  walk.origin.last.respond(200, { 'Cache-Control': 'max-age=60', ETag: '"1"' }, 'x');
  const client = walk.send({ method: 'REFRESH', target: '/a' });
  await turns(3);
  t.strictSame([client.status, client.reason], [202, 'operator-refreshing']);
  t.equal(walk.origin.count, 2);
  t.equal(walk.origin.last.field('if-none-match'), '"1"');
  const none = walk.send({ method: 'REFRESH', target: '/none' });
  await turns(3);
  t.strictSame([none.status, none.reason], [404, 'operator-nothing']);
});

t.test('issue 4: REFRESH comes in on the wire, on a connection that goes on, with the token alone', async (t) => {
  const house = await open(t);
  await house.get('/a');
  const client = await connectRaw(house.port);
  const told = async (method: string, ...lines: string[]) =>
    (await client.send(request(method, '/a', ...lines)).response(method)).status;
  t.equal(await told('GET'), 200);
  t.equal(await told('REFRESH'), 401);
  t.equal(house.origin.requests.length, 1);
  t.equal(await told('REFRESH', AUTH), 202);
  await settled(() => house.origin.requests.length === 2);
  t.equal(house.origin.requests[1]?.field('if-none-match'), '"1"');
  t.equal(await told('GET'), 200);
  t.equal(
    house.origin.requests.some(({ method }) => method === 'REFRESH'),
    false,
    'it is never passed on',
  );
  client.close();
});

t.test('where the methods are off, REFRESH is a method that nobody here knows', async (t) => {
  const house = await open(t, {});
  t.equal((await house.send('REFRESH', AUTH)).status, 501);
});

t.test('without the token they are a 401, and nothing reaches the origin', async (t) => {
  const house = await open(t);
  await house.get('/a');
  for (const lines of [[], [`${AUTH}x`], ['Authorization: Basic eDp5'], [AUTH, AUTH]]) {
    const refused = await house.send('PURGE', ...lines);
    t.strictSame([refused.status, detailOf(refused)], [401, 'operator-token'], lines.join());
    t.equal(refused.field('www-authenticate'), 'Bearer realm="patina"');
  }
  t.equal((await house.get('/a')).field('cdn-cache'), 'HIT');
  t.equal(house.origin.requestCount, 1);
});

t.test('where no token is configured they are refused to everybody, and the start says so', async (t) => {
  const house = await open(t, undefined, '');
  t.ok(house.notices.includes('operators-without-token'));
  const refused = await house.send('PURGE', 'Authorization: Bearer ');
  t.strictSame([refused.status, detailOf(refused)], [403, 'operator-no-token']);
});

t.test('another address is a 403, whatever X-Forwarded-For says', async (t) => {
  const house = await open(t, { purge_methods: { from: ['10.0.0.0/8'] } });
  const refused = await house.send('PURGE', AUTH, 'X-Forwarded-For: 10.0.0.1', 'Forwarded: for=10.0.0.1');
  t.strictSame([refused.status, detailOf(refused)], [403, 'operator-address']);
});

t.test('a body that comes with them is not read as the next request', async (t) => {
  const house = await open(t);
  const smuggled = 'GET /smuggled HTTP/1.1\r\nHost: a.example\r\n\r\n';
  const bytes = `${request('PURGE', '/a', AUTH, `Content-Length: ${smuggled.length}`)}${smuggled}`;
  const client = await house.connect();
  t.equal((await client.send(bytes).response('PURGE')).status, 404);
  await client.ended;
  t.equal(house.origin.requestCount, 0);
});

t.test('addresses are listed alone or as networks, of both families', async (t) => {
  const config = withOrigin(
    readConfig({ purge_methods: { from: ['127.0.0.1', '10.0.0.0/8', 'fd00::/8', '::1'] } }),
    new URL('http://origin.test'),
  );
  const { isOn, refuse } = makeOperatorMethods(config, () => 'shown');
  t.ok(isOn);
  for (const address of ['127.0.0.1', '::ffff:127.0.0.1', '10.255.0.1', 'fd12::1', '::1'])
    t.equal(refuse(address, undefined), undefined, address);
  for (const address of ['127.0.0.2', '11.0.0.1', 'fe80::1', '::ffff:11.0.0.1', '', 'x'])
    t.equal(refuse(address, undefined), 'operator-address', address);
  for (const from of ['300.0.0.1', '10.0.0.0/33', '::1/129', 'localhost', '10.0.0.0/8/8', ['::1', 7]])
    t.throws(() => readConfig({ purge_methods: { from } }), /purge_methods\.from/, String(from));
});
