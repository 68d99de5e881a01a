// Goal: SYSTEMS row 1, conditional requests instead of purges, line by line. Method: the whole proxy with a conf like a user's, on real sockets with a fake clock.
import t, { type Test } from 'tap';
import { FakeClock } from '../kit/clock.js';
import { type OpenProxy, openProxy } from '../kit/proxy-kit.js';
import { refreshed } from './systems.kit.js';

const PAGE = [
  'ETag',
  '"v1"',
  'Last-Modified',
  'Thu, 01 Jan 2026 00:00:00 GMT',
  'Content-Type',
  'text/html',
  'X-Was',
  '1',
];

async function house(t: Test, conf: Readonly<Record<string, unknown>>): Promise<OpenProxy & { clock: FakeClock }> {
  const clock = new FakeClock();
  return { ...(await openProxy(t, { clock, conf })), clock };
}

t.test(
  'SYSTEMS row 1: an object is kept past its ttl, and asked about with its ETag and If-Modified-Since',
  async (t) => {
    const proxy = await house(t, { defaults: { ttl: '10s', grace: '1h' } });
    proxy.origin.respond(({ field }) => (field('if-none-match') ? { status: 304 } : { fields: PAGE, body: 'page' }));
    await proxy.get('/a');
    proxy.clock.advance(10_000);
    t.equal((await proxy.get('/a')).field('cdn-cache'), 'UPDATING');
    await refreshed(proxy, 2);
    const asked = proxy.origin.requests[1];
    t.equal(asked?.field('if-none-match'), '"v1"');
    t.equal(asked?.field('if-modified-since'), 'Thu, 01 Jan 2026 00:00:00 GMT');
    t.equal((await proxy.get('/a')).field('cdn-cache'), 'HIT', 'its ttl has begun anew');
  },
);

t.test('SYSTEMS row 1: a 304 merges its headers into the stale response, the body unaltered', async (t) => {
  const proxy = await house(t, { defaults: { ttl: '10s', grace: '1h' } });
  proxy.origin.respond(({ field }) =>
    field('if-none-match') ? { status: 304, fields: ['X-Was', '2', 'X-New', 'n'] } : { fields: PAGE, body: 'page' },
  );
  await proxy.get('/a');
  proxy.clock.advance(11_000);
  await proxy.get('/a');
  await refreshed(proxy, 2);
  const merged = await proxy.get('/a');
  t.same(
    [merged.field('x-was'), merged.field('x-new'), merged.field('content-type'), merged.body.toString()],
    ['2', 'n', 'text/html', 'page'],
  );
});

t.test('SYSTEMS row 1: two tunables, how long it is fresh and how long past that it stays', async (t) => {
  const proxy = await house(t, { defaults: { ttl: '3s', grace: '0s', keep: '1h', stale_if_error: '0s' } });
  proxy.origin.respond(({ field }) => (field('if-none-match') ? { status: 304 } : { fields: PAGE, body: 'page' }));
  await proxy.get('/a');
  proxy.clock.advance(3_000);
  const validated = await proxy.get('/a');
  t.equal(validated.field('cdn-cache'), 'REVALIDATED', 'past its ttl it stays as what is asked about');
  proxy.clock.advance(3_600_000 + 4_000);
  await proxy.get('/a');
  t.equal(proxy.origin.requests.at(-1)?.field('if-none-match'), undefined, 'past keep it is gone');
});

t.test('SYSTEMS row 1: where memory is short what is used least goes, and the budget holds', async (t) => {
  const proxy = await house(t, { cache: { memory: '1MB' }, defaults: { ttl: '1h' } });
  proxy.origin.respond(() => ({ body: Buffer.alloc(40_000, 'x') }));
  await proxy.get('/hot');
  for (let at = 0; at < 60; at++) {
    await proxy.get(`/${at}`);
    t.equal((await proxy.get('/hot')).field('cdn-cache'), 'HIT', `after ${at} others`);
    // The pruning behind the answers.
    proxy.clock.advance(10);
  }
  const bytes = Number(/^patina_stored_bytes\S* (\d+)$/m.exec(await proxy.metrics())?.[1] ?? Number.NaN);
  t.ok(bytes <= 1024 * 1024, `${bytes} bytes`);
  t.equal((await proxy.get('/0')).field('cdn-cache'), 'MISS');
});
