// Goal: nobody waits on a fill that has ended. Method: a walk with a fake clock and a played origin.
import t from 'tap';
import { makeWalk } from '../kit/walk.js';

t.test('scar 11: a waiter for whom a merged 304 was not meant asks again at once', async (t) => {
  const walk = makeWalk();
  walk.get('/a', { Cookie: 'A' });
  walk.origin.last.respond(200, { 'Cache-Control': 'max-age=10', ETag: '"varied"', Vary: 'Cookie' }, 'for A');
  walk.get('/a', { Cookie: 'Z' });
  walk.origin.last.respond(200, { 'Cache-Control': 'max-age=10', ETag: '"default"' }, 'default');
  walk.clock.advance(11_000);
  walk.get('/a', { Cookie: 'B' });
  const waiter = walk.get('/a', { Cookie: 'C' });
  t.equal(walk.origin.count, 3, 'collapsed');
  walk.origin.last.respond(304, { ETag: '"varied"' });
  t.equal(walk.origin.count, 4, 'it leads');
  walk.origin.last.respond(304, { ETag: '"default"' });
  t.equal(waiter.body, 'default');
});
