// Goal: clients that take large responses slowly, or not at all, hold no more memory than `cache.memory` says, whatever
// becomes of what they take, and all of it is given back. Method: real sockets that do not read, bodies larger than what the
// kernel takes, a small budget; what is charged is read from the metrics, and what came whole from the origin is counted.
import { randomBytes } from 'node:crypto';
import t, { type Test } from 'tap';
import { CONNECTION_SWEEP_MS, REPLY_IDLE_TIMEOUT_MS } from '../../lib/base/limits.js';
import { MAX_HELD_UP_MS } from '../../lib/base/origin-limits.js';
import { createBarrier, turns } from '../kit/barrier.js';
import { FakeClock } from '../kit/clock.js';
import { makeDirectory } from '../kit/disk.js';
import {
  detailOf,
  HOST,
  metric,
  type OpenOptions,
  type OpenProxy,
  openProxy,
  request,
  settled,
  TOKEN,
} from '../kit/proxy-kit.js';
import type { RawClient, RawResponse } from '../kit/raw-client.js';
import { finish, send, until } from '../kit/scripted-origin.js';

const MB = 1024 * 1024;
const BODY = randomBytes(16 * MB);
const STORED = ['Cache-Control', 'max-age=3600', 'ETag', '"1"'];
const CONF = { cache: { memory: '64MB' } };

async function openLarge(t: Test, options: OpenOptions = {}): Promise<OpenProxy> {
  const house = await openProxy(t, { conf: CONF, token: TOKEN, ...options });
  house.origin.respond(({ target }) => ({ fields: STORED, body: target.startsWith('/small') ? 'small' : BODY }));
  return house;
}

interface Stalled {
  readonly client: RawClient;
  readonly response: RawResponse;
}

/** A client that has the head of its reply, and reads no further. */
async function stall(house: OpenProxy, target: string, ...lines: string[]): Promise<Stalled> {
  const client = await house.connect();
  const response = await client.send(request('GET', target, ...lines)).head();
  client.pause();
  return { client, response };
}

interface Charged {
  readonly stored: number;
  readonly reserved: number;
  readonly held: number;
}

async function charged(house: OpenProxy): Promise<Charged> {
  const metrics = await house.metrics();
  const [stored, reserved, held] = ['stored', 'reserved', 'held'].map((what) =>
    metric(metrics, `patina_${what}_bytes`),
  );
  return { stored: stored ?? 0, reserved: reserved ?? 0, held: held ?? 0 };
}

async function holdsNothing(house: OpenProxy): Promise<void> {
  while ((await charged(house)).held > 0) await turns(1);
}

t.test(
  'clients that stall, each with a body of its own, hold no more than the budget, and what is small is stored on',
  async (t) => {
    const house = await openLarge(t);
    for (let at = 0; at < 3; at++) t.equal(detailOf(await house.get(`/small/${at}`)), 'uri-miss');
    const stalled: Stalled[] = [];
    for (let at = 0; at < 8; at++) {
      stalled.push(await stall(house, `/${at}`));
      // What is meant for the store comes whole, whoever takes it.
      if (at < 3) await settled(() => house.asked.length === 4 + at);
    }
    const reasons = stalled.map(({ response }) => detailOf(response));
    t.strictSame(
      reasons,
      ['uri-miss', 'uri-miss', 'uri-miss', ...Array(5).fill('no-room')],
      'three quarters are for those',
    );
    const { stored, reserved, held } = await charged(house);
    const whole = house.asked.filter(({ bodyBytes }) => bodyBytes === BODY.length).length;
    t.ok(stored + reserved + held >= whole * BODY.length, 'what came whole is charged');
    t.ok(stored + reserved + held <= 64 * MB);
    for (let at = 0; at < 3; at++) t.equal((await house.get(`/small/${at}`)).field('cdn-cache'), 'HIT');
    t.equal((await house.get('/small/new')).field('cdn-cache'), 'MISS');
    t.equal((await house.get('/small/new')).field('cdn-cache'), 'HIT');
    for (const { client, response } of stalled) {
      client.resume();
      t.ok((await response.whole()).body.equals(BODY), 'each gets all of its body');
    }
    t.match(await charged(house), { reserved: 0, held: 0 });
  },
);

t.test('what is purged while clients take it is charged until the last has all of it, or leaves', async (t) => {
  const house = await openLarge(t);
  t.ok((await house.get('/x')).body.equals(BODY));
  const slow = await stall(house, '/x');
  const rude = await stall(house, '/x');
  t.match(await charged(house), { held: 0 }, 'it is charged as stored');
  t.equal(house.proxy.purgeUrl(`http://${HOST}/x`), 1);
  t.match(await charged(house), { stored: 0, held: BODY.length });
  rude.client.reset();
  await house.answers.reached(2);
  t.match(await charged(house), { held: BODY.length }, 'one is left');
  slow.client.resume();
  t.ok((await slow.response.whole()).body.equals(BODY));
  await holdsNothing(house);
});

t.test('each body that was replaced while a client takes it is charged', async (t) => {
  const house = await openLarge(t);
  const taken: [Stalled, Buffer][] = [];
  for (let at = 0; at < 3; at++) {
    const body = randomBytes(12 * MB);
    house.origin.respond(() => ({ fields: ['Cache-Control', 'max-age=0', 'ETag', `"${at}"`], body }));
    t.ok((await house.get('/x')).body.equals(body));
    // It is validated at each use.
    house.origin.respond(() => ({ status: 304, fields: ['ETag', `"${at}"`] }));
    taken.push([await stall(house, '/x'), body]);
  }
  const { stored, held } = await charged(house);
  t.equal(held, 24 * MB);
  t.ok(stored >= 12 * MB);
  for (const [{ client, response }, body] of taken) {
    client.resume();
    t.ok((await response.whole()).body.equals(body), 'and each client gets its own');
  }
  await holdsNothing(house);
});

t.test('RFC 9110 §14.2: a part of a large body holds it, one part or several; HEAD and 304 hold nothing', async (t) => {
  for (const range of ['bytes=0-14999999', 'bytes=0-9999999,10000001-15999999']) {
    const house = await openLarge(t);
    await house.get('/x');
    const slow = await stall(house, '/x', `Range: ${range}`);
    t.equal(slow.response.status, 206);
    for (const [method, ...lines] of [['HEAD'], ['GET', 'If-None-Match: "1"']] as const) {
      const client = await house.connect();
      client.pause();
      client.send(request(method, '/x', ...lines));
    }
    await house.answers.reached(3);
    house.proxy.purgeUrl(`http://${HOST}/x`);
    t.match(await charged(house), { stored: 0, held: BODY.length }, range);
    slow.client.reset();
    await holdsNothing(house);
  }
});

t.test('whoever joined a body that arrived, and takes it slowly, holds it once it is complete', async (t) => {
  const house = await openLarge(t);
  const barrier = createBarrier();
  house.origin.script(
    send(`HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: ${BODY.length}\r\n\r\n`),
    send(BODY.subarray(0, 100)),
    until(barrier),
    send(BODY.subarray(100)),
  );
  const [first, second] = [await stall(house, '/x'), await stall(house, '/x')];
  t.equal(house.origin.requestCount, 1);
  t.match(await charged(house), { reserved: BODY.length, held: 0 });
  barrier.open();
  await settled(() => house.asked.length === 1);
  t.match(await charged(house), { reserved: 0, held: 0 });
  house.proxy.purgeUrl(`http://${HOST}/x`);
  t.match(await charged(house), { stored: 0, held: BODY.length });
  for (const { client, response } of [first, second]) {
    client.resume();
    t.ok((await response.whole()).body.equals(BODY));
  }
  await holdsNothing(house);
});

t.test('what is purged while it arrives, or breaks off, is charged for who takes what there is of it', async (t) => {
  for (const isWhole of [true, false]) {
    const house = await openLarge(t, { conf: { ...CONF, defaults: { keep: '0s' } } });
    const barrier = createBarrier();
    house.origin.script(
      send(`HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: ${BODY.length + 1}\r\n\r\n`),
      send(BODY),
      until(barrier),
      isWhole ? send('x') : finish(),
    );
    const slow = await stall(house, '/x');
    house.proxy.purgeUrl(`http://${HOST}/x`);
    barrier.open();
    await settled(() => house.asked.length === 1);
    const { held, reserved } = await charged(house);
    t.equal(reserved, 0);
    t.ok(held >= BODY.length, `${isWhole ? 'purged' : 'cut off'}: ${held}`);
    slow.client.reset();
    await holdsNothing(house);
  }
});

t.test('replies that were written at once are charged for as long as the kernel has not taken them', async (t) => {
  const body = randomBytes(MB - 1000);
  const house = await openLarge(t);
  house.origin.respond(() => ({ fields: STORED, body }));
  for (const fill of ['/x', '/y']) await house.get(fill);
  for (const count of [1, 30]) {
    // Once it is made of what memory holds, and once kept ready.
    const client = await house.connect();
    client.pause();
    client.send(request('GET', '/x').repeat(20 + count));
    const answered = house.answered.length;
    await settled(() => house.answered.length >= answered + 2);
    await turns(100);
    t.ok(house.answered.length < answered + 20, 'it is stuck');
    house.proxy.purgeUrl(`http://${HOST}/x`);
    t.match(await charged(house), { held: body.length });
    client.reset();
    await holdsNothing(house);
    await house.get('/x');
  }
});

t.test('limits.reply_idle ends those who take nothing, and what they held is free', async (t) => {
  const clock = new FakeClock();
  const house = await openLarge(t, { clock });
  await house.get('/x');
  await stall(house, '/x');
  house.proxy.purgeUrl(`http://${HOST}/x`);
  t.match(await charged(house), { held: BODY.length });
  for (let ms = 0; ms < REPLY_IDLE_TIMEOUT_MS + 3 * CONNECTION_SWEEP_MS; ms += CONNECTION_SWEEP_MS) {
    clock.advance(CONNECTION_SWEEP_MS);
    await turns(1);
  }
  await holdsNothing(house);
  t.ok(house.notices.includes('reply-idle'));
});

t.test('a reload that makes memory smaller takes what is held into account', async (t) => {
  const house = await openLarge(t, { next: () => ({ cache: { memory: '20MB' } }) });
  await house.get('/x');
  const slow = await stall(house, '/x');
  house.proxy.purgeUrl(`http://${HOST}/x`);
  t.equal((await house.proxy.reload()).kind, 'reloaded');
  t.match(await charged(house), { held: BODY.length });
  house.origin.respond(() => ({ fields: STORED, body: BODY.subarray(0, 8 * MB) }));
  t.equal(detailOf(await house.get('/y')), 'no-room');
  slow.client.resume();
  t.ok((await slow.response.whole()).body.equals(BODY));
  await holdsNothing(house);
  await house.get('/y');
  t.equal((await house.get('/y')).field('cdn-cache'), 'HIT');
});

t.test('with a disk tier large bodies are read from there as clients take them, and hold no memory', async (t) => {
  const directory = makeDirectory(t);
  const house = await openLarge(t, {
    conf: { cache: { memory: '16MB', disk: { path: directory, size: '1GB' } }, limits: { reply_idle: '1h' } },
  });
  const stalled: Stalled[] = [];
  for (let at = 0; at < 6; at++) {
    stalled.push(await stall(house, `/${at}`));
    await settled(() => house.asked.length === at + 1);
  }
  const { stored, reserved, held } = await charged(house);
  t.ok(stored + reserved + held < MB);
  for (const { client, response } of stalled) {
    client.resume();
    t.ok((await response.whole()).body.equals(BODY));
  }
});

t.test(
  'origin.connections: an answer that is not stored, and whose client is slow, gives way to one that waits, and no more than one does',
  async (t) => {
    const clock = new FakeClock();
    const house = await openLarge(t, {
      clock,
      conf: { origin: { connections: 3, timeouts: { idle: '1h' } }, limits: { reply_idle: '1h' } },
    });
    house.origin.respond(({ target }) => ({
      fields: ['Cache-Control', 'no-store'],
      body: target === '/waits' ? 'waited' : BODY,
    }));
    const slow: Stalled[] = [];
    for (let at = 0; at < 3; at++) slow.push(await stall(house, `/${at}`));
    await turns(500);
    for (let ms = 0; ms < 10 * MAX_HELD_UP_MS; ms += 1000) {
      clock.advance(1000);
      await turns(1);
    }
    t.equal(house.asked.length, 0, 'while nobody waits each has its time');
    const waiting = house.get('/waits');
    while (metric(await house.metrics(), 'patina_origin_requests_queued') === 0) await turns(1);
    for (let ms = 0; ms <= MAX_HELD_UP_MS; ms += 1000) {
      clock.advance(1000);
      await turns(5);
    }
    t.equal((await waiting).body.toString(), 'waited');
    t.strictSame(
      house.asked.map(({ end, reason }) => [end, reason]),
      [
        ['abandoned', 'client-slow'],
        ['uncacheable', 'no-store'],
      ],
    );
    t.ok(house.notices.includes('client-slow'));
    const endings = await Promise.all(
      slow.map(({ client, response }) => {
        client.resume();
        return response.whole().then(
          ({ body }) => body.equals(BODY),
          () => 'cut off',
        );
      }),
    );
    t.strictSame(endings.sort(), ['cut off', true, true], 'never a clean end that is none');
  },
);

t.test('origin.connections: an answer that waits for its turn on its connection gives way to nobody', async (t) => {
  const clock = new FakeClock();
  const barrier = createBarrier();
  const house = await openLarge(t, {
    clock,
    conf: { origin: { connections: 2, timeouts: { idle: '1h', headers: '1h' } }, limits: { reply_idle: '1h' } },
  });
  house.origin.script(until(barrier), send('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfirst'));
  house.origin.respond(() => ({ fields: ['Cache-Control', 'no-store'], body: BODY }));
  const client = await house.connect();
  client.send(request('GET', '/first'));
  await house.origin.seen(1);
  client.send(request('GET', '/second'));
  await house.origin.seen(2);
  await turns(500);
  const waiting = house.get('/waits');
  while (metric(await house.metrics(), 'patina_origin_requests_queued') === 0) await turns(1);
  for (let ms = 0; ms < 2.5 * MAX_HELD_UP_MS; ms += 1000) {
    clock.advance(1000);
    await turns(5);
  }
  t.notOk(house.notices.includes('client-slow'));
  barrier.open();
  t.equal((await client.response()).body.toString(), 'first');
  t.ok((await client.response()).body.equals(BODY));
  t.ok((await waiting).body.equals(BODY));
});
