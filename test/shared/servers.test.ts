// Goal: issue 5, the shared tier as it is set up where it matters: behind Sentinels, over TLS, with a user of its own. Method: real servers on the loopback, a failover under load, certificates of the tests.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { rootCertificates } from 'node:tls';
import t, { type Test } from 'tap';
import { turns } from '../kit/barrier.js';
import { metric, type OpenProxy, openProxy, TOKEN } from '../kit/proxy-kit.js';
import { eventually, freePort, needsRedis, RedisServer, startRedis } from '../kit/redis-server.js';
import { CERT, KEY } from '../origin/certificate.js';
import { load } from './load.kit.js';

const PASSWORD = 'sesame-1234';
const PAGES = 50;
/** The Sentinel takes the master for gone after 500 ms, and some seconds to put another in its place. */
const BACK_WITHIN_MS = 30_000;

function folderOf(t: Test): string {
  const folder = mkdtempSync(join(tmpdir(), 'patina-servers-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

type Redis = Readonly<Record<string, unknown>>;

/** Two machines with these settings of the shared tier, connected. */
async function openMachines(t: Test, redis: Redis): Promise<readonly [OpenProxy, OpenProxy]> {
  const conf = { cache: { memory: '16MB', redis: { timeout: '200ms', ...redis } } };
  const here = await openProxy(t, { token: TOKEN, conf });
  here.origin.respond((request) => {
    const maxAge = request.target.startsWith('/page/') ? 1 : 600;
    const fields = ['Cache-Control', `max-age=${maxAge}, stale-while-revalidate=60`, 'ETag', '"1"'];
    return request.field('if-none-match') === undefined ? { fields, body: request.target } : { status: 304, fields };
  });
  const there = await openProxy(t, { token: TOKEN, conf, url: here.origin.url });
  await eventually(() => [here, there].every(isUp), 'both are connected', BACK_WITHIN_MS);
  return [here, there];
}

function isUp({ notices }: OpenProxy): boolean {
  return notices.filter((code) => /^shared-(?:up|down)$/.test(code)).at(-1) === 'shared-up';
}

/** What one machine has asked for the other serves. */
async function shares([here, there]: readonly [OpenProxy, OpenProxy], path: string): Promise<void> {
  const asked = (): number => here.origin.requests.filter(({ target }) => target.startsWith(path)).length;
  await eventually(
    async () => {
      // A notice may be late where a connection has just come back.
      const before = asked();
      const own = `${path}?${before}`;
      await here.get(own);
      const answer = await there.get(own);
      return /; hit;/.test(answer.field('cache-status') ?? '') && asked() === before + 1;
    },
    `${path} is shared`,
    BACK_WITHIN_MS,
  );
}

t.test('issue 5: a failover by Sentinels under load: no failed request, and shared again', needsRedis(), async (t) => {
  const secret = ['--requirepass', PASSWORD, '--masterauth', PASSWORD];
  const master = await startRedis(t, secret);
  const replica = await startRedis(t, [...secret, '--replicaof', `127.0.0.1 ${master.port}`]);
  replica.client.options.password = PASSWORD;
  const file = join(folderOf(t), 'sentinel.conf');
  const watch = [
    `monitor shop 127.0.0.1 ${master.port} 1`,
    `auth-pass shop ${PASSWORD}`,
    'down-after-milliseconds shop 500',
    'failover-timeout shop 5000',
  ];
  writeFileSync(file, watch.map((line) => `sentinel ${line}\n`).join(''));
  const sentinel = new RedisServer(await freePort(), ['--sentinel'], file);
  t.teardown(() => sentinel.close());
  await sentinel.start();
  await eventually(
    async () => JSON.stringify(await sentinel.client.call('SENTINEL', 'REPLICAS', 'shop')).includes(`${replica.port}`),
    'the Sentinel knows the replica',
    BACK_WITHIN_MS,
  );
  const nodes = [`127.0.0.1:${sentinel.port}`];
  const machines = await openMachines(t, { sentinel: { name: 'shop', nodes }, password: PASSWORD });
  await shares(machines, '/before');
  let isOver = false;
  const loaded = load(machines, PAGES, () => isOver);
  const [here] = machines;
  await eventually(() => here.answered.length > 100, 'it is under load', BACK_WITHIN_MS);
  await master.stop('SIGKILL');
  const killedAt = performance.now();
  await eventually(
    () => machines.every(({ notices }) => notices.includes('shared-down')),
    'it is noticed',
    BACK_WITHIN_MS,
  );
  await eventually(() => machines.every(isUp), 'the other server is used', BACK_WITHIN_MS);
  const backMs = performance.now() - killedAt;
  isOver = true;
  const { count, faults } = await loaded;
  t.strictSame(faults, [], `${count} requests`);
  t.comment(`${count} requests, shared again after ${Math.round(backMs)} ms`);
  const isMaster = async (): Promise<boolean> => (await replica.client.info('replication')).includes('role:master');
  await eventually(isMaster, 'which is the master now', BACK_WITHIN_MS);
  await shares(machines, '/after');
  for (const { notices } of machines) {
    const changes = notices.filter((code) => code.startsWith('shared-'));
    t.ok(
      changes.every((code, at) => code === (at % 2 === 0 ? 'shared-up' : 'shared-down')),
      String(changes),
    );
    t.ok(changes.length <= 5, 'told for each change of state, not for each failure');
  }
});

async function startTls(t: Test): Promise<{ url: string; caFile: string }> {
  const folder = folderOf(t);
  const [cert, key] = [join(folder, 'cert.pem'), join(folder, 'key.pem')];
  writeFileSync(cert, CERT);
  writeFileSync(key, KEY);
  const tlsPort = await freePort();
  const ways = [
    '--tls-port',
    String(tlsPort),
    '--tls-cert-file',
    cert,
    '--tls-key-file',
    key,
    '--tls-ca-cert-file',
    cert,
  ];
  await startRedis(t, [...ways, '--tls-auth-clients', 'no']);
  return { url: `rediss://127.0.0.1:${tlsPort}`, caFile: cert };
}

t.test('issue 5: TLS to a real server, with the authority that is told', needsRedis(), async (t) => {
  const { url, caFile } = await startTls(t);
  await shares(await openMachines(t, { url, tls: { ca_file: caFile } }), '/a');
});

/** A machine whose shared tier never comes; why, as it is told. */
async function refusedFor(t: Test, redis: Redis): Promise<string> {
  const house = await openProxy(t, { conf: { cache: { redis } } });
  house.origin.respond(() => ({ fields: ['Cache-Control', 'max-age=60'], body: 'served' }));
  await eventually(() => house.notices.includes('shared-down'), 'it is said', BACK_WITHIN_MS);
  t.equal((await house.get('/a')).body.toString(), 'served');
  t.equal(metric(await house.metrics(), 'patina_shared_up'), 0);
  return house.said.filter((line) => line.startsWith('shared-')).join('\n');
}

t.test(
  'issue 5: a server whose certificate is of another authority is not used, and why is told',
  needsRedis(),
  async (t) => {
    const { url } = await startTls(t);
    const other = join(folderOf(t), 'other.pem');
    writeFileSync(other, rootCertificates[0] ?? '');
    t.match(await refusedFor(t, { url, tls: { ca_file: other } }), /^shared-down: .*certificate/);
    t.match(await refusedFor(t, { url }), /^shared-down: .*certificate/, 'nor by the authorities that Node.js brings');
  },
);

t.test('a proxy that ends while such a server is being reached ends in peace', needsRedis(), async (t) => {
  const { url } = await startTls(t);
  // Node tells of two errors where a connection is ended within its handshake: of the certificate, and of what the server says then.
  for (let pause = 0; pause < 40; pause++) {
    const house = await openProxy(t, { conf: { cache: { redis: { url } } } });
    await turns(pause);
    await house.proxy.close();
  }
  t.pass('and an error that nobody hears ends a test');
});

t.test('issue 5: a server that is not spoken to as it wants is not used, and why is told', needsRedis(), async (t) => {
  const plain = await startRedis(t, ['--requirepass', PASSWORD]);
  t.match(await refusedFor(t, { url: plain.url }), /^shared-down: .*NOAUTH/);
  const wrong = await refusedFor(t, { url: plain.url, password: 'guess-5678' });
  t.match(wrong, /^shared-down: .*WRONGPASS/);
  t.notMatch(wrong, /guess-5678/);
});

/** As the README gives it (a test below holds that). */
const README_USER = '+@read +@write +@scripting +@pubsub +@connection -@dangerous +info +time';

t.test('issue 5: a user of its own, who may touch nothing but its prefix, is enough', needsRedis(), async (t) => {
  const redis = await startRedis(t);
  const may = ['~shop:*', '&shop:*', ...README_USER.split(' ')];
  await redis.client.call('ACL', 'SETUSER', 'shop', 'on', `>${PASSWORD}`, ...may);
  const machines = await openMachines(t, { url: redis.url, username: 'shop', password: PASSWORD, prefix: 'shop:' });
  await shares(machines, '/a');
  const [here, there] = machines;
  await there.get('/b');
  await here.operate('POST', '/v1/purge', { prefix: 'http://a.example/' });
  await eventually(
    async () => (await there.get('/b', 'Cache-Control: only-if-cached')).status === 504,
    'a purge by prefix reaches the other',
    BACK_WITHIN_MS,
  );
  t.ok((await redis.client.keys('*')).every((key) => key.startsWith('shop:')));
  const denied = /errorstat_NOPERM:count=(\d+)/.exec(await redis.client.info('errorstats'))?.[1];
  t.equal(denied, undefined, 'nothing was denied');
  t.ok([here, there].every(isUp));
});

t.test('issue 5: the README says what such a user may do', async (t) => {
  const readme = readFileSync(new URL('../../../README.md', import.meta.url), 'utf8');
  t.ok(readme.includes(`~shop:* &shop:* ${README_USER}`));
});
