// Goal: SYSTEMS row 4, a CDN in front of an API, line by line. Method: the whole proxy with a conf like a user's, on real sockets with a fake clock.
import t, { type Test } from 'tap';
import { createBarrier } from '../kit/barrier.js';
import { FakeClock } from '../kit/clock.js';
import { type OpenProxy, openProxy } from '../kit/proxy-kit.js';
import { reset, send, until } from '../kit/scripted-origin.js';
import { refreshed } from './systems.kit.js';

async function house(t: Test, conf: Readonly<Record<string, unknown>> = {}): Promise<OpenProxy & { clock: FakeClock }> {
  const clock = new FakeClock();
  return { ...(await openProxy(t, { clock, conf })), clock };
}

const words = async (proxy: OpenProxy, ...targets: string[]): Promise<unknown[]> => {
  const said: unknown[] = [];
  for (const target of targets) said.push((await proxy.get(target)).field('cdn-cache'));
  return said;
};

t.test('SYSTEMS row 4: max-age is obeyed', async (t) => {
  const proxy = await house(t);
  proxy.origin.respond(() => ({ fields: ['Cache-Control', 'max-age=30'], body: 'x' }));
  t.same(await words(proxy, '/a', '/a'), ['MISS', 'HIT']);
  proxy.clock.advance(30_000);
  t.same(await words(proxy, '/a'), ['EXPIRED'], 'the origin answers this one');
});

t.test('SYSTEMS row 4: public is shared, private never is', async (t) => {
  const proxy = await house(t);
  const answers: Readonly<Record<string, string>> = {
    '/public': 'public, max-age=30',
    '/private': 'private, max-age=30',
  };
  proxy.origin.respond(({ target }) => ({ fields: ['Cache-Control', answers[target] ?? ''], body: 'x' }));
  t.same(await words(proxy, '/public', '/public'), ['MISS', 'HIT']);
  const said = await words(proxy, '/private', '/private');
  t.notOk(said.includes('HIT'), String(said));
  t.equal(proxy.origin.requestCount, 3);
});

t.test('SYSTEMS row 4: stale-while-revalidate is obeyed, for as long as it says', async (t) => {
  const proxy = await house(t);
  proxy.origin.respond(() => ({ fields: ['Cache-Control', 'max-age=10, stale-while-revalidate=20'], body: 'x' }));
  await proxy.get('/a');
  proxy.clock.advance(10_000);
  t.same(await words(proxy, '/a'), ['UPDATING']);
  await refreshed(proxy, 2);
  proxy.clock.advance(30_000);
  t.same(await words(proxy, '/a'), ['EXPIRED'], 'both are over, and the client waits');
});

t.test('SYSTEMS row 4: a header of its own name says HIT or MISS', async (t) => {
  const proxy = await house(t, { debug_header: 'X-Edge' });
  proxy.origin.respond(() => ({ fields: ['Cache-Control', 'max-age=30', 'X-Edge', 'forged'], body: 'x' }));
  t.equal((await proxy.get('/a')).field('x-edge'), 'MISS', 'and what the origin sends under that name does not count');
  t.equal((await proxy.get('/a')).field('x-edge'), 'HIT');
});

t.test('SYSTEMS row 4: the query string is sorted for the key', async (t) => {
  const proxy = await house(t, { defaults: { query: 'sort' } });
  proxy.origin.respond(() => ({ fields: ['Cache-Control', 'max-age=30'], body: 'x' }));
  t.same(await words(proxy, '/a?b=2&a=1', '/a?a=1&b=2', '/a?a=2&b=1'), ['MISS', 'HIT', 'MISS']);
});

t.test('SYSTEMS row 4: stale while the origin is offline', async (t) => {
  const proxy = await house(t, { defaults: { ttl: '10s', grace: '0s', keep: '1h', stale_if_error: '1h' } });
  proxy.origin.respond(() => ({ fields: ['ETag', '"1"'], body: 'x' }));
  await proxy.get('/a');
  proxy.clock.advance(60_000);
  proxy.origin.script(reset());
  proxy.origin.script(reset());
  const stale = await proxy.get('/a');
  t.same([stale.status, stale.field('cdn-cache'), stale.body.toString()], [200, 'STALE', 'x']);
  await proxy.origin.stop();
  proxy.clock.advance(60_000);
  t.same((await proxy.get('/a')).field('cdn-cache'), 'STALE', 'nobody listens there any more');
});

t.test('SYSTEMS row 4: stale while updating', async (t) => {
  const proxy = await house(t, { defaults: { ttl: '10s', grace: '1h' } });
  proxy.origin.respond(() => ({ fields: ['ETag', '"1"'], body: 'old' }));
  await proxy.get('/a');
  proxy.clock.advance(11_000);
  const made = createBarrier();
  proxy.origin.script(until(made), send('HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nnew'));
  const during = [await proxy.get('/a'), await proxy.get('/a')];
  t.same(
    during.map((answer) => [answer.field('cdn-cache'), answer.body.toString()]),
    [
      ['UPDATING', 'old'],
      ['UPDATING', 'old'],
    ],
  );
  made.open();
  await refreshed(proxy, 2);
  t.equal((await proxy.get('/a')).body.toString(), 'new');
});
