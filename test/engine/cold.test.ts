// Goal: `cold: accepted` (design, section 3; SYSTEMS row 2). Method: walks with a fake clock and a played origin.
import t from 'tap';
import { makeWalk } from '../kit/walk.js';

const ACCEPTED = { rule: { cold: 'accepted' } } as const;
const CACHEABLE = { 'Cache-Control': 'max-age=60' };

t.test(
  'SYSTEMS row 2: a cold request is answered 202 at once, with Location and Retry-After, while the work runs',
  async (t) => {
    const walk = makeWalk(ACCEPTED);
    const clients = [walk.get('/report?year=1'), walk.get('/report?year=1')];
    for (const client of clients) {
      t.match([client.status, client.ending, client.reason], [202, 'finished', 'cold-accepted']);
      t.match([client.field('location'), client.field('retry-after')], ['/report?year=1', '1']);
      t.match(client.field('cache-control'), /no-store/);
    }
    t.equal(walk.origin.count, 1, 'one request to the origin');
    const early = walk.origin.last.head(200, CACHEABLE).data('par');
    const during = walk.get('/report?year=1');
    t.match([during.status, during.body], [200, 'par'], 'bytes that arrive are followed');
    early.data('t').end();
    t.match([walk.get('/report?year=1').status, walk.get('/report?year=1').body], [200, 'part']);
  },
);

t.test('where the answer turns out uncacheable, the next request waits for its own', async (t) => {
  const walk = makeWalk(ACCEPTED);
  t.equal(walk.get('/a').status, 202);
  walk.origin.last.respond(200, { 'Cache-Control': 'no-store' }, 'x');
  const client = walk.get('/a');
  walk.origin.last.respond(200, { 'Cache-Control': 'no-store' }, 'mine');
  t.match([client.status, client.body], [200, 'mine']);
});

t.test('where the origin fails, the client is told, not put off for ever', async (t) => {
  const walk = makeWalk(ACCEPTED);
  t.equal(walk.get('/a').status, 202);
  walk.origin.last.fail('origin-refused');
  const client = walk.get('/a');
  walk.origin.last.fail('origin-refused');
  t.equal(client.status, 502);
});

t.test('what is stored is served in every phase as ever: 202 is for the cold alone', async (t) => {
  const walk = makeWalk(ACCEPTED);
  walk.get('/a');
  walk.origin.last.respond(200, { 'Cache-Control': 'max-age=10', ETag: '"v"' }, 'x');
  walk.clock.advance(60_000);
  const client = walk.get('/a');
  t.equal(client.ending, 'waiting');
  walk.origin.last.respond(304);
  t.match([client.status, client.body], [200, 'x']);
});
