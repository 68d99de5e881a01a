// Goal: no client, however slow or rude, delays another, holds memory, or gets an answer that is not its own.
// Method: raw clients that dribble, stall, pipeline, leave; the front's timers by FakeClock, everything else by barriers.
import t from 'tap';
import {
  CONNECTION_SWEEP_MS,
  KEEP_ALIVE_TIMEOUT_MS,
  REPLY_IDLE_TIMEOUT_MS,
  REQUEST_HEAD_TIMEOUT_MS,
} from '../../lib/base/limits.js';
import { createBarrier, turns } from '../kit/barrier.js';
import { FakeClock } from '../kit/clock.js';
import { detailOf, HOST, metric, openProxy, request, settled } from '../kit/proxy-kit.js';
import { CutOff } from '../kit/raw-client.js';
import { finish, send, until } from '../kit/scripted-origin.js';

const STORED = ['Cache-Control', 'max-age=3600', 'ETag', '"1"'];

/** Moves time on sweep by sweep, with the event loop turning in between. */
async function pass(clock: FakeClock, ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += CONNECTION_SWEEP_MS) {
    clock.advance(CONNECTION_SWEEP_MS);
    await turns(1);
  }
}

t.test('limits: a slow head is answered 408, be it silent or dribbling', async (t) => {
  for (const isDribbling of [false, true]) {
    const clock = new FakeClock();
    const house = await openProxy(t, { clock });
    const client = await house.connect();
    client.send('GET /x HTTP/1.1\r\nHost: ');
    await turns(20);
    for (let ms = 0; ms < REQUEST_HEAD_TIMEOUT_MS + 2 * CONNECTION_SWEEP_MS; ms += CONNECTION_SWEEP_MS) {
      if (isDribbling && !client.socket.destroyed) client.send('a');
      await turns(5);
      clock.advance(CONNECTION_SWEEP_MS);
    }
    const response = await client.response();
    t.equal(response.status, 408);
    t.equal(detailOf(response), 'request-timeout');
    t.equal(house.origin.requestCount, 0);
    t.match(house.answered, [{ status: 408, outcome: 'ERROR' }]);
  }
});

t.test('a head that comes byte by byte, in time, is a request', async (t) => {
  const house = await openProxy(t);
  house.origin.respond(({ target }) => ({ body: target }));
  const client = await house.connect();
  for (const byte of request('GET', '/slow')) {
    client.send(byte);
    await turns(1);
  }
  t.equal((await client.response()).body.toString(), '/slow');
});

t.test('limits: an idle connection is closed without a word', async (t) => {
  const clock = new FakeClock();
  const house = await openProxy(t, { clock });
  house.origin.respond(() => ({ body: 'x' }));
  const client = await house.connect();
  await client.send(request('GET', '/x')).response();
  await pass(clock, KEEP_ALIVE_TIMEOUT_MS - CONNECTION_SWEEP_MS);
  t.equal((await client.send(request('GET', '/y')).response()).status, 200);
  await pass(clock, KEEP_ALIVE_TIMEOUT_MS + 2 * CONNECTION_SWEEP_MS);
  t.equal(await client.ended, 'finished');
  t.equal(client.surplusBytes, 0);
});

t.test('RFC 9112 §9.3.2: five pipelined requests of mixed outcome are answered in order', async (t) => {
  const house = await openProxy(t);
  house.origin.respond(({ target }) => ({ fields: STORED, body: target }));
  await house.get('/hit');
  const barrier = createBarrier();
  house.origin.respond(async ({ target, method }) => {
    if (target === '/slow') await barrier.passed;
    if (target === '/error') return { status: 503, body: 'down' };
    return { fields: STORED, body: `${method} ${target}` };
  });
  const client = await house.connect();
  client.send(
    request('GET', '/slow') +
      request('GET', '/hit') +
      `${request('POST', '/post', 'Content-Length: 3')}abc` +
      request('GET', '/error') +
      request('GET', '/hit', 'If-None-Match: "1"'),
  );
  await settled(() => house.origin.requestCount >= 2);
  t.equal(client.receivedBytes, 0, 'the fast ones wait for the slow one');
  barrier.open();
  const seen: unknown[] = [];
  for (let i = 0; i < 5; i++) {
    const response = await client.response();
    seen.push([response.status, response.body.toString(), response.field('cdn-cache')]);
  }
  t.strictSame(seen, [
    [200, 'GET /slow', 'MISS'],
    [200, '/hit', 'HIT'],
    [200, 'POST /post', 'BYPASS'],
    [503, 'down', 'ERROR'],
    [304, '', 'HIT'],
  ]);
});

t.test('RFC 9112 §9.6: a client that half-closes after its requests gets all answers', async (t) => {
  const house = await openProxy(t);
  house.origin.respond(({ target }) => ({ body: target }));
  const client = await house.connect();
  client.send(request('GET', '/1') + request('GET', '/2')).finish();
  t.equal((await client.response()).body.toString(), '/1');
  t.equal((await client.response()).body.toString(), '/2');
  t.equal(await client.ended, 'finished');
});

t.test('RFC 9112 §9.3: HTTP/1.0 closes unless it asked to keep alive; Connection: close closes', async (t) => {
  const house = await openProxy(t);
  house.origin.respond(() => ({ fields: STORED, body: 'x' }));
  for (const method of ['GET', 'POST']) {
    const old = `${method} /x HTTP/1.0\r\nHost: ${HOST}\r\nContent-Length: 0\r\n`;
    const closing = await house.connect();
    t.equal((await closing.send(`${old}\r\n`).response()).body.toString(), 'x');
    t.equal(await closing.ended, 'finished');
    const keeping = await house.connect();
    for (let i = 0; i < 3; i++) {
      const response = await keeping.send(`${old}Connection: keep-alive\r\n\r\n`).response();
      t.equal(response.field('connection'), 'keep-alive', method);
    }
    const last = await house.connect();
    const response = await last.send(request(method, '/x', 'Connection: close', 'Content-Length: 0')).response();
    t.equal(response.field('connection'), 'close', method);
    t.equal(await last.ended, 'finished');
  }
});

t.test('design 3: a client that leaves before the head cancels nothing that others, or the store, want', async (t) => {
  const house = await openProxy(t);
  const barrier = createBarrier();
  house.origin.script(
    until(barrier),
    send(`HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: 1\r\n\r\na`),
  );
  const leader = await house.connect();
  leader.send(request('GET', '/x'));
  await house.origin.seen(1);
  const other = await house.connect();
  other.send(request('GET', '/x'));
  leader.reset();
  await house.answers.reached(1);
  t.match(house.answered, [{ status: 499, reason: 'client-left', ending: 'aborted' }]);
  barrier.open();
  t.equal((await other.response()).body.toString(), 'a');
  t.equal((await house.get('/x')).field('cdn-cache'), 'HIT');
  t.equal(house.origin.requestCount, 1);
});

t.test('design 3: a client that leaves within the body does not break it for others, or for the store', async (t) => {
  const house = await openProxy(t);
  const barrier = createBarrier();
  house.origin.script(
    send('HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: 6\r\n\r\nabc'),
    until(barrier),
    send('def'),
  );
  const leader = await house.connect();
  await (await leader.send(request('GET', '/x')).head()).received(3);
  const other = await house.connect();
  const follower = await other.send(request('GET', '/x')).head();
  await follower.received(3);
  leader.reset();
  await house.answers.reached(1);
  barrier.open();
  t.equal((await follower.whole()).body.toString(), 'abcdef');
  t.equal((await house.get('/x')).field('cdn-cache'), 'HIT');
});

t.test('design 3: where nobody wants an uncacheable answer any more, the origin is let go', async (t) => {
  const house = await openProxy(t);
  house.origin.script(send('HTTP/1.1 200 OK\r\nCache-Control: private\r\nContent-Length: 6\r\n\r\nabc'));
  const client = await house.connect();
  await (await client.send(request('GET', '/x')).head()).received(3);
  client.reset();
  await house.origin.departed(1);
  await house.asks.reached(1);
  t.match(house.asked, [{ end: 'uncacheable' }]);
});

const LARGE_BYTES = 50_000_000;

for (const [kind, cacheControl, limit] of [
  ['stored', 'max-age=3600', '256MB'],
  ['private', 'private', '256MB'],
  ['too large for the budget', 'max-age=3600', '16MB'],
] as const) {
  t.test(
    `limits: a client that takes no byte of 50 MB (${kind}) delays nobody and is cut off after reply_idle`,
    async (t) => {
      const clock = new FakeClock();
      const house = await openProxy(t, {
        clock,
        conf: { cache: { memory: limit }, origin: { timeouts: { idle: '1h' } } },
      });
      let isSent = false;
      const head = `HTTP/1.1 200 OK\r\nCache-Control: ${cacheControl}\r\nContent-Length: ${LARGE_BYTES}\r\n\r\n`;
      house.origin.script(send(head), send(Buffer.alloc(LARGE_BYTES)), () => {
        isSent = true;
      });
      house.origin.respond(({ target }) => ({ body: target }));
      const slow = await house.connect();
      slow.pause();
      slow.send(request('GET', '/large'));
      await house.origin.seen(1);
      // A body for the store comes in at the origin's pace; any other only as fast as its one reader takes it.
      if (kind === 'stored') await settled(() => isSent);
      else {
        await turns(500);
        t.notOk(isSent, 'the origin is held back');
      }
      t.equal((await house.get('/other')).body.toString(), '/other', 'another client is not delayed');
      await turns(50);
      await pass(clock, REPLY_IDLE_TIMEOUT_MS + 3 * CONNECTION_SWEEP_MS);
      await settled(() => house.answered.some(({ target }) => target === '/large'));
      t.match(
        house.answered.find(({ target }) => target === '/large'),
        { ending: 'aborted' },
      );
      t.ok(house.notices.includes('reply-idle'));
      slow.resume();
      await t.rejects(slow.response(), CutOff);
      const metrics = await house.metrics();
      t.equal(metric(metrics, 'patina_reserved_bytes'), 0);
      t.equal(metric(metrics, 'patina_objects'), kind === 'stored' ? 1 : 0);
    },
  );
}

t.test('RFC 9110 §9.3.6: a CONNECT behind a reply that the client takes slowly takes nothing of it', async (t) => {
  const house = await openProxy(t, { conf: { fast_lane: 'off' } });
  const body = Buffer.alloc(8_000_000, 'b');
  house.origin.respond(() => ({ fields: ['Cache-Control', 'no-store'], body }));
  const client = await house.connect();
  client.pause();
  client.send(`${request('GET', '/x')}CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n`);
  await house.origin.seen(1);
  await turns(50);
  client.resume();
  t.ok((await client.response()).body.equals(body));
  t.equal((await client.response()).status, 501);
  t.equal(await client.ended, 'finished');
});

t.test('RFC 9112 §9.6: what is passed and breaks off takes nothing of the reply before it', async (t) => {
  const house = await openProxy(t);
  const body = Buffer.alloc(900_000, 'b');
  house.origin.respond(() => ({ fields: STORED, body }));
  await house.get('/large');
  const client = await house.connect();
  client.socket.allowHalfOpen = true;
  client.pause();
  const barrier = createBarrier();
  house.origin.script(send('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc'), until(barrier), finish());
  client.send(`${request('GET', '/large')}${request('POST', '/cut', 'Content-Length: 3')}abc`);
  await settled(() => house.answered.length === 2);
  await house.origin.seen(2);
  await turns(20);
  barrier.open();
  await settled(() => house.answered.length === 3);
  t.match(house.answered[2], { target: '/cut', ending: 'aborted' });
  client.send(request('GET', '/never'));
  await turns(20);
  client.resume();
  t.ok((await client.response()).body.equals(body));
  t.equal((await (await client.head()).received(3)).toString(), 'abc');
  t.equal(await client.ended, 'finished');
  t.equal(house.origin.requestCount, 2);
  client.close();
});
