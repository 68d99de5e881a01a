// Goal: an option that is in the table acts, and refuses what it cannot mean. Method: for each option, two proxies that differ in it alone, told apart on the wire; the rows are held against the table.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { ConfigError } from '../../lib/base/errors.js';
import { readConfig } from '../../lib/config/load.js';
import { optionRows } from '../../lib/config/reference.js';
import { withOrigin } from '../../lib/config/schema.js';
import { createProxy } from '../../lib/proxy.js';
import { createBarrier, turns } from '../kit/barrier.js';
import { FakeClock } from '../kit/clock.js';
import { detailOf, metric, type OpenProxy, openProxy, request, settled, TOKEN } from '../kit/proxy-kit.js';
import { CutOff, connectRaw } from '../kit/raw-client.js';
import { type Answer, hang, send, until } from '../kit/scripted-origin.js';
import { CERT, KEY } from '../origin/certificate.js';
import { startCrew } from '../workers/crew.kit.js';
import { DISK_BAD_VALUES, DISK_PROOFS } from './disk-keys.js';
import { BAD_REDIS_VALUES, REDIS_PROOFS } from './redis-keys.js';
import { BAD_REFRESH_VALUES, REFRESH_LIVES, REFRESH_PROOFS } from './refresh-keys.js';
import { BAD_VALUES, FURTHER_LIVES, type Life, RULE_PROOFS, word } from './rule-keys.js';
import { BAD_WARM_VALUES, WARM_PROOFS } from './warm-keys.js';

type Conf = Readonly<Record<string, unknown>>;
type Proof = (t: Test) => Promise<void>;

/** A proxy whose clock is the test's. */
async function timed(t: Test, conf: Conf, url?: URL): Promise<OpenProxy & { clock: FakeClock }> {
  const clock = new FakeClock();
  return { ...(await openProxy(t, { clock, conf, ...(url === undefined ? {} : { url }) })), clock };
}

/** Moves time on in steps, with the event loop turning between them. */
async function pass(clock: FakeClock, ms: number, stepMs = 250): Promise<void> {
  for (let passed = 0; passed < ms; passed += stepMs) {
    clock.advance(stepMs);
    await turns(3);
  }
}

/** Where a second listener may not be, and where the first one is. */
async function takesTheAddress(t: Test, key: 'listen' | 'admin'): Promise<void> {
  const house = await openProxy(t);
  const taken = `127.0.0.1:${key === 'listen' ? house.port : house.adminPort}`;
  const conf = { listen: '127.0.0.1:0', admin: 'off', log: { access: 'off' }, [key]: taken };
  const second = createProxy(withOrigin(readConfig(conf), house.origin.url));
  await t.rejects(second.start(), { code: 'EADDRINUSE' });
}

/** What goes to the log of a proxy that answers one request. */
async function logOf(t: Test, log: Conf, serve: (house: OpenProxy, port: number) => Promise<void>): Promise<string> {
  let written = '';
  const house = await openProxy(t);
  house.origin.respond(() => ({ body: 'x' }));
  const conf = readConfig({ listen: '127.0.0.1:0', admin: 'off', limits: { connections: 1 }, log });
  const proxy = createProxy(withOrigin(conf, house.origin.url), {
    logDestination: {
      write(bytes, done) {
        written += bytes.toString();
        done();
      },
    },
  });
  const { listen } = await proxy.start();
  await serve(house, Number(listen.slice(listen.lastIndexOf(':') + 1)));
  await proxy.close();
  return written;
}

/** Sends a request over a socket of its own and waits for the end of it. */
async function once(port: number): Promise<void> {
  const client = await connectRaw(port);
  await client.send(request('GET', '/logged', 'Connection: close')).response();
  await client.ended;
}

async function refusesASecond(port: number): Promise<void> {
  const first = await connectRaw(port);
  await first.send(request('GET', '/logged')).response();
  const second = await connectRaw(port);
  await second.ended;
  first.close();
  await first.ended;
}

const LIVES: Readonly<Record<string, Life>> = {
  ...FURTHER_LIVES,
  ...REFRESH_LIVES,
  ttl: {
    value: '20s',
    fields: ['ETag', '"1"'],
    afterSec: 19,
    tell: word,
    expected: { without: 'EXPIRED', with: 'HIT' },
  },
  grace: {
    value: '30s',
    fields: ['Cache-Control', 'max-age=1', 'ETag', '"1"'],
    afterSec: 20,
    tell: word,
    expected: { without: 'EXPIRED', with: 'UPDATING' },
  },
  keep: {
    value: '5s',
    fields: ['Cache-Control', 'max-age=1', 'ETag', '"1"'],
    afterSec: 20,
    tell: async (house, target) => {
      await house.get(target);
      return house.origin.requests.at(-1)?.field('if-none-match');
    },
    expected: { without: '"1"', with: undefined },
  },
  stale_if_error: {
    value: '1h',
    fields: ['Cache-Control', 'max-age=1', 'ETag', '"1"'],
    afterSec: 100,
    refresh: { status: 503, body: 'sorry' },
    tell: word,
    expected: { without: 'ERROR', with: 'STALE' },
  },
  set_cookie: {
    value: 'strip',
    fields: ['Cache-Control', 'max-age=60', 'Set-Cookie', 'a=1'],
    afterSec: 1,
    tell: async (house, target) => {
      const { field } = await house.get(target);
      return [field('cdn-cache'), field('set-cookie')];
    },
    expected: { without: ['MISS', 'a=1'], with: ['HIT', undefined] },
  },
  targeted_fields: {
    value: ['surrogate-control'],
    fields: ['Cache-Control', 'max-age=1', 'Surrogate-Control', 'max-age=60', 'ETag', '"1"'],
    afterSec: 20,
    tell: word,
    expected: { without: 'EXPIRED', with: 'HIT' },
  },
  stale_despite: {
    value: ['must-revalidate'],
    fields: ['Cache-Control', 'max-age=1, must-revalidate, stale-while-revalidate=60', 'ETag', '"1"'],
    afterSec: 20,
    tell: word,
    expected: { without: 'EXPIRED', with: 'UPDATING' },
  },
};

async function acts(t: Test, key: string, place: 'defaults' | 'rules'): Promise<void> {
  const life = LIVES[key];
  if (life === undefined) throw new Error(key);
  const set = { [key]: life.value };
  const conf = place === 'defaults' ? { defaults: set } : { rules: [{ name: 'r', match: { path: '/in/**' }, ...set }] };
  for (const [target, isSet] of [
    ['/in/a', true],
    ['/out/a', place === 'defaults'],
  ] as const) {
    const house = await timed(t, conf);
    let answer: Answer = { fields: life.fields, body: 'x' };
    house.origin.respond(() => answer);
    await house.get(target, ...(life.lines ?? []));
    answer = life.refresh ?? answer;
    house.clock.advance(life.afterSec * 1000);
    t.strictSame(await life.tell(house, target), life.expected[isSet ? 'with' : 'without'], `${key} at ${target}`);
  }
}

async function coldActs(t: Test, place: 'defaults' | 'rules'): Promise<void> {
  const set = { cold: 'accepted' };
  const conf = place === 'defaults' ? { defaults: set } : { rules: [{ name: 'r', match: { path: '/in/**' }, ...set }] };
  const house = await openProxy(t, { conf });
  house.origin.respond(() => ({ body: 'x' }));
  t.equal((await house.get('/in/a')).status, 202);
  t.equal((await house.get('/out/a')).status, place === 'defaults' ? 202 : 200);
}

/** Something that accepts and says nothing, not even TLS. */
async function silentPort(t: Test): Promise<number> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => sockets.add(socket.on('error', () => socket.destroy())));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

/** The status and reason that a GET has, once so much time has passed and not a moment before. */
async function failsAfter(t: Test, conf: Conf, ms: number, url?: URL): Promise<string> {
  const house = await timed(t, conf, url);
  house.origin.script(hang());
  const client = await house.connect();
  client.send(request('GET', '/x'));
  let answer: string | undefined;
  const got = client.response().then((response) => {
    answer = `${response.status} ${detailOf(response)}`;
  });
  if (url === undefined) await house.origin.seen(1);
  else await turns(50);
  house.clock.advance(ms - 1);
  await turns(20);
  t.equal(answer, undefined, 'not before');
  house.clock.advance(1);
  await got;
  return answer ?? '';
}

async function statusOf(t: Test, conf: Conf, bytes: string): Promise<number> {
  const house = await openProxy(t, { conf });
  house.origin.respond(() => ({}));
  return (await house.ask(bytes)).status;
}

/** One request leads; what the second and third get that wait on it. */
async function waiting(t: Test, limits: Conf): Promise<OpenProxy & { clock: FakeClock }> {
  const house = await timed(t, { limits, origin: { timeouts: { headers: '1h' } } });
  house.origin.script(hang());
  const leader = await house.connect();
  leader.send(request('GET', '/x'));
  await house.origin.seen(1);
  return house;
}

async function waits(house: OpenProxy): Promise<number> {
  return metric(await house.metrics(), 'patina_waiters');
}

async function withCertificate(t: Test, tls: (caFile: string) => Conf): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), 'patina-keys-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'ca.pem');
  writeFileSync(file, CERT);
  const house = await openProxy(t, { origin: { tls: { cert: CERT, key: KEY } }, conf: { origin: { tls: tls(file) } } });
  house.origin.respond(() => ({}));
  return (await house.get('/x')).status;
}

const PROOFS: Readonly<Record<string, Proof>> = {
  workers: async (t) => {
    const crew = await startCrew(t, { workers: 2 });
    t.equal((await crew.workers()).length, 2);
  },
  listen: (t) => takesTheAddress(t, 'listen'),
  'admin.listen': (t) => takesTheAddress(t, 'admin'),
  'admin.token_file': async (t) => {
    const token_file = join(t.testdir({ token: 'a-token-of-the-file-1' }), 'token');
    const house = await openProxy(t, { conf: { admin: { listen: '127.0.0.1:0', token_file } } });
    const purge = (token: string) =>
      house.operate('POST', '/v1/purge', { tag: 'x' }, [`Authorization: Bearer ${token}`]);
    t.equal((await purge('a-token-of-the-file-1')).status, 200);
    t.equal((await purge('a-token-of-the-file-2')).status, 401);
  },
  'purge_methods.from': async (t) => {
    const ask = async (from: readonly string[]): Promise<number> => {
      const house = await openProxy(t, { conf: { purge_methods: { from } }, token: TOKEN });
      house.origin.respond(() => ({ status: 501 }));
      return (await house.ask(request('PURGE', '/a', `Authorization: Bearer ${TOKEN}`), 'PURGE')).status;
    };
    t.equal(await ask([]), 501, 'a method like any other');
    t.equal(await ask(['127.0.0.0/8']), 404);
    t.equal(await ask(['10.0.0.0/8', '::1']), 403);
  },
  name: async (t) => {
    const house = await openProxy(t, { conf: { name: 'edge-1' } });
    house.origin.respond(() => ({}));
    t.equal((await house.get('/')).field('via'), '1.1 edge-1');
    t.equal((await house.get('/', 'Via: 1.1 edge-1')).status, 508);
  },
  debug_header: async (t) => {
    const house = await openProxy(t, { conf: { debug_header: 'X-Word' } });
    house.origin.respond(() => ({}));
    const { field } = await house.get('/');
    t.strictSame([field('x-word'), field('cdn-cache')], ['MISS', undefined]);
  },
  fast_lane: async (t) => {
    for (const [lane, count] of [
      ['on', 1],
      ['off', 0],
    ] as const) {
      const house = await openProxy(t, { conf: { fast_lane: lane } });
      house.origin.respond(() => ({}));
      const client = await house.connect();
      t.equal((await client.send(request('GET', '/')).response()).status, 200);
      t.equal(metric(await house.metrics(), 'patina_fast_lane_connections'), count);
      t.equal(metric(await house.metrics(), 'patina_client_connections'), 1);
    }
  },
  'origin.url': async (t) => {
    const house = await openProxy(t);
    house.origin.respond(() => ({ body: 'from there' }));
    t.equal((await house.get('/')).body.toString(), 'from there');
  },
  'origin.host': async (t) => {
    const house = await openProxy(t, { conf: { origin: { host: 'b.example' } } });
    house.origin.respond(() => ({}));
    await house.get('/');
    await house.ask(request('POST', '/', 'Content-Length: 0'));
    t.strictSame(
      house.origin.requests.map(({ field }) => field('host')),
      ['b.example', 'b.example'],
    );
  },
  'origin.connections': async (t) => {
    const house = await openProxy(t, { conf: { origin: { connections: 1 } } });
    const barrier = createBarrier();
    house.origin.script(until(barrier), send('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'));
    house.origin.respond(() => ({}));
    const both = [house.get('/a'), house.get('/b')];
    await house.origin.seen(1);
    await turns(50);
    t.equal(house.origin.requestCount, 1);
    barrier.open();
    t.strictSame(
      (await Promise.all(both)).map(({ status }) => status),
      [200, 200],
    );
  },
  'origin.timeouts.connect': async (t) => {
    const url = new URL(`https://127.0.0.1:${await silentPort(t)}`);
    const conf = { origin: { timeouts: { connect: '3s', headers: '1h' } } };
    t.equal(await failsAfter(t, conf, 3000, url), '504 origin-connect-timeout');
  },
  'origin.timeouts.headers': async (t) => {
    t.equal(await failsAfter(t, { origin: { timeouts: { headers: '4s' } } }, 4000), '504 origin-headers-timeout');
  },
  'origin.timeouts.idle': async (t) => {
    const house = await timed(t, { origin: { timeouts: { idle: '5s' } } });
    house.origin.script(send('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf'), hang());
    const client = await house.connect();
    const response = await client.send(request('GET', '/x')).head();
    await response.received(4);
    house.clock.advance(4999);
    await turns(20);
    t.equal(client.socket.destroyed, false);
    house.clock.advance(1);
    await t.rejects(response.whole(), CutOff);
  },
  'origin.tls.ca_file': async (t) => {
    t.equal(await withCertificate(t, () => ({})), 502);
    t.equal(await withCertificate(t, (file) => ({ ca_file: file })), 200);
  },
  'origin.tls.verify': async (t) => {
    t.equal(await withCertificate(t, () => ({ verify: false })), 200);
  },
  'cache.memory': async (t) => {
    const house = await openProxy(t, { conf: { cache: { memory: '1MB' } } });
    const body = Buffer.alloc(600 * 1024);
    house.origin.respond(() => ({ fields: ['Cache-Control', 'max-age=60'], body }));
    await house.get('/large');
    t.equal(await word(house, '/large'), 'MISS', 'more than half of it is not stored');
    t.equal(metric(await house.metrics(), 'patina_budget_bytes'), 1024 * 1024);
  },
  ...DISK_PROOFS,
  'rules[].name': async (t) => {
    const house = await openProxy(t, { conf: { rules: [{ name: 'assets' }] } });
    house.origin.respond(() => ({}));
    await house.get('/');
    t.equal(house.answered[0]?.rule, 'assets');
  },
  'log.access': async (t) => {
    t.match(await logOf(t, { access: 'json' }, (_, port) => once(port)), /^\{.*"\/logged".*\}\n$/);
    t.match(await logOf(t, { access: 'pretty' }, (_, port) => once(port)), /^[^{]*GET \/logged .*MISS/m);
    t.equal(await logOf(t, { access: 'off' }, (_, port) => once(port)), '');
  },
  'log.sample': async (t) => {
    const many = async (_: OpenProxy, port: number): Promise<void> => {
      for (let i = 0; i < 8; i++) await once(port);
    };
    const countOf = async (sample: string): Promise<number> =>
      (await logOf(t, { access: 'json', sample }, many)).split('\n').length - 1;
    t.strictSame([await countOf('100%'), await countOf('25%'), await countOf('0%')], [8, 2, 0]);
  },
  'log.level': async (t) => {
    const serve = (_: OpenProxy, port: number): Promise<void> => refusesASecond(port);
    t.match(await logOf(t, { access: 'off', level: 'warn' }, serve), /too-many-connections/);
    t.equal(await logOf(t, { access: 'off', level: 'error' }, serve), '');
  },
  'limits.url': async (t) => {
    const bytes = request('GET', `/${'a'.repeat(300)}`);
    t.equal(await statusOf(t, { limits: { url: '256B' } }, bytes), 414);
    t.equal(await statusOf(t, {}, bytes), 200);
  },
  'limits.headers': async (t) => {
    const bytes = request('GET', '/', `X: ${'a'.repeat(2000)}`);
    t.equal(await statusOf(t, { limits: { headers: '1KB' } }, bytes), 431);
    t.equal(await statusOf(t, {}, bytes), 200);
  },
  'limits.header_count': async (t) => {
    const bytes = request('GET', '/', ...Array.from({ length: 9 }, (_, at) => `X${at}: a`));
    t.equal(await statusOf(t, { limits: { header_count: 8 } }, bytes), 431);
    t.equal(await statusOf(t, {}, bytes), 200);
  },
  'limits.head_timeout': async (t) => {
    const house = await timed(t, { limits: { head_timeout: '2s' } });
    const client = await house.connect();
    client.send('GET / HTTP/1.1\r\n');
    await turns(20);
    await pass(house.clock, 4000);
    t.equal((await client.response()).status, 408);
  },
  'limits.body_idle': async (t) => {
    const house = await timed(t, { limits: { body_idle: '2s' } });
    const client = await house.connect();
    client.send(request('POST', '/', 'Content-Length: 9')).send('half');
    await house.origin.seen(1);
    await pass(house.clock, 4000);
    t.equal((await client.response()).status, 408);
  },
  'limits.reply_idle': async (t) => {
    const house = await timed(t, { limits: { reply_idle: '2s' } });
    house.origin.respond(() => ({ body: Buffer.alloc(32 * 1024 * 1024) }));
    const client = await house.connect();
    client.pause();
    client.send(request('GET', '/'));
    await house.answers.reached(0);
    await house.origin.seen(1);
    await turns(200);
    await pass(house.clock, 5000);
    await settled(() => house.answered.length > 0);
    t.match(house.answered, [{ ending: 'aborted' }]);
    t.ok(house.notices.includes('reply-idle'));
  },
  'limits.keep_alive': async (t) => {
    const house = await timed(t, { limits: { keep_alive: '2s' } });
    house.origin.respond(() => ({}));
    const client = await house.connect();
    await client.send(request('GET', '/')).response();
    await pass(house.clock, 4000);
    t.equal(await client.ended, 'finished');
  },
  'limits.connections': async (t) => {
    const house = await openProxy(t, { conf: { limits: { connections: 1 } } });
    house.origin.respond(() => ({}));
    const first = await house.connect();
    await first.send(request('GET', '/')).response();
    t.equal((await house.get('/')).status, 503);
  },
  'limits.waiters': async (t) => {
    const house = await waiting(t, { waiters: 1 });
    const waiter = await house.connect();
    waiter.send(request('GET', '/x'));
    while ((await waits(house)) < 1) await turns(5);
    const third = await house.get('/x');
    t.strictSame([third.status, detailOf(third)], [503, 'too-many-waiters']);
  },
  'limits.wait': async (t) => {
    const house = await waiting(t, { wait: '2s' });
    const waiter = await house.connect();
    waiter.send(request('GET', '/x'));
    while ((await waits(house)) < 1) await turns(5);
    house.clock.advance(2000);
    const response = await waiter.response();
    t.strictSame([response.status, detailOf(response)], [504, 'waited-too-long']);
  },
  'limits.drain': async (t) => {
    const house = await timed(t, { limits: { drain: '2s' }, origin: { timeouts: { headers: '1h' } } });
    house.origin.script(hang());
    const client = await house.connect();
    client.send(request('GET', '/x'));
    await house.origin.seen(1);
    let isOver = false;
    const drained = house.proxy.drain().then(() => {
      isOver = true;
    });
    house.clock.advance(1999);
    await turns(50);
    t.equal(client.socket.closed, false, 'not before');
    house.clock.advance(1);
    await client.ended;
    // The origin hangs on, and does not hold up the end.
    while (!isOver) await pass(house.clock, 250);
    await drained;
  },
};

for (const place of ['defaults', 'rules'] as const) {
  const prefix = place === 'defaults' ? 'defaults' : 'rules[]';
  for (const key of Object.keys(LIVES)) {
    Object.assign(PROOFS, { [`${prefix}.${key}`]: (t: Test) => acts(t, key, place) });
  }
  Object.assign(PROOFS, { [`${prefix}.cold`]: (t: Test) => coldActs(t, place) });
}

Object.assign(PROOFS, RULE_PROOFS, REFRESH_PROOFS, WARM_PROOFS, REDIS_PROOFS);

t.test('section 7: every option of the table acts', async (t) => {
  const paths = optionRows().map(({ path }) => path);
  t.strictSame(Object.keys(PROOFS).sort(), [...paths].sort(), 'each has its proof, and each proof its option');
  for (const path of paths) {
    const proof = PROOFS[path];
    if (proof !== undefined) t.test(path, proof);
  }
});

/** A configuration in which one option has this value. */
function confWith(path: string, value: unknown): Conf {
  let conf: unknown = value;
  for (const step of path.split('.').reverse()) {
    conf = step.endsWith('[]') ? { [step.slice(0, -2)]: [{ name: 'r', ...(conf as object) }] } : { [step]: conf };
  }
  return conf as Conf;
}

function problemsWith(path: string, value: unknown): readonly string[] {
  try {
    readConfig(confWith(path, value));
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
}

/** What is refused where the usual bad values are good, or say too little. */
const BAD = { ...BAD_VALUES, ...BAD_WARM_VALUES, ...DISK_BAD_VALUES, ...BAD_REFRESH_VALUES, ...BAD_REDIS_VALUES };

t.test('section 7: every option of the table refuses a bad value, and says which', async (t) => {
  const bad = ['!?', '', null, 'a b', { zzz: 1 }, [['!?']]];
  for (const { path } of optionRows()) {
    for (const value of BAD[path] ?? bad) {
      const spelled = path.replace('[]', '.0');
      t.ok(
        problemsWith(path, value).some((problem) => problem.includes(spelled)),
        `${path}: ${JSON.stringify(value)}`,
      );
    }
  }
});
