// Goal: limits answer with their status, a drain finishes what runs within its bound, and SIGTERM ends with exit code 0.
// Method: the whole proxy in this process, and the built command as a child; scripted origins behind barriers.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import t, { type Test } from 'tap';
import { createBarrier, turns } from '../kit/barrier.js';
import { FakeClock } from '../kit/clock.js';
import { program } from '../kit/program.js';
import { detailOf, metric, openProxy, request } from '../kit/proxy-kit.js';
import { CutOff, connectRaw, exchangeRaw } from '../kit/raw-client.js';
import { hang, type ScriptedOrigin, send, startScriptedOrigin, until } from '../kit/scripted-origin.js';

const STORED = ['Cache-Control', 'max-age=60'];
const HALF = 'HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: 6\r\n\r\nabc';

t.test('limits: as many connections as allowed, one more is told so, and room is room again', async (t) => {
  const house = await openProxy(t, { conf: { limits: { connections: 3 } } });
  house.origin.respond(() => ({ fields: STORED, body: 'x' }));
  const clients = await Promise.all([house.connect(), house.connect(), house.connect()]);
  for (const client of clients) t.equal((await client.send(request('GET', '/x')).response()).status, 200);
  const refused = await house.connect();
  const response = await refused.send(request('GET', '/x')).response();
  t.equal(response.status, 503);
  t.equal(detailOf(response), 'too-many-connections');
  t.equal(await refused.ended, 'finished');
  clients[0]?.close();
  await turns(50);
  t.equal((await house.get('/x')).status, 200);
});

t.test('limits: waiting has a bound of its own, and a stale response is better than its end', async (t) => {
  const clock = new FakeClock();
  const patient = { timeouts: { headers: '1h', idle: '1h' } };
  const house = await openProxy(t, {
    clock,
    conf: { origin: patient, limits: { wait: '5s' }, defaults: { stale_if_error: '1h' } },
  });
  house.origin.respond(() => ({ fields: ['Cache-Control', 'max-age=10', 'ETag', '"1"'], body: 'stored' }));
  await house.get('/stored');
  clock.advance(11_000);
  for (const target of ['/stored', '/new']) {
    house.origin.script(hang());
    (await house.connect()).send(request('GET', target));
    await house.origin.seen(target === '/stored' ? 2 : 3);
    const waiting = house.get(target);
    while (metric(await house.metrics(), 'patina_waiters') < 1) await turns(1);
    clock.advance(5000);
    const response = await waiting;
    t.equal(response.status, target === '/stored' ? 200 : 504);
    t.equal(detailOf(response), target === '/stored' ? 'stale-waited-too-long' : 'waited-too-long');
  }
});

t.test('drain: nothing new is accepted, what runs is finished, /readyz says so meanwhile', async (t) => {
  const house = await openProxy(t);
  const barrier = createBarrier();
  house.origin.script(send(HALF), until(barrier), send('def'));
  const running = await house.connect();
  const idle = await house.connect();
  const response = await running.send(request('GET', '/x')).head();
  await response.received(3);
  t.equal((await house.admin('/readyz')).status, 200);
  t.equal((await house.admin('/healthz')).status, 200);
  const drained = house.proxy.drain();
  t.equal(await idle.ended, 'finished', 'idle connections are closed');
  await t.rejects(connectRaw(house.port), { code: 'ECONNREFUSED' });
  const ready = await house.admin('/readyz');
  t.equal(ready.status, 503);
  t.match(ready.body.toString(), /draining/);
  t.equal((await house.admin('/healthz')).status, 200, 'alive all the same');
  barrier.open();
  t.equal((await response.whole()).body.toString(), 'abcdef');
  t.equal(await running.ended, 'finished');
  await drained;
  await t.rejects(connectRaw(house.adminPort), { code: 'ECONNREFUSED' });
});

t.test('drain: what does not finish in time is cut off', async (t) => {
  const clock = new FakeClock();
  const house = await openProxy(t, { clock, conf: { limits: { drain: '5s' }, origin: { timeouts: { idle: '1h' } } } });
  house.origin.script(send(HALF), hang());
  const client = await house.connect();
  const response = await client.send(request('GET', '/x')).head();
  await response.received(3);
  let isDrained = false;
  const drained = house.proxy.drain().then(() => {
    isDrained = true;
  });
  clock.advance(4999);
  await turns(20);
  t.notOk(isDrained);
  clock.advance(1);
  await t.rejects(response.whole(), CutOff);
  // The origin still has the exchange; its own end must not be waited for.
  for (let i = 0; i < 20 && !isDrained; i++) {
    clock.advance(1000);
    await turns(5);
  }
  t.ok(isDrained, 'bounded, though the origin never ends its answer');
  await house.origin.stop();
  await drained;
});

t.test('close: ends at once, with a fill and a hung refresh in flight', async (t) => {
  const clock = new FakeClock();
  const house = await openProxy(t, { clock, conf: { origin: { timeouts: { headers: '1h', idle: '1h' } } } });
  house.origin.respond(() => ({
    fields: ['Cache-Control', 'max-age=1, stale-while-revalidate=60', 'ETag', '"1"'],
    body: 'x',
  }));
  await house.get('/x');
  clock.advance(2000);
  house.origin.script(hang());
  await house.get('/x');
  house.origin.script(send(HALF), hang());
  const client = await house.connect();
  await (await client.send(request('GET', '/y')).head()).received(3);
  await house.origin.seen(3);
  // No time passes.
  await house.proxy.close();
  await house.origin.stop();
});

const MAIN = program();

/** The command in front of an origin, once it has said that it is ready. */
async function command(t: Test, origin: ScriptedOrigin, ...more: string[]) {
  const child = spawn(
    process.execPath,
    [MAIN, '--origin', origin.url.href, '--listen', '127.0.0.1:0', '--admin', '127.0.0.1:0', ...more],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  t.teardown(async () => {
    child.kill('SIGKILL');
    await origin.close();
  });
  const lines = createInterface({ input: child.stdout });
  const [ready] = (await once(lines, 'line')) as [string];
  const port = Number(/http:\/\/127\.0\.0\.1:(\d+)/.exec(ready)?.[1]);
  return { child, port, exited: once(child, 'exit') as Promise<[number | null, string | null]> };
}

t.test('SIGTERM: the running request is finished, new ones are refused, exit code 0', async (t) => {
  const origin = await startScriptedOrigin();
  const { child, port, exited } = await command(t, origin);
  const barrier = createBarrier();
  origin.script(send(HALF), until(barrier), send('def'));
  const client = await connectRaw(port);
  const idle = await connectRaw(port);
  const response = await client.send(request('GET', '/x')).head();
  await response.received(3);
  child.kill('SIGTERM');
  t.equal(await idle.ended, 'finished');
  await t.rejects(connectRaw(port), { code: 'ECONNREFUSED' });
  barrier.open();
  t.equal((await response.whole()).body.toString(), 'abcdef');
  t.strictSame(await exited, [0, null]);
});

t.test('SIGTERM: the wait for what runs is bounded, exit code 0', async (t) => {
  const origin = await startScriptedOrigin();
  const { child, port, exited } = await command(t, origin, '--set', 'limits.drain=100ms');
  origin.script(send(HALF), hang());
  const client = await connectRaw(port);
  const response = await client.send(request('GET', '/x')).head();
  await response.received(3);
  child.kill('SIGTERM');
  await t.rejects(response.whole(), CutOff);
  t.strictSame(await exited, [0, null]);
});

t.test('SIGTERM: with nothing running it ends at once', async (t) => {
  const origin = await startScriptedOrigin();
  origin.respond(() => ({ body: 'x' }));
  const { child, port, exited } = await command(t, origin);
  t.equal((await exchangeRaw(port, request('GET', '/x'))).status, 200);
  child.kill('SIGTERM');
  t.strictSame(await exited, [0, null]);
});
