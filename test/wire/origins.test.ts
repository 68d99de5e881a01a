// Goal: whatever becomes of the origin, clients get what is stored, or an error with its reason, in bounded time.
// Method: scripted origins that refuse, hang, dribble and die; small timeouts in the configuration, barriers elsewhere.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { BREAKER_FAILURES } from '../../lib/base/limits.js';
import { createBarrier, turns } from '../kit/barrier.js';
import { FakeClock } from '../kit/clock.js';
import { detailOf, metric, openProxy, request, settled } from '../kit/proxy-kit.js';
import { CutOff } from '../kit/raw-client.js';
import { finish, hang, readBody, reset, send, until } from '../kit/scripted-origin.js';
import { CERT, KEY } from '../origin/certificate.js';

const LANES = [
  ['GET', request('GET', '/x')],
  ['POST', request('POST', '/x', 'Content-Length: 0')],
] as const;
const PATIENT = { origin: { timeouts: { connect: '1h', headers: '1h', idle: '1h' } } };
const OK = 'HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: 2\r\n\r\nok';

t.test('an origin that refuses is a 502 with its reason, and is found again when it is back', async (t) => {
  const house = await openProxy(t);
  house.origin.respond(() => ({ body: 'back' }));
  await house.origin.stop();
  for (const [lane, bytes] of LANES) {
    const response = await house.ask(bytes);
    t.equal(response.status, 502, lane);
    t.equal(detailOf(response), 'origin-refused', lane);
    t.notMatch(response.body.toString(), /127\.0\.0\.1|ECONN/, 'who asks is not told where the origin is');
    t.equal(response.field('cdn-cache'), 'ERROR');
  }
  await house.origin.restart();
  for (const [lane, bytes] of LANES) t.equal((await house.ask(bytes)).body.toString(), 'back', lane);
});

t.test('an origin that accepts and never answers is a 504 after the headers timeout, on either lane', async (t) => {
  for (const [lane, bytes] of LANES) {
    const house = await openProxy(t, { conf: { origin: { timeouts: { headers: '50ms' } } } });
    house.origin.script(hang());
    const response = await house.ask(bytes);
    t.equal(response.status, 504, lane);
    t.equal(detailOf(response), 'origin-headers-timeout', lane);
    await house.origin.departed(1);
  }
});

t.test('promise 3: with a hung origin, what is in grace is served at once, to everybody', async (t) => {
  const clock = new FakeClock();
  const house = await openProxy(t, { clock, conf: PATIENT });
  house.origin.respond(() => ({
    fields: ['Cache-Control', 'max-age=10, stale-while-revalidate=60', 'ETag', '"1"'],
    body: 'x',
  }));
  await house.get('/x');
  house.origin.script(hang());
  clock.advance(11_000);
  for (let i = 0; i < 20; i++) {
    const response = await house.get('/x');
    t.equal(response.body.toString(), 'x');
    t.equal(response.field('cdn-cache'), 'UPDATING');
    t.equal(response.field('age'), '11');
  }
  t.equal(house.origin.requestCount, 2, 'one refresh for all');
});

t.test(
  'design 3: a slow first byte and a byte-slow body reach all waiters as they come, from one request',
  async (t) => {
    const house = await openProxy(t);
    const barriers = [createBarrier(), createBarrier(), createBarrier()] as const;
    const head = 'HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nTransfer-Encoding: chunked\r\n\r\n';
    house.origin.script(
      until(barriers[0]),
      send(`${head}1\r\na\r\n`),
      until(barriers[1]),
      send('1\r\nb\r\n'),
      until(barriers[2]),
      send('0\r\n\r\n'),
    );
    const clients = await Promise.all(Array.from({ length: 20 }, () => house.connect()));
    for (const client of clients) client.send(request('GET', '/x'));
    await house.origin.seen(1);
    await settledWaiters(house, 19);
    barriers[0].open();
    const heads = await Promise.all(clients.map((client) => client.head()));
    await Promise.all(heads.map((response) => response.received(1)));
    barriers[1].open();
    await Promise.all(heads.map((response) => response.received(2)));
    barriers[2].open();
    for (const response of heads) t.equal((await response.whole()).body.toString(), 'ab');
    t.equal(house.origin.requestCount, 1);
  },
);

async function settledWaiters(house: { metrics(): Promise<string> }, count: number): Promise<void> {
  while (metric(await house.metrics(), 'patina_waiters') < count) await turns(1);
}

t.test('an origin that stops within a body is cut off after the idle timeout, and nothing is stored', async (t) => {
  for (const [lane, bytes] of LANES) {
    const house = await openProxy(t, { conf: { origin: { timeouts: { idle: '50ms' } } } });
    house.origin.script(send('HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: 10\r\n\r\nabc'), hang());
    await t.rejects(house.ask(bytes), CutOff, lane);
    house.origin.respond(() => ({ body: 'fresh' }));
    t.equal((await house.get('/x')).body.toString(), 'fresh', lane);
  }
});

t.test(
  'RFC 9112 §9.3.1: a reused connection that dies before the first byte is retried once, never twice',
  async (t) => {
    for (const [lane, bytes] of [LANES[0], ['DELETE', request('DELETE', '/x')] as const]) {
      for (const die of [finish, reset]) {
        const house = await openProxy(t);
        house.origin.script(send('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'));
        await house.ask(bytes);
        house.origin.script(die());
        house.origin.script(send(OK));
        t.equal((await house.ask(bytes)).body.toString(), 'ok', lane);
        t.equal(house.origin.requestCount, 3);
        await house.origin.close();
      }
      const house = await openProxy(t);
      house.origin.script(send('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'));
      await house.ask(bytes);
      for (let i = 0; i < 5; i++) house.origin.script(reset());
      const response = await house.ask(bytes);
      t.equal(response.status, 502, lane);
      t.equal(detailOf(response), 'origin-reset');
      t.equal(house.origin.requestCount, 3, 'one retry');
    }
  },
);

t.test('RFC 9110 §9.2.2: what is not idempotent, or has a body, is never sent twice', async (t) => {
  for (const bytes of [
    request('POST', '/x', 'Content-Length: 0'),
    `${request('PUT', '/x', 'Content-Length: 3')}abc`,
    request('PATCH', '/x', 'Content-Length: 0'),
  ]) {
    const house = await openProxy(t);
    house.origin.script(readBody(), send('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'));
    await house.ask(bytes);
    house.origin.script(readBody(), reset());
    house.origin.respond(() => ({ body: 'again' }));
    t.equal((await house.ask(bytes)).status, 502);
    t.equal(house.origin.requestCount, 2);
  }
});

t.test('an idle connection that the origin closed is not used, and no request is lost to it', async (t) => {
  const house = await openProxy(t);
  house.origin.respond(() => ({ body: 'x' }));
  for (const [lane, bytes] of LANES) {
    t.equal((await house.ask(bytes)).status, 200, lane);
    house.origin.dropConnections();
    await house.origin.departed(house.origin.connectionCount);
    await settled(() => house.origin.openCount === 0);
    await turns(20);
    t.equal((await house.ask(bytes)).status, 200, lane);
  }
});

t.test('https: a certificate that nobody vouches for is a 502; with ca_file, or unverified, it is fine', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'patina-wire-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const caFile = join(folder, 'ca.pem');
  writeFileSync(caFile, CERT);
  for (const [tls, status] of [
    [{}, 502],
    [{ ca_file: caFile }, 200],
    [{ verify: false }, 200],
  ] as const) {
    const house = await openProxy(t, { origin: { tls: { key: KEY, cert: CERT } }, conf: { origin: { tls } } });
    house.origin.respond(() => ({ body: 'secure' }));
    for (const [lane, bytes] of LANES) {
      const response = await house.ask(bytes);
      t.equal(response.status, status, `${lane} ${JSON.stringify(Object.keys(tls))}`);
      if (status === 502) t.equal(detailOf(response), 'origin-tls');
      else t.equal(response.body.toString(), 'secure');
    }
  }
});

t.test('a name that does not resolve is a 502 with its reason', async (t) => {
  const house = await openProxy(t, { url: new URL('http://nowhere.invalid:8080') });
  const response = await house.get('/x');
  t.equal(response.status, 502);
  t.equal(detailOf(response), 'origin-unresolvable');
});

t.test(
  'after BREAKER_FAILURES in a row the origin is let be: 503 with Retry-After, until a probe is answered',
  async (t) => {
    const clock = new FakeClock();
    const house = await openProxy(t, { clock, conf: PATIENT });
    await house.origin.stop();
    for (let i = 0; i < BREAKER_FAILURES; i++) t.equal(detailOf(await house.get(`/${i}`)), 'origin-refused');
    const refused = await house.get('/refused');
    t.equal(refused.status, 503);
    t.equal(detailOf(refused), 'origin-breaker-open');
    t.ok(Number(refused.field('retry-after')) >= 1);
    await house.origin.restart();
    house.origin.respond(() => ({ body: 'back' }));
    clock.advance(60_000);
    await settled(() => house.origin.requestCount > 0);
    await turns(20);
    t.equal((await house.get('/back')).body.toString(), 'back');
    t.ok(metric(await house.metrics(), 'patina_breaker_transitions_total', 'to="closed"') >= 1);
  },
);

t.test('scar 19: a failing origin is asked for one stale key by the clock, not by traffic', async (t) => {
  const clock = new FakeClock();
  const house = await openProxy(t, { clock, conf: { ...PATIENT, defaults: { stale_if_error: '1h' } } });
  house.origin.respond(() => ({ fields: ['Cache-Control', 'max-age=1', 'ETag', '"1"'], body: 'x' }));
  await house.get('/x');
  house.origin.respond(() => ({ status: 503 }));
  const client = await house.connect();
  for (let ms = 0; ms < 10_000; ms += 50) {
    clock.advance(50);
    const response = await client.send(request('GET', '/x')).response();
    if (response.status !== 200) t.equal(response.status, 200);
  }
  t.ok(house.origin.requestCount - 1 <= 6, `${house.origin.requestCount - 1} attempts in 10 s`);
});
