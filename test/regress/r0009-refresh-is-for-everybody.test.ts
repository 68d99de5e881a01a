// Goal: a background refresh carries nothing that is one client’s own. Method: a walk with a fake clock and a played origin.
import t from 'tap';
import { makeWalk } from '../kit/walk.js';

const GRACED = { 'Cache-Control': 'max-age=10, stale-while-revalidate=1000', ETag: '"one"' };

for (const fields of [{ Authorization: 'Basic eDp5' }, { 'Cache-Control': 'no-store' }] as const) {
  t.test(`promise 4: a 304 to a refresh that ${Object.values(fields)[0]} set off freshens for all`, async (t) => {
    const walk = makeWalk();
    walk.get('/a');
    walk.origin.last.respond(200, GRACED, 'good');
    walk.clock.advance(11_000);
    walk.get('/a', fields);
    walk.origin.last.respond(304, { ETag: '"one"' });
    t.equal(walk.get('/a').outcome, 'HIT');
    t.equal(walk.origin.count, 2);
  });
}

t.test('RFC 9111 §5.2.1.7: only-if-cached is between the client and us: the refresh does not carry it', async (t) => {
  const walk = makeWalk();
  walk.get('/a');
  walk.origin.last.respond(200, GRACED, 'good');
  walk.clock.advance(11_000);
  walk.get('/a', { 'Cache-Control': 'only-if-cached' });
  t.equal(walk.origin.last.field('cache-control'), undefined);
});

t.test('a refresh set off by one with credentials does not take the copy of all others away', async (t) => {
  const walk = makeWalk();
  walk.get('/a');
  walk.origin.last.respond(200, GRACED, 'good');
  walk.clock.advance(11_000);
  walk.get('/a', { Authorization: 'Basic eDp5' });
  const isTold = walk.origin.last.field('authorization') !== undefined;
  if (isTold) walk.origin.last.respond(200, { 'Cache-Control': 'private' }, 'for x alone');
  t.equal(walk.get('/a').body, 'good');
});
