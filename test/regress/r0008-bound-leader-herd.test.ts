// Goal: a leader whose answer is bound to its request does not set all waiters loose. Method: a walk with a fake clock and a played origin.
import t from 'tap';
import { makeWalk } from '../kit/walk.js';

const CACHEABLE = { 'Cache-Control': 'max-age=10', ETag: '"one"' };

t.test('promise 4: a leader with credentials and waiters without: one more request, not one for each', async (t) => {
  const walk = makeWalk();
  walk.get('/a', { Authorization: 'Basic eDp5' });
  const waiters = Array.from({ length: 50 }, () => walk.get('/a'));
  walk.origin.last.respond(200, CACHEABLE, 'for x');
  t.equal(walk.origin.count, 2, 'one of them leads');
  walk.origin.last.respond(200, CACHEABLE, 'for all');
  for (const waiter of waiters) t.equal(waiter.body, 'for all');
});

t.test('promise 4: the same in keep, where its 304 may not be merged', async (t) => {
  const walk = makeWalk();
  walk.get('/a');
  walk.origin.last.respond(200, CACHEABLE, 'good');
  walk.clock.advance(11_000);
  walk.get('/a', { Authorization: 'Basic eDp5' });
  const waiters = Array.from({ length: 50 }, () => walk.get('/a'));
  walk.origin.last.respond(304, { ETag: '"one"' });
  t.equal(walk.origin.count, 3, 'one of them leads');
  walk.origin.last.respond(304, { ETag: '"one"' });
  for (const waiter of waiters) t.equal(waiter.body, 'good');
});

t.test('promise 4: a 400 to one odd request does not lift the collapsing for all others', async (t) => {
  const walk = makeWalk();
  walk.get('/a', { 'X-Odd': '%' });
  walk.origin.last.respond(400, {}, 'bad');
  for (let i = 0; i < 50; i++) walk.get('/a');
  t.equal(walk.origin.count, 2);
});
