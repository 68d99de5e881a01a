// Goal: a Cluster whose slots move under load is not felt, and no command ever spans two slots. Method: three masters of their own, a reshard by redis-cli, and two proxies under load, judged by what the servers count.
import { execFile } from 'node:child_process';
import { createServer } from 'node:net';
import { promisify } from 'node:util';
import t, { type Test } from 'tap';
import { digestOf } from '../../lib/store/shared-table.js';
import { metric, openProxy, TOKEN } from '../kit/proxy-kit.js';
import { eventually, freePort, needsRedis, programPath, RedisServer } from '../kit/redis-server.js';
import { load } from './load.kit.js';

const run = promisify(execFile);
const MASTERS = 3;
const SLOTS_MOVED = 600;
const PAGES = 400;

/** A free port whose bus port (10,000 above) is one as well. */
async function clusterPort(): Promise<number> {
  for (;;) {
    const port = await freePort();
    if (port <= 55_000 && (await isFree(port + 10_000))) return port;
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}

async function startCluster(t: Test): Promise<RedisServer[]> {
  const masters: RedisServer[] = [];
  for (let n = 0; n < MASTERS; n++) {
    const master = new RedisServer(await clusterPort(), ['--cluster-enabled', 'yes', '--cluster-node-timeout', '5000']);
    t.teardown(() => master.close());
    await master.start();
    masters.push(master);
  }
  await cli(['--cluster', 'create', ...masters.map(({ port }) => `127.0.0.1:${port}`), '--cluster-yes']);
  for (const { client } of masters)
    await eventually(
      async () => String(await client.cluster('INFO')).includes('cluster_state:ok'),
      'the cluster is formed',
      30_000,
    );
  return masters;
}

async function cli(args: readonly string[]): Promise<string> {
  const { stdout } = await run(programPath('redis-cli') ?? 'redis-cli', [...args], { maxBuffer: 64 * 1024 * 1024 });
  return stdout;
}

/** How often the servers refused a command so. */
async function refusals(masters: readonly RedisServer[], word: string): Promise<number> {
  let sum = 0;
  for (const { client } of masters) {
    const told = await client.info('errorstats');
    sum += Number(new RegExp(`errorstat_${word}:count=(\\d+)`).exec(told)?.[1] ?? 0);
  }
  return sum;
}

t.test(
  'issue 5: a reshard of a 3-master Cluster under load: no failed request, no CROSSSLOT',
  needsRedis('redis-cli'),
  async (t) => {
    const masters = await startCluster(t);
    const cluster = masters.map(({ port }) => `127.0.0.1:${port}`);
    const cache = { memory: '16MB', redis: { cluster, timeout: '200ms' } };
    const conf = { cache, defaults: { tags_from: 'surrogate-key' } };
    const here = await openProxy(t, { token: TOKEN, conf });
    here.origin.respond((request) => {
      const fields = ['Cache-Control', 'max-age=1, stale-while-revalidate=60', 'ETag', '"1"', 'Surrogate-Key', 'all'];
      return request.field('if-none-match') === undefined ? { fields, body: request.target } : { status: 304, fields };
    });
    const there = await openProxy(t, { token: TOKEN, conf, url: here.origin.url });
    const machines = [here, there];
    await eventually(
      () => machines.every(({ notices }) => notices.includes('shared-up')),
      'both are connected',
      30_000,
    );
    let isOver = false;
    const loaded = load(machines, PAGES, () => isOver);
    await eventually(async () => (await keyCount(masters)) >= 2 * PAGES, 'the pages are there', 60_000);
    const [first, second] = await Promise.all(masters.slice(0, 2).map(({ client }) => client.cluster('MYID')));
    await cli([
      '--cluster',
      'reshard',
      cluster[0] ?? '',
      '--cluster-from',
      String(first),
      '--cluster-to',
      String(second),
      '--cluster-slots',
      String(SLOTS_MOVED),
      '--cluster-yes',
    ]);
    await here.operate('POST', '/v1/purge', { tag: 'all' });
    // On a busy machine the reshard may be done before anything was asked for of what moved.
    await eventually(
      async () => (await refusals(masters, 'MOVED')) + (await refusals(masters, 'ASK')) > 0,
      'the slots did move under it',
      60_000,
    );
    isOver = true;
    const { count, faults } = await loaded;
    t.strictSame(faults, [], `${count} requests`);
    const counted = await Promise.all(['MOVED', 'ASK', 'TRYAGAIN', 'CROSSSLOT'].map((word) => refusals(masters, word)));
    const [moved = 0, ask = 0, again, crossed] = counted;
    t.comment(
      `${count} requests, ${SLOTS_MOVED} slots moved: MOVED ${moved}, ASK ${ask}, TRYAGAIN ${again}, CROSSSLOT ${crossed}`,
    );
    t.equal(crossed, 0);
    t.equal(again, 0, 'no command has two keys');
    t.equal(metric(await there.metrics(), 'patina_shared_up'), 1);
    t.notOk(here.notices.includes('shared-down'), 'it never counted as gone');
    await here.get('/after');
    await eventually(
      async () => /; hit;/.test((await there.get('/after')).field('cache-status') ?? ''),
      'shared as before',
    );
  },
);

t.test(
  'issue 5: what has moved of a slot that has not (ASK) is found all the same',
  needsRedis('redis-cli'),
  async (t) => {
    const masters = await startCluster(t);
    const cluster = masters.map(({ port }) => `127.0.0.1:${port}`);
    const conf = { cache: { memory: '16MB', redis: { cluster, timeout: '500ms' } } };
    const here = await openProxy(t, { conf });
    here.origin.respond(({ target }) => ({ fields: ['Cache-Control', 'max-age=60'], body: target }));
    const there = await openProxy(t, { conf, url: here.origin.url });
    await eventually(() => [here, there].every(({ notices }) => notices.includes('shared-up')), 'connected', 30_000);
    await here.get('/a');
    const [source] = masters;
    const slot = await source?.client.cluster('KEYSLOT', `patina:{${digestOf('http://a.example/a')}}`);
    const counts = async (): Promise<number[]> =>
      Promise.all(masters.map(async ({ client }) => Number(await client.cluster('COUNTKEYSINSLOT', Number(slot)))));
    await eventually(async () => (await counts()).includes(2), 'record and body are there');
    const from = masters[(await counts()).indexOf(2)];
    const to = masters.find((one) => one !== from);
    if (from === undefined || to === undefined) throw new Error('no master has it');
    await to.client.cluster('SETSLOT', Number(slot), 'IMPORTING', String(await from.client.cluster('MYID')));
    await from.client.cluster('SETSLOT', Number(slot), 'MIGRATING', String(await to.client.cluster('MYID')));
    const keys = (await from.client.cluster('GETKEYSINSLOT', Number(slot), 10)) as string[];
    await from.client.call('MIGRATE', '127.0.0.1', String(to.port), '', '0', '5000', 'KEYS', ...keys);
    const answer = await there.get('/a');
    t.equal(answer.body.toString(), '/a');
    t.match(answer.field('cache-status'), /; hit;/);
    t.equal(here.origin.requestCount, 1);
    t.ok((await refusals(masters, 'ASK')) >= 2, 'record and body were asked for where they are');
    t.equal(await refusals(masters, 'TRYAGAIN'), 0);
    t.equal(await refusals(masters, 'CROSSSLOT'), 0);
  },
);

async function keyCount(masters: readonly RedisServer[]): Promise<number> {
  const counts = await Promise.all(masters.map(({ client }) => client.dbsize()));
  return counts.reduce((sum, count) => sum + count, 0);
}

t.test(
  'issue 5: of one master that takes no writes a line is logged, and what the others have is shared as before',
  needsRedis('redis-cli'),
  async (t) => {
    const masters = await startCluster(t);
    const cluster = masters.map(({ port }) => `127.0.0.1:${port}`);
    const house = await openProxy(t, { conf: { cache: { memory: '16MB', redis: { cluster, timeout: '500ms' } } } });
    house.origin.respond(({ target }) => ({ fields: ['Cache-Control', 'max-age=60'], body: target }));
    await eventually(() => house.notices.includes('shared-up'), 'connected', 30_000);
    const logs = await Promise.all(masters.map(({ client }) => client.keys('patina:log:*')));
    const full = masters.find((_, at) => logs[at]?.length === 0);
    await full?.client.config('SET', 'maxmemory', '1');
    let page = 0;
    const isTold = async (): Promise<boolean> => {
      for (let count = 0; count < 20; count++) {
        const target = `/${page++}`;
        t.equal((await house.get(target)).body.toString(), target);
      }
      return house.said.some((line) => /^shared-refusing: .*OOM/.test(line));
    };
    await eventually(isTold, 'it is told', 30_000);
    t.notOk(house.notices.includes('shared-down'), 'it never counted as gone');
  },
);
