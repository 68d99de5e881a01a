// Goal: a shared tier that is there and cannot be used is told of, with why, and is not tried by clients. Method: a proxy with a fake clock before a server that plays Redis: it takes no writes, greets nobody, or is none at all.
import { rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import {
  SHARED_HUNG_PROBES,
  SHARED_LINK_TIMEOUT_MS,
  SHARED_LOG_EVERY_MS,
  SHARED_PROBE_FIRST_MS,
  SHARED_START_MS,
} from '../../lib/base/shared-limits.js';
import { turns } from '../kit/barrier.js';
import { FakeClock } from '../kit/clock.js';
import { type FakeRedis, hang, startFakeRedis } from '../kit/fake-redis.js';
import { type OpenProxy, openProxy } from '../kit/proxy-kit.js';
import { eventually } from '../kit/redis-server.js';
import { CERT, KEY } from '../origin/certificate.js';

interface House {
  readonly clock: FakeClock;
  readonly house: OpenProxy;
  /** How long the start took. */
  readonly startMs: number;
  said(): string[];
}

async function before(t: Test, redis: Readonly<Record<string, unknown>>): Promise<House> {
  const clock = new FakeClock();
  const begunAt = clock.now();
  let isOpen = false;
  const opening = openProxy(t, { clock, conf: { cache: { redis: { timeout: '500ms', ...redis } } } }).finally(() => {
    isOpen = true;
  });
  // A start waits for a server that says nothing (SHARED_START_MS).
  for (; !isOpen; clock.advance(1)) await turns();
  const house = await opening;
  const startMs = clock.now() - begunAt;
  house.origin.respond(({ target }) => ({ fields: ['Cache-Control', 'max-age=60'], body: target }));
  return { clock, house, startMs, said: () => house.said.filter((line) => line.startsWith('shared-')) };
}

const urlOf = (fake: FakeRedis): string => `redis://127.0.0.1:${fake.port}`;

const REFUSALS = [
  "OOM command not allowed when used memory > 'maxmemory'.",
  "READONLY You can't write against a read only replica.",
  'MISCONF Redis is configured to save RDB snapshots, but it is currently unable to persist to disk.',
];

for (const refusal of REFUSALS) {
  const [word = ''] = refusal.split(' ');
  t.test(`issue 5: a Redis that takes no writes (${word}) counts as gone for as long, and says so once`, async (t) => {
    const fake = await startFakeRedis(t);
    const { clock, house, said } = await before(t, { url: urlOf(fake) });
    await eventually(() => said().length === 1, 'it is used');
    for (const write of ['SET', 'SETNX', 'look', 'keep']) fake.answers[write] = () => new Error(refusal);
    // Nobody asks for anything: what it is read for all the time is enough to know it.
    clock.advance(SHARED_LOG_EVERY_MS);
    await eventually(() => said().length === 2, 'it is told');
    t.match(said()[1], new RegExp(`^shared-down: .*${word}`));
    for (let n = 0; n < 5; n++) {
      const tries = fake.sent('SETNX').length;
      const isTried = (): boolean => {
        clock.advance(SHARED_PROBE_FIRST_MS);
        return fake.sent('SETNX').length > tries;
      };
      await eventually(isTried, 'it is tried');
      t.equal((await house.get(`/${n}`)).body.toString(), `/${n}`);
    }
    t.same(fake.sent('look'), [], 'while it is gone no client tries it');
    t.ok(fake.sent('SUBSCRIBE').length > 1, 'the name may lead to another server by now: connections are made anew');
    t.equal(said().length, 2, 'and it does not come back between two tries');
    for (const write of ['SET', 'SETNX']) fake.answers[write] = () => 'OK';
    const isBack = (): boolean => {
      clock.advance(SHARED_PROBE_FIRST_MS);
      return said().length === 3;
    };
    await eventually(isBack, 'it takes writes again');
    t.match(said()[2], /^shared-up/);
  });
}

t.test('issue 5: a server that greets nobody is told of, and its connections are made anew', async (t) => {
  const fake = await startFakeRedis(t);
  fake.answers['INFO'] = () => hang;
  const { clock, house, said, startMs } = await before(t, { url: urlOf(fake) });
  await eventually(() => fake.sent('INFO').length === 2, 'both connections ask');
  t.ok(startMs >= SHARED_START_MS, 'the start waited for it, and no longer');
  clock.advance(SHARED_LINK_TIMEOUT_MS - 1 - startMs);
  t.same(said(), []);
  t.equal((await house.get('/a')).body.toString(), '/a');
  clock.advance(1);
  t.match(said(), [/^shared-down: .*no answer/]);
  t.equal(fake.sent('INFO').length, 2, 'they are given some more time');
  delete fake.answers['INFO'];
  fake.answers['INFO'] = () => Buffer.from('# Server\r\nredis_version:7.0.0\r\nloading:0\r\n');
  for (let more = 1; more < SHARED_HUNG_PROBES; more++) clock.advance(SHARED_LINK_TIMEOUT_MS);
  await eventually(() => said().length === 2, 'the new ones are answered');
  t.match(said()[1], /^shared-up/);
});

t.test('issue 5: a server that lets nobody listen is told of, with why', async (t) => {
  const fake = await startFakeRedis(t);
  fake.answers['SUBSCRIBE'] = () => new Error("NOPERM this user has no permissions to run the 'subscribe' command");
  const { clock, house, said } = await before(t, { url: urlOf(fake) });
  await eventually(() => said().length === 1, 'at once');
  t.match(said()[0], /^shared-down: .*NOPERM.*subscribe/);
  t.equal((await house.get('/a')).body.toString(), '/a');
  t.same(fake.sent('look'), []);
  delete fake.answers['SUBSCRIBE'];
  const isUsed = (): boolean => {
    clock.advance(SHARED_LINK_TIMEOUT_MS);
    return said().length === 2;
  };
  await eventually(isUsed, 'it is tried again');
  t.match(said()[1], /^shared-up/);
});

t.test('issue 5: what answers there and is no Redis is named as that', async (t) => {
  const web = createServer((socket) => {
    socket.on('error', () => {});
    socket.on('data', () => socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n'));
  });
  await new Promise<void>((resolve) => web.listen(0, '127.0.0.1', resolve));
  t.teardown(() => web.close());
  const { port } = web.address() as { port: number };
  const { said } = await before(t, { url: `redis://127.0.0.1:${port}` });
  await eventually(() => said().length === 1, 'it is told');
  t.match(said()[0], /^shared-down: .*not speak the protocol of Redis.*TLS/);
});

t.test('a file of certificates that has gone since the start is no end where connections are made anew', async (t) => {
  const fake = await startFakeRedis(t, { key: KEY, cert: CERT });
  const caFile = join(t.testdir({}), 'ca.pem');
  writeFileSync(caFile, CERT);
  fake.answers['INFO'] = () => hang;
  const url = `rediss://127.0.0.1:${fake.port}`;
  const { clock, said } = await before(t, { url, tls: { ca_file: caFile } });
  await eventually(() => fake.sent('INFO').length === 2, 'both connections ask');
  rmSync(caFile);
  fake.answers['INFO'] = () => Buffer.from('# Server\r\nredis_version:7.0.0\r\nloading:0\r\n');
  for (let late = 0; late < SHARED_HUNG_PROBES; late++) clock.advance(SHARED_LINK_TIMEOUT_MS);
  await eventually(() => said().some((line) => line.startsWith('shared-up')), 'it is used');
});
