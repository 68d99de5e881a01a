// Goal: SYSTEMS row 2, generated images served stale while one request makes them anew, line by line. Method: the whole proxy with a conf like a user's, on real sockets with a fake clock; slow work is a barrier.
import t, { type Test } from 'tap';
import { createBarrier } from '../kit/barrier.js';
import { FakeClock } from '../kit/clock.js';
import { type OpenProxy, openProxy } from '../kit/proxy-kit.js';
import { send, until } from '../kit/scripted-origin.js';
import { refreshed } from './systems.kit.js';

/** TIMEOUT, then STALE_WHILE_REVALIDATE_TIMEOUT. */
const CONF = { rules: [{ name: 'images', match: { path: '/img/**' }, ttl: '60s', grace: '10m', keep: '0s' }] };

const image = (bytes: string): string => `HTTP/1.1 200 OK\r\nContent-Length: ${bytes.length}\r\n\r\n${bytes}`;

async function house(t: Test, conf: Readonly<Record<string, unknown>>): Promise<OpenProxy & { clock: FakeClock }> {
  const clock = new FakeClock();
  return { ...(await openProxy(t, { clock, conf })), clock };
}

t.test('SYSTEMS row 2: two timeouts, fresh for the first and served stale for the second', async (t) => {
  const proxy = await house(t, CONF);
  proxy.origin.respond(() => ({ body: 'image' }));
  await proxy.get('/img/a');
  proxy.clock.advance(59_999);
  t.equal((await proxy.get('/img/a')).field('cdn-cache'), 'HIT');
  t.equal(proxy.origin.requestCount, 1);
  proxy.clock.advance(1);
  t.equal((await proxy.get('/img/a')).field('cdn-cache'), 'UPDATING');
  await refreshed(proxy, 2);
  proxy.clock.advance(60_000 + 600_000);
  const last = await proxy.get('/img/a');
  t.equal(last.field('cdn-cache'), 'MISS', 'past both it is made while the client waits');
});

t.test('SYSTEMS row 2: one request refreshes while all others get the stale copy', async (t) => {
  const proxy = await house(t, CONF);
  proxy.origin.script(send(image('old')));
  await proxy.get('/img/a');
  proxy.clock.advance(61_000);
  const made = createBarrier();
  proxy.origin.script(until(made), send(image('new')));
  const answers = await Promise.all(Array.from({ length: 50 }, () => proxy.get('/img/a')));
  t.same([...new Set(answers.map(({ body }) => body.toString()))], ['old']);
  await proxy.origin.seen(2);
  t.equal(proxy.origin.requestCount, 2, 'the semaphore: one of fifty asked');
  made.open();
  await refreshed(proxy, 2);
  t.equal((await proxy.get('/img/a')).body.toString(), 'new');
});

t.test('SYSTEMS row 2: the slow work is never in the way of a client', async (t) => {
  const proxy = await house(t, CONF);
  proxy.origin.script(send(image('old')));
  await proxy.get('/img/a');
  proxy.clock.advance(61_000);
  const made = createBarrier();
  proxy.origin.script(until(made), send(image('new')));
  // Each of these would hang if it waited for the work, which does not end before the barrier opens.
  for (let at = 0; at < 5; at++) t.equal((await proxy.get('/img/a')).body.toString(), 'old');
  t.equal(made.isOpen, false);
  made.open();
});

t.test(
  'SYSTEMS row 2: a cold request is answered 202 Accepted at once, with Location, while the work runs',
  async (t) => {
    const proxy = await house(t, {
      rules: [{ name: 'images', match: { path: '/img/**' }, ttl: '60s', cold: 'accepted' }],
    });
    const made = createBarrier();
    proxy.origin.script(until(made), send(image('made')));
    const accepted = await proxy.get('/img/a');
    t.equal(accepted.status, 202);
    const status = accepted.field('location') ?? '';
    t.equal((await proxy.get(status)).status, 202, 'the work still runs');
    made.open();
    await refreshed(proxy, 1);
    const done = await proxy.get(status);
    t.same([done.status, done.field('location')], [303, '/img/a']);
    t.equal((await proxy.get('/img/a')).body.toString(), 'made');
  },
);
