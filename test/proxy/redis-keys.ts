/** Proofs that the keys of the shared tier act, for the test of the whole option table: by what a server that plays Redis is sent. */
import { join } from 'node:path';
import type { Test } from 'tap';
import { FakeClock } from '../kit/clock.js';
import { type FakeRedis, hang, startFakeRedis } from '../kit/fake-redis.js';
import { type OpenProxy, openProxy } from '../kit/proxy-kit.js';
import { eventually } from '../kit/redis-server.js';
import { CERT, KEY } from '../origin/certificate.js';

type Conf = Readonly<Record<string, unknown>>;

async function withRedis(t: Test, fake: FakeRedis, redis: Conf): Promise<OpenProxy> {
  const house = await openProxy(t, { conf: { cache: { redis } } });
  house.origin.respond(() => ({ fields: ['Cache-Control', 'max-age=60'], body: 'hello' }));
  await eventually(() => house.notices.includes('shared-up'), 'it is used');
  t.ok(fake.connections > 0);
  return house;
}

const urlOf = ({ port }: FakeRedis, scheme = 'redis'): string => `${scheme}://127.0.0.1:${port}`;

async function authOf(t: Test, redisOf: (fake: FakeRedis) => Conf): Promise<readonly string[] | undefined> {
  const fake = await startFakeRedis(t);
  await withRedis(t, fake, redisOf(fake));
  return fake.sent('AUTH')[0]?.slice(1);
}

/** Whether a server with a certificate of its own can be used. */
async function isUsed(t: Test, tls: Conf, scheme = 'redis'): Promise<FakeRedis | undefined> {
  const fake = await startFakeRedis(t, { key: KEY, cert: CERT });
  const house = await openProxy(t, { conf: { cache: { redis: { url: urlOf(fake, scheme), tls } } } });
  await eventually(() => house.notices.some((code) => code.startsWith('shared-')), 'it was tried');
  return house.notices.includes('shared-up') ? fake : undefined;
}

/** A Sentinel that knows one master. */
async function startSentinel(t: Test, master: FakeRedis): Promise<FakeRedis> {
  const fake = await startFakeRedis(t);
  fake.answers['SENTINEL'] = (command) =>
    command[1]?.toLowerCase() === 'get-master-addr-by-name' && command[2] === 'pages'
      ? ['127.0.0.1', String(master.port)]
      : [];
  master.answers['ROLE'] = () => ['master', 0, []];
  return fake;
}

async function bySentinel(t: Test, further: Conf = {}): Promise<{ sentinel: FakeRedis; master: FakeRedis }> {
  const master = await startFakeRedis(t);
  const sentinel = await startSentinel(t, master);
  await withRedis(t, master, { sentinel: { name: 'pages', nodes: [`127.0.0.1:${sentinel.port}`], ...further } });
  return { sentinel, master };
}

export const REDIS_PROOFS: Readonly<Record<string, (t: Test) => Promise<void>>> = {
  'cache.redis.url': async (t) => {
    const fake = await startFakeRedis(t);
    const house = await withRedis(t, fake, { url: `${urlOf(fake)}/3` });
    await house.get('/a');
    t.ok(fake.sent('SELECT').some(([, database]) => database === '3'));
    t.equal(fake.sent('look').length, 1);
  },
  'cache.redis.sentinel.name': async (t) => {
    const { sentinel } = await bySentinel(t);
    t.ok(sentinel.sent('SENTINEL').some((command) => command[2] === 'pages'));
  },
  'cache.redis.sentinel.nodes': async (t) => {
    const { master } = await bySentinel(t);
    t.equal(master.sent('SUBSCRIBE').length, 1);
  },
  'cache.redis.sentinel.password': async (t) => {
    const { sentinel, master } = await bySentinel(t, { password: 'of the sentinels' });
    t.strictSame(sentinel.sent('AUTH')[0]?.slice(1), ['of the sentinels']);
    t.strictSame(master.sent('AUTH'), []);
  },
  'cache.redis.cluster': async (t) => {
    const fake = await startFakeRedis(t);
    const slots = [[0, 16_383, ['127.0.0.1', fake.port, 'a'.repeat(40)]]] as const;
    fake.answers['CLUSTER'] = ([, what = '']) =>
      what.toUpperCase() === 'SLOTS' ? slots : Buffer.from('cluster_state:ok\r\n');
    await withRedis(t, fake, { cluster: [`127.0.0.1:${fake.port}`] });
    t.ok(fake.sent('CLUSTER').length > 0);
  },
  'cache.redis.username': async (t) => {
    t.strictSame(await authOf(t, (fake) => ({ url: urlOf(fake), username: 'me', password: 'p w' })), ['me', 'p w']);
  },
  'cache.redis.password': async (t) => {
    t.strictSame(await authOf(t, (fake) => ({ url: urlOf(fake), password: 'p w' })), ['p w']);
    t.strictSame(await authOf(t, ({ port }) => ({ url: `redis://me:p%20w@127.0.0.1:${port}` })), ['me', 'p w']);
  },
  'cache.redis.password_file': async (t) => {
    const password_file = join(t.testdir({ password: 'of the file\nnot this\n' }), 'password');
    t.strictSame(await authOf(t, (fake) => ({ url: urlOf(fake), password_file })), ['of the file']);
  },
  'cache.redis.tls.on': async (t) => {
    t.equal(await isUsed(t, { verify: false }), undefined);
    t.not(await isUsed(t, { on: true, verify: false }), undefined);
  },
  'cache.redis.tls.verify': async (t) => {
    t.equal(await isUsed(t, {}, 'rediss'), undefined);
    t.not(await isUsed(t, { verify: false }, 'rediss'), undefined);
  },
  'cache.redis.tls.ca_file': async (t) => {
    const ca_file = join(t.testdir({ 'ca.pem': CERT }), 'ca.pem');
    t.not(await isUsed(t, { ca_file }, 'rediss'), undefined);
  },
  'cache.redis.tls.server_name': async (t) => {
    const fake = await isUsed(t, { verify: false, server_name: 'cache.internal' }, 'rediss');
    t.ok(fake?.serverNames.includes('cache.internal'));
  },
  'cache.redis.prefix': async (t) => {
    const fake = await startFakeRedis(t);
    const house = await withRedis(t, fake, { url: urlOf(fake), prefix: 'shop:' });
    await house.get('/a');
    t.strictSame(fake.sent('SUBSCRIBE')[0], ['SUBSCRIBE', 'shop:news']);
    t.match(fake.sent('look')[0]?.[3], /^shop:\{[\w-]{22}\}$/);
  },
  'cache.redis.timeout': async (t) => {
    const fake = await startFakeRedis(t);
    const clock = new FakeClock();
    const house = await openProxy(t, { clock, conf: { cache: { redis: { url: urlOf(fake), timeout: '3s' } } } });
    house.origin.respond(() => ({ body: 'hello' }));
    await eventually(() => house.notices.includes('shared-up'), 'it is used');
    fake.answers['look'] = () => hang;
    const asked = house.get('/a');
    await eventually(() => fake.sent('look').length > 0, 'it was asked');
    clock.advance(2_999);
    t.equal(house.origin.requestCount, 0);
    clock.advance(2);
    t.equal((await asked).body.toString(), 'hello');
  },
  'cache.redis.lease': async (t) => {
    const fake = await startFakeRedis(t);
    const house = await withRedis(t, fake, { url: urlOf(fake), lease: '7s' });
    await house.get('/a');
    t.equal(fake.sent('look')[0]?.[6], '7000');
  },
  'cache.redis.max_body': async (t) => {
    const fake = await startFakeRedis(t);
    const house = await withRedis(t, fake, { url: urlOf(fake), max_body: '4B' });
    await house.get('/a');
    await eventually(() => fake.sent('release').length > 0, 'the lease is given back');
    t.equal(fake.sent('keep').length, 0, 'hello has five');
  },
};

const NO_TEXT = ['', null, { zzz: 1 }, [['!?']]];

export const BAD_REDIS_VALUES: Readonly<Record<string, readonly unknown[]>> = {
  'cache.redis.url': [
    '!?',
    '',
    null,
    'http://a.example',
    'redis://',
    'redis://a/b',
    'redis://a/1?x=1',
    'redis://:%zz@a',
  ],
  'cache.redis.cluster': ['!?', null, {}, ['6379'], ['a:b'], ['a:99999'], Array(40).fill('a:1')],
  'cache.redis.sentinel.nodes': ['!?', null, {}, ['6379'], ['a b:1']],
  'cache.redis.sentinel.name': [...NO_TEXT, 'a b'],
  'cache.redis.sentinel.password': NO_TEXT,
  'cache.redis.username': [...NO_TEXT, 'a b'],
  'cache.redis.password': NO_TEXT,
  'cache.redis.prefix': [...NO_TEXT, 'a b', '{a}', 'a'.repeat(65)],
};
