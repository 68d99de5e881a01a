// Goal: a shared tier that is slow, hangs, goes away or comes back is not felt by clients, and what was purged meanwhile is not forgotten. Method: whole proxies before a real redis-server that is stopped, hung and started again.
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { makeDirectory } from '../kit/disk.js';
import { metric, type OpenProxy, openProxy, TOKEN } from '../kit/proxy-kit.js';
import { eventually, needsRedis, type RedisServer, startRedis } from '../kit/redis-server.js';

const LIVING = ['Cache-Control', 'max-age=60, stale-while-revalidate=60', 'ETag', '"1"'];

interface Machines {
  readonly redis: RedisServer;
  readonly here: OpenProxy;
  readonly there: OpenProxy;
}

async function openMachines(
  t: Test,
  redis: RedisServer,
  settings: Readonly<Record<string, unknown>> = {},
): Promise<Machines> {
  const cache = { memory: '16MB', redis: { url: redis.url, timeout: '200ms', ...settings } };
  const here = await openProxy(t, { token: TOKEN, conf: { cache } });
  here.origin.respond(({ target, ...request }) =>
    request.field('if-none-match') === undefined
      ? { fields: [...LIVING, 'Surrogate-Key', 'all'], body: target }
      : { status: 304, fields: LIVING },
  );
  const there = await openProxy(t, { token: TOKEN, conf: { cache }, url: here.origin.url });
  return { redis, here, there };
}

const isUp = async (house: OpenProxy): Promise<boolean> => metric(await house.metrics(), 'patina_shared_up') === 1;

async function bothUp({ here, there }: Machines): Promise<void> {
  await eventually(async () => (await isUp(here)) && (await isUp(there)), 'both are connected');
}

async function bothDown({ here, there }: Machines): Promise<void> {
  await eventually(async () => !(await isUp(here)) && !(await isUp(there)), 'both noticed');
}

const hitThere = async ({ there }: Machines, path: string): Promise<boolean> =>
  /; hit;/.test((await there.get(path)).field('cache-status') ?? '');

/** Both have these, by way of Redis. */
async function fillBoth(machines: Machines, paths: readonly string[]): Promise<void> {
  for (const path of paths) {
    await machines.here.get(path);
    await eventually(() => hitThere(machines, path), path);
  }
}

t.test(
  'issue 5: without the shared tier each machine goes on alone, with one line for each change of state',
  needsRedis(),
  async (t) => {
    const machines = await openMachines(t, await startRedis(t));
    const { redis, here, there } = machines;
    await bothUp(machines);
    await here.get('/a');
    await redis.stop('SIGKILL');
    await bothDown(machines);
    for (const house of [here, there]) {
      t.equal((await house.get('/a')).status, 200);
      t.equal((await house.get('/b')).body.toString(), '/b');
    }
    await redis.start();
    await bothUp(machines);
    await here.get('/c');
    await eventually(() => hitThere(machines, '/c'), 'shared again');
    t.equal(here.origin.requests.filter(({ target }) => target === '/c').length, 1);
    for (const house of [here, there])
      t.strictSame(
        house.notices.filter((code) => code.startsWith('shared-')),
        ['shared-up', 'shared-down', 'shared-up'],
      );
  },
);

t.test(
  'issue 5: a shared tier that is not there at the start is told of once, and used once it comes',
  needsRedis(),
  async (t) => {
    const redis = await startRedis(t);
    await redis.stop();
    const machines = await openMachines(t, redis);
    await eventually(() => machines.here.notices.includes('shared-down'), 'it is told');
    t.equal((await machines.here.get('/a')).status, 200);
    await redis.start();
    await bothUp(machines);
    t.strictSame(
      machines.here.notices.filter((code) => code.startsWith('shared-')),
      ['shared-down', 'shared-up'],
    );
  },
);

t.test(
  'issue 5: a shared tier that hangs costs each request the bounded wait, and then nothing',
  needsRedis(),
  async (t) => {
    const machines = await openMachines(t, await startRedis(t), { timeout: '20ms' });
    const { redis, here } = machines;
    await bothUp(machines);
    redis.hang();
    t.teardown(() => redis.wake());
    const answers = await Promise.all(Array.from({ length: 20 }, (_, n) => here.get(`/${n}`)));
    t.ok(answers.every(({ status }) => status === 200));
    await eventually(async () => !(await isUp(here)), 'it counts as gone');
    const metrics = await here.metrics();
    t.ok(Number(/shared_commands_total\{result="late"\} (\d+)/.exec(metrics)?.[1]) >= 5);
    t.equal((await here.get('/later')).status, 200);
    redis.wake();
    await bothUp(machines);
    await here.get('/after');
    await eventually(() => hitThere(machines, '/after'), 'shared again');
  },
);

t.test(
  'issue 5: a purge while the shared tier was gone reaches the others when it is back',
  needsRedis(),
  async (t) => {
    const machines = await openMachines(t, await startRedis(t));
    const { redis, here, there } = machines;
    await bothUp(machines);
    await fillBoth(machines, ['/a', '/b/1', '/c']);
    redis.hang();
    t.teardown(() => redis.wake());
    await bothDown(machines);
    const purged = await here.operate('POST', '/v1/purge', { url: 'http://a.example/a' });
    t.equal(purged.status, 200, 'here it is done');
    t.same(JSON.parse(purged.body.toString()), { operation: 'purge', objects: 1, fills: 0, pending: ['shared'] });
    await here.operate('POST', '/v1/purge', { prefix: 'http://a.example/b/' });
    t.equal(metric(await here.metrics(), 'patina_shared_pending_operations'), 2);
    t.ok(await hitThere(machines, '/a'), 'it cannot know yet');
    redis.wake();
    await bothUp(machines);
    await eventually(async () => metric(await there.metrics(), 'patina_objects') === 1, 'both are gone there');
    t.equal(metric(await here.metrics(), 'patina_shared_pending_operations'), 0);
    const before = here.origin.requestCount;
    await there.get('/a');
    t.equal(here.origin.requestCount, before + 1, 'and not to be found in Redis');
  },
);

t.test(
  'issue 5: where a pushed response cannot be shared, the others ask for what it takes the place of',
  needsRedis(),
  async (t) => {
    const machines = await openMachines(t, await startRedis(t), { max_body: '1KB' });
    const { redis, here } = machines;
    const push = async (path: string, body: string): Promise<void> => {
      const target = `/v1/objects?url=${encodeURIComponent(`http://a.example${path}`)}`;
      const put = await here.operate('PUT', target, body, undefined, ['Cache-Control: max-age=60']);
      t.equal(put.status, 200, put.body.toString());
      t.equal((await here.get(path)).body.toString(), body);
    };
    await bothUp(machines);
    await fillBoth(machines, ['/large', '/meanwhile']);
    await push('/large', 'x'.repeat(2_000));
    await eventually(async () => !(await hitThere(machines, '/large')), 'it is too large, and they know of it');
    redis.hang();
    t.teardown(() => redis.wake());
    await bothDown(machines);
    await push('/meanwhile', 'pushed');
    t.ok(await hitThere(machines, '/meanwhile'), 'nobody can know yet');
    redis.wake();
    await bothUp(machines);
    await eventually(async () => !(await hitThere(machines, '/meanwhile')), 'they know of it');
  },
);

t.test('issue 5: a machine that was cut off learns from the log what the others purged', needsRedis(), async (t) => {
  const machines = await openMachines(t, await startRedis(t));
  const { redis, here, there } = machines;
  await bothUp(machines);
  await fillBoth(machines, ['/a', '/b']);
  // Messages do not get through to it; commands do.
  const clients = String(await redis.client.client('LIST'));
  for (const line of clients.split('\n')) {
    const id = /^id=(\d+) .* sub=1 /.exec(line)?.[1];
    if (id !== undefined) await redis.client.client('KILL', 'ID', id);
  }
  await here.operate('POST', '/v1/purge', { tag: 'nothing-has-this' });
  await here.operate('POST', '/v1/purge', { url: 'http://a.example/a' });
  await eventually(async () => metric(await there.metrics(), 'patina_objects') === 1, 'it is gone there');
  t.ok(await hitThere(machines, '/b'));
});

t.test(
  'issue 5: what others purged while a machine was away is on its disk, and not in its first answer',
  needsRedis(),
  async (t) => {
    const redis = await startRedis(t);
    const machines = await openMachines(t, redis);
    const { here } = machines;
    await bothUp(machines);
    const { url, timeout } = { url: redis.url, timeout: '200ms' };
    const disk = { path: join(makeDirectory(t), 'var'), size: '64MB' };
    const conf = { cache: { memory: '16MB', disk, redis: { url, timeout } } };
    const first = await openProxy(t, { token: TOKEN, conf, url: here.origin.url });
    for (const path of ['/a', '/b']) await first.get(path);
    await first.proxy.close();
    await here.operate('POST', '/v1/purge', { url: 'http://a.example/a' });
    const again = await openProxy(t, { token: TOKEN, conf, url: here.origin.url });
    t.equal((await again.get('/a', 'Cache-Control: only-if-cached')).status, 504);
    t.equal((await again.get('/b', 'Cache-Control: only-if-cached')).status, 200);
  },
);

t.test(
  'issue 5: a start waits no longer for Redis than it takes to learn that it is not there',
  needsRedis(),
  async (t) => {
    const redis = await startRedis(t);
    const conf = { cache: { memory: '16MB', redis: { url: redis.url } } };
    redis.hang();
    for (const state of ['hung', 'gone']) {
      if (state === 'gone') await redis.stop('SIGKILL');
      const house = await openProxy(t, { token: TOKEN, conf });
      house.origin.respond(() => ({ fields: LIVING, body: 'hello' }));
      t.equal((await house.get('/a')).status, 200, state);
    }
  },
);

t.test(
  'issue 5: where the log is lost or too short, what others may have purged counts as stale',
  needsRedis(),
  async (t) => {
    const machines = await openMachines(t, await startRedis(t));
    const { redis, here, there } = machines;
    await bothUp(machines);
    await fillBoth(machines, ['/a']);
    await redis.stop('SIGKILL');
    await bothDown(machines);
    await redis.start();
    await bothUp(machines);
    t.equal(metric(await there.metrics(), 'patina_shared_gaps_total'), 1);
    const answer = await there.get('/a');
    t.match(answer.field('cache-status'), /detail=stale-while-revalidate/, 'served at once, and asked about');
    await eventually(
      async () => /detail=fresh/.test((await there.get('/a')).field('cache-status') ?? ''),
      'fresh again',
    );
    t.equal(here.origin.requests.filter((request) => request.field('if-none-match') !== undefined).length, 1);
  },
);

t.test(
  'issue 5: a purge that was written to a Redis which then lost its data is written again',
  needsRedis(),
  async (t) => {
    const machines = await openMachines(t, await startRedis(t));
    const { redis, here, there } = machines;
    await bothUp(machines);
    await here.operate('POST', '/v1/purge', { url: 'http://a.example/a' });
    await eventually(async () => (await redis.client.xlen('patina:log:{ops}')) === 1, 'it is written');
    await redis.stop('SIGKILL');
    await bothDown(machines);
    await redis.start();
    await bothUp(machines);
    await eventually(async () => (await redis.client.xlen('patina:log:{ops}')) === 1, 'it is written again');
    t.ok(there);
  },
);

t.test(
  'issue 5: a machine that dies with the lease delays the others by the lease time at most',
  needsRedis(),
  async (t) => {
    const machines = await openMachines(t, await startRedis(t), { lease: '1s' });
    const { redis, here } = machines;
    await bothUp(machines);
    const name = (await import('node:crypto'))
      .createHash('sha256')
      .update('http://a.example/a')
      .digest('base64url')
      .slice(0, 22);
    const [sec, micro] = await redis.client.time();
    const until = Number(sec) * 1000 + Number(micro) / 1000 + 1_000;
    await redis.client.hset(`patina:{${name}}`, 'lall', `${until.toFixed(3).padStart(20, '0')}somebody who died`);
    const began = performance.now();
    t.equal((await here.get('/a')).status, 200);
    const tookMs = performance.now() - began;
    t.ok(tookMs > 700 && tookMs < 3_000, `${tookMs} ms`);
  },
);

/** Redis had answered so late that nobody waited any more, and gave leases to a machine that had gone on alone. */
async function leftWithLeases(t: Test): Promise<Machines> {
  const machines = await openMachines(t, await startRedis(t), { timeout: '20ms', lease: '60s' });
  const { redis, here } = machines;
  here.origin.respond(({ target }) => ({ fields: ['Cache-Control', 'max-age=0', 'ETag', '"1"'], body: target }));
  await bothUp(machines);
  redis.hang();
  t.teardown(() => redis.wake());
  for (let n = 0; await isUp(here); n++) t.equal((await here.get(`/${n}`)).status, 200);
  redis.wake();
  await bothUp(machines);
  return machines;
}

t.test(
  'issue 5: a machine waits for no lease that was given to itself too late, and could not be given back',
  needsRedis(),
  async (t) => {
    const { here } = await leftWithLeases(t);
    t.equal((await here.get('/0')).body.toString(), '/0');
    t.notMatch(await here.metrics(), /^patina_leases_total\{answer="elsewhere".*\} [1-9]/m);
  },
);

t.test(
  'issue 5: leases that could not be given back are given back once the shared tier answers again',
  needsRedis(),
  async (t) => {
    const { redis } = await leftWithLeases(t);
    const leases = async (): Promise<string[]> => {
      const names = await redis.client.keys('patina:{*}');
      const fields = await Promise.all(
        names.filter((name) => !name.includes('ops')).map((name) => redis.client.hkeys(name)),
      );
      return fields.flat().filter((field) => field.startsWith('l'));
    };
    await eventually(async () => (await leases()).length === 0, 'none is left');
  },
);

t.test(
  'issue 5: a reload takes another shared tier, or none, and keeps what waits to be told',
  needsRedis(),
  async (t) => {
    const redis = await startRedis(t);
    let url: string | undefined;
    const house = await openProxy(t, {
      token: TOKEN,
      next: () => ({ cache: url === undefined ? {} : { redis: { url, timeout: '200ms' } } }),
    });
    house.origin.respond(() => ({ fields: LIVING, body: 'hello' }));
    t.notMatch(await house.metrics(), /^patina_shared_up /m);
    url = 'redis://127.0.0.1:1';
    t.equal((await house.proxy.reload()).kind, 'reloaded');
    await house.operate('POST', '/v1/purge', { url: 'http://a.example/a' });
    t.equal(metric(await house.metrics(), 'patina_shared_pending_operations'), 1);
    url = redis.url;
    await house.proxy.reload();
    await eventually(() => isUp(house), 'it is used');
    await eventually(async () => (await redis.client.xlen('patina:log:{ops}')) === 1, 'the purge is told');
    await house.get('/a');
    await eventually(async () => (await redis.client.keys('patina:{*')).length >= 2, 'it is shared');
    url = undefined;
    await house.proxy.reload();
    t.notMatch(await house.metrics(), /^patina_shared_up /m);
    t.equal((await house.get('/b')).status, 200);
  },
);
