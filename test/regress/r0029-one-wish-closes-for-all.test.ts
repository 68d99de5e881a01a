// Goal: what one client cannot follow is passed over by it, not closed to all. Method: a walk with a fake clock and a played origin.
import t from 'tap';
import { makeWalk } from '../kit/walk.js';

const CACHEABLE = { 'Cache-Control': 'max-age=10', ETag: '"one"' };

t.test('promise 3: after a request with no-cache, the next one still follows the bytes that arrive', async (t) => {
  const walk = makeWalk();
  walk.get('/a');
  walk.origin.last.head(200, CACHEABLE).data('fresh');
  const insistent = walk.get('/a', { 'Cache-Control': 'no-cache' });
  t.match([walk.origin.count, insistent.status], [2, undefined]);
  const next = walk.get('/a');
  t.match([walk.origin.count, next.body], [2, 'fresh']);
});

t.test('promise 4: a response too old to follow does not hide the request that is under way', async (t) => {
  const walk = makeWalk();
  walk.get('/a');
  walk.origin.last.head(200, { ...CACHEABLE, Vary: 'Cookie' }).data('slow');
  walk.clock.advance(12_000);
  walk.get('/a', { Cookie: 'c=1' });
  walk.get('/a');
  t.equal(walk.origin.count, 2, 'it waits on the one that was just sent');
});
