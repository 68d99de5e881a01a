// Goal: another configuration comes into force between two requests, and a wrong one changes nothing (issue 4, "Reload"). Method: the whole proxy on real sockets, whose source of configuration is the test's.
import { createServer } from 'node:net';
import t, { type Test } from 'tap';
import { ConfigError } from '../../lib/base/errors.js';
import { createBarrier } from '../kit/barrier.js';
import { FakeClock } from '../kit/clock.js';
import { metric, type OpenOptions, type OpenProxy, openProxy, request } from '../kit/proxy-kit.js';
import { connectRaw } from '../kit/raw-client.js';
import { startScriptedOrigin } from '../kit/scripted-origin.js';

type Conf = Readonly<Record<string, unknown>>;

/** A proxy with a configuration that the test may change before it reloads. */
async function reloadable(t: Test, conf: Conf = {}, options: OpenOptions = {}): Promise<OpenProxy & { next: Conf }> {
  const state = { next: conf };
  const house = await openProxy(t, { ...options, conf, next: () => state.next });
  house.origin.respond(() => ({ body: 'x' }));
  return Object.assign(state, house);
}

/** A port that nobody listens at now. */
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise<void>((resolve) => server.close(() => resolve()));
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

t.test(
  'issue 4: a reload puts another rule in force on a connection that is open, and keeps what is stored',
  async (t) => {
    const clock = new FakeClock();
    const house = await reloadable(t, { defaults: { grace: '1h' } }, { clock });
    house.origin.respond(() => ({ fields: ['Cache-Control', 'max-age=60', 'ETag', '"1"'], body: 'x' }));
    const client = await house.connect();
    t.equal((await client.send(request('GET', '/a')).response()).field('cdn-cache'), 'MISS');
    house.next = { defaults: { grace: '1h' }, debug_header: 'X-Cache', limits: { url: '256B' } };
    t.equal((await house.proxy.reload()).kind, 'reloaded');
    const hit = await client.send(request('GET', '/a')).response();
    t.equal(hit.field('x-cache'), 'HIT');
    t.equal(hit.field('cdn-cache'), undefined);
    const long = await client.send(request('GET', `/${'a'.repeat(300)}`)).response();
    t.equal(long.status, 414, 'limits hold for connections that were open before');
    t.equal(house.origin.requests.length, 1);
  },
);

t.test('issue 4: what changed is told, in the words of the file', async (t) => {
  const house = await reloadable(t, { defaults: { grace: '1h' }, rules: [{ name: 'a', match: { path: '/a' } }] });
  house.next = { defaults: { grace: '2h' }, rules: [{ name: 'a', match: { path: '/b' } }], debug_header: 'X-Cache' };
  t.same(await house.proxy.reload(), {
    kind: 'reloaded',
    changes: ['debug_header: CDN-Cache -> X-Cache', 'defaults.grace: 1h -> 2h', 'rules.a.match.path: /a -> /b'],
  });
  t.ok(house.notices.includes('reloaded'));
});

t.test('issue 4: a bad configuration changes nothing and is reported with its problems', async (t) => {
  const house = await reloadable(t);
  house.origin.respond(() => ({ fields: ['Cache-Control', 'max-age=60'], body: 'x' }));
  await house.get('/a');
  house.next = { defaults: { ttl: 'soon' }, debug_header: 'X-Cache' };
  const outcome = await house.proxy.reload();
  t.equal(outcome.kind, 'refused');
  t.match(outcome.kind === 'refused' ? outcome.problems[0] : '', /defaults\.ttl: expected origin/);
  t.ok(house.notices.includes('reload-refused'));
  t.equal((await house.get('/a')).field('cdn-cache'), 'HIT');
});

t.test('issue 4: a source that cannot be read changes nothing', async (t) => {
  const house = await openProxy(t, {
    next: () => {
      throw new ConfigError(['p.yaml: the conf file cannot be read: there is no such file']);
    },
  });
  t.same(await house.proxy.reload(), {
    kind: 'refused',
    problems: ['p.yaml: the conf file cannot be read: there is no such file'],
  });
  const without = await openProxy(t);
  t.equal((await without.proxy.reload()).kind, 'refused', 'nor does none');
});

t.test('issue 4: the listener moves to another address; connections to the old one go on', async (t) => {
  const house = await reloadable(t);
  house.origin.respond(() => ({ fields: ['Cache-Control', 'max-age=60'], body: 'x' }));
  const old = await house.connect();
  await old.send(request('GET', '/a')).response();
  const port = await freePort();
  house.next = { listen: `127.0.0.1:${port}` };
  t.equal((await house.proxy.reload()).kind, 'reloaded');
  const moved = await connectRaw(port);
  t.equal((await moved.send(request('GET', '/a')).response()).field('cdn-cache'), 'HIT');
  moved.close();
  t.equal((await old.send(request('GET', '/a')).response()).field('cdn-cache'), 'HIT');
  await t.rejects(connectRaw(house.port), { code: 'ECONNREFUSED' });
  t.equal(metric(await house.metrics(), 'patina_client_connections'), 1);
});

t.test('issue 4: from one host to all of them on the same port', async (t) => {
  const port = await freePort();
  const house = await reloadable(t, { listen: `127.0.0.1:${port}` });
  house.next = { listen: `0.0.0.0:${port}` };
  t.equal((await house.proxy.reload()).kind, 'reloaded');
  t.equal((await house.get('/a')).status, 200);
  house.next = { listen: `127.0.0.2:${port}` };
  t.equal((await house.proxy.reload()).kind, 'reloaded');
  await t.rejects(connectRaw(port), { code: 'ECONNREFUSED' });
});

t.test('issue 4: an address that is taken refuses the whole configuration', async (t) => {
  const house = await reloadable(t);
  const other = await openProxy(t);
  house.next = { listen: `127.0.0.1:${other.port}`, debug_header: 'X-Cache', admin: `127.0.0.1:${await freePort()}` };
  const outcome = await house.proxy.reload();
  t.match(outcome, { kind: 'refused', problems: [/^listen: cannot listen on .*the port is in use/] });
  t.equal((await house.get('/a')).field('cdn-cache'), 'MISS');
  t.equal((await house.admin('/healthz')).status, 200, 'the admin stays where it was');
});

t.test('issue 4: the admin listener moves, leaves and comes back', async (t) => {
  const house = await reloadable(t);
  const port = await freePort();
  const asks = `GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n`;
  house.next = { admin: `127.0.0.1:${port}` };
  t.equal((await house.proxy.reload()).kind, 'reloaded');
  const client = await connectRaw(port);
  t.equal((await client.send(asks).response()).status, 200);
  client.close();
  await t.rejects(connectRaw(house.adminPort), { code: 'ECONNREFUSED' });
  house.next = { admin: 'off' };
  await house.proxy.reload();
  await t.rejects(connectRaw(port), { code: 'ECONNREFUSED' });
  house.next = { admin: `127.0.0.1:${port}` };
  await house.proxy.reload();
  const again = await connectRaw(port);
  t.equal((await again.send(asks).response()).status, 200);
  again.close();
});

t.test('issue 4: another origin answers from now on; what runs at the old one ends there', async (t) => {
  const house = await reloadable(t);
  const held = createBarrier();
  house.origin.respond(async (asked) => {
    if (asked.target === '/slow') await held.passed;
    return { fields: ['Cache-Control', 'max-age=60'], body: 'old' };
  });
  const other = await startScriptedOrigin();
  t.teardown(() => other.close());
  other.respond(() => ({ fields: ['Cache-Control', 'max-age=60'], body: 'new' }));
  t.equal((await house.get('/kept')).body.toString(), 'old');
  const slow = house.get('/slow');
  const passed = house.ask(request('DELETE', '/slow'));
  while (house.origin.requests.length < 3) await new Promise<void>((resolve) => setImmediate(resolve));
  house.next = { origin: { url: other.url.href } };
  t.equal((await house.proxy.reload()).kind, 'reloaded');
  t.equal((await house.get('/x')).body.toString(), 'new');
  t.equal((await house.ask(request('DELETE', '/y'))).body.toString(), 'new');
  t.equal((await house.get('/kept')).field('cdn-cache'), 'HIT');
  held.open();
  t.equal((await slow).body.toString(), 'old');
  t.equal((await passed).body.toString(), 'old');
});

t.test('issue 4: less memory is given back in steps, more is used at once', async (t) => {
  const clock = new FakeClock();
  const house = await reloadable(t, { cache: { memory: '8MB' } }, { clock });
  house.origin.respond(() => ({ fields: ['Cache-Control', 'max-age=60'], body: 'x'.repeat(1_000_000) }));
  for (let n = 0; n < 5; n++) await house.get(`/${n}`);
  house.next = { cache: { memory: '2MB' } };
  await house.proxy.reload();
  for (let n = 0; n < 50; n++) clock.advance(10);
  t.ok(metric(await house.metrics(), 'patina_stored_bytes') <= 2 * 1024 * 1024);
  house.next = { cache: { memory: '8MB' } };
  await house.proxy.reload();
  for (let n = 0; n < 5; n++) await house.get(`/${n}`);
  t.ok(metric(await house.metrics(), 'patina_stored_bytes') > 4_000_000);
});

t.test('issue 4: reloads asked for at once run one after another, and each reads what is there then', async (t) => {
  const house = await reloadable(t);
  house.next = { debug_header: 'X-One' };
  const first = house.proxy.reload();
  house.next = { debug_header: 'X-Two' };
  const [one, two, three] = await Promise.all([first, house.proxy.reload(), house.proxy.reload()]);
  t.same(one, { kind: 'reloaded', changes: ['debug_header: CDN-Cache -> X-One'] });
  t.same(two, { kind: 'reloaded', changes: ['debug_header: X-One -> X-Two'] });
  t.equal(three, two, 'who asks meanwhile shares the next one');
});

t.test(
  'issue 4: 100 reloads, 10 of them bad, while clients ask: no failed request, nothing stored is lost',
  async (t) => {
    const house = await reloadable(t, { defaults: { grace: '1h' } });
    house.origin.respond(() => ({ fields: ['Cache-Control', 'max-age=600', 'ETag', '"1"'], body: 'x' }));
    for (let n = 0; n < 10; n++) await house.get(`/${n}`);
    let isOver = false;
    let answered = 0;
    const clients = [0, 1, 2, 3].map(async (at) => {
      const client = await house.connect();
      for (let n = at; !isOver; n++) {
        const response = await client.send(request('GET', `/${n % 10}`)).response();
        if (response.status !== 200 || response.field('x-cache') !== 'HIT')
          throw new Error(`/${n % 10}: ${response.status}`);
        answered++;
      }
    });
    house.next = { debug_header: 'X-Cache' };
    await house.proxy.reload();
    answered = 0;
    let refused = 0;
    for (let n = 0; n < 100; n++) {
      const rules = [{ name: `r${n}`, match: { path: `/${n % 10}` }, grace: `${n + 1}m` }];
      house.next = n % 10 === 0 ? { defaults: { ttl: 'soon' } } : { debug_header: 'X-Cache', rules };
      if ((await house.proxy.reload()).kind === 'refused') refused++;
      const before = answered;
      while (answered < before + 10) await new Promise<void>((resolve) => setImmediate(resolve));
    }
    isOver = true;
    await Promise.all(clients);
    t.equal(refused, 10);
    t.ok(answered >= 1000);
    t.equal(house.origin.requests.length, 10, 'the origin was asked for nothing again');
  },
);
