// Goal: a response that still arrives is joined only by those whom it may answer. Method: a walk with a fake clock and a played origin.
import t from 'tap';
import { makeWalk } from '../kit/walk.js';

t.test('promise 2: a body that has been arriving for longer than its ttl answers nobody who comes now', async (t) => {
  const walk = makeWalk();
  walk.get('/a');
  walk.origin.last.head(200, { 'Cache-Control': 'max-age=1', ETag: '"one"' }).data('old');
  walk.clock.advance(3_600_000);
  walk.get('/a');
  t.equal(walk.origin.count, 2);
});

t.test('RFC 9111 §5.2.2.4: no-cache: a request that comes after the head was received is validated', async (t) => {
  const walk = makeWalk();
  walk.get('/a');
  walk.origin.last.head(200, { 'Cache-Control': 'no-cache', ETag: '"one"' }).data('old');
  walk.clock.advance(60_000);
  walk.get('/a');
  t.equal(walk.origin.count, 2);
});

t.test('RFC 9111 §5.2.1.1: max-age of the request bounds what is joined', async (t) => {
  const walk = makeWalk();
  walk.get('/a');
  walk.origin.last.head(200, { 'Cache-Control': 'max-age=3600', ETag: '"one"' }).data('old');
  walk.clock.advance(60_000);
  walk.get('/a', { 'Cache-Control': 'max-age=5' });
  t.equal(walk.origin.count, 2);
});
