// Goal: no upgrade outlives those who wanted it: not one whose client said its last word early, nor a refused one whose client stays. Method: the whole proxy, raw clients, a scripted origin, a FakeClock.
import { connect, type Socket } from 'node:net';
import t, { type Test } from 'tap';
import { LINGER_MS } from '../../lib/base/limits.js';
import { createBarrier, turns } from '../kit/barrier.js';
import { FakeClock } from '../kit/clock.js';
import { type OpenProxy, openProxy, request } from '../kit/proxy-kit.js';
import { finish, hang, type Step, send, until } from '../kit/scripted-origin.js';

const ASK = request('GET', '/chat', 'Connection: Upgrade', 'Upgrade: echo');
const SWITCH = 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n';
const STEP_MS = 1_000;
const MOST_STEPS = 120;

/** Waits for the end of what the client sends. */
const untilEnd: Step = (socket) => new Promise((resolve) => socket.once('end', resolve));

/** Moves time until the request is over; the time that it took. */
async function msUntilOver(house: OpenProxy, clock: FakeClock): Promise<number> {
  for (let i = 0; i < MOST_STEPS; i++) {
    if (house.answered.length > 0) return i * STEP_MS;
    clock.advance(STEP_MS);
    await turns(5);
  }
  return Number.POSITIVE_INFINITY;
}

t.test('RFC 9112 §9.6: a client that ends its side before the 101 ends it for the origin too', async (t) => {
  for (const early of ['', 'early']) {
    const house = await openProxy(t, { clock: new FakeClock() });
    const barrier = createBarrier();
    house.origin.script(until(barrier), send(SWITCH), untilEnd, send('bye'), finish());
    const client = await house.connect();
    client.send(`${ASK}${early}`).finish();
    await house.origin.seen(1);
    await turns(20);
    barrier.open();
    t.equal((await client.head()).status, 101);
    t.equal((await client.bytes(3)).toString(), 'bye');
    t.equal(await client.ended, 'finished');
  }
});

/** Asks for an upgrade, and does not end its side when we end ours. Resolves with all that came, at our end. */
async function askAndStay(t: Test, house: OpenProxy): Promise<() => Promise<string>> {
  const socket: Socket = connect({ port: house.port, host: '127.0.0.1', allowHalfOpen: true });
  t.teardown(() => socket.destroy());
  let came = '';
  socket.on('data', (chunk: Buffer) => {
    came += chunk.toString('latin1');
  });
  const ended = new Promise<string>((resolve) => socket.once('end', () => resolve(came)));
  socket.write(ASK);
  await house.origin.seen(1);
  await turns(20);
  return () => ended;
}

t.test('a client that keeps its side open behind a refused upgrade is not waited for', async (t) => {
  const clock = new FakeClock();
  const house = await openProxy(t, { clock });
  house.origin.script(send('HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno'));
  const ended = await askAndStay(t, house);
  t.match(await ended(), /^HTTP\/1\.1 403 [\s\S]*no$/);
  t.ok((await msUntilOver(house, clock)) <= LINGER_MS + STEP_MS);
  t.match(house.answered, [{ status: 403, ending: 'finished' }]);
});

t.test('nor behind an upgrade that the origin never answered', async (t) => {
  const clock = new FakeClock();
  const house = await openProxy(t, { clock, conf: { origin: { timeouts: { headers: '5s' } } } });
  house.origin.script(hang());
  const ended = await askAndStay(t, house);
  clock.advance(5_000);
  t.match(await ended(), /^HTTP\/1\.1 504 /);
  t.ok((await msUntilOver(house, clock)) <= LINGER_MS + STEP_MS);
});

t.test('a client that takes nothing of the reply to its upgrade is cut off', async (t) => {
  const clock = new FakeClock();
  const house = await openProxy(t, { clock, conf: { limits: { reply_idle: '10s' } } });
  const body = Buffer.alloc(16 * 1024 * 1024);
  house.origin.script(send(`HTTP/1.1 403 Forbidden\r\nContent-Length: ${body.length}\r\n\r\n`), send(body));
  const client = await house.connect();
  client.pause();
  client.send(ASK);
  await house.origin.seen(1);
  t.ok((await msUntilOver(house, clock)) < MOST_STEPS * STEP_MS);
  t.match(house.answered, [{ status: 403, ending: 'aborted' }]);
  client.close();
});
