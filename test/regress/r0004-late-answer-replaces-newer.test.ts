// Goal: an answer to an older request never replaces the answer to a newer one. Method: a walk with a fake clock and a played origin.
import t from 'tap';
import { makeWalk } from '../kit/walk.js';

const CACHEABLE = { 'Cache-Control': 'max-age=10', ETag: '"one"' };

t.test('RFC 9111 §4: the most recent response is used: a late 200 does not replace a newer one', async (t) => {
  const walk = makeWalk();
  walk.get('/a', { Range: 'bytes=0-4' });
  const late = walk.origin.last;
  walk.clock.advance(1_000);
  walk.get('/a');
  walk.origin.last.respond(200, { ...CACHEABLE, ETag: '"two"' }, 'new');
  late.respond(200, CACHEABLE, 'old');
  t.equal(walk.get('/a').body, 'new');
});

t.test(
  'design 1: a stored response is never replaced by an error, one that is late and cacheable included',
  async (t) => {
    const walk = makeWalk();
    walk.get('/a', { Range: 'bytes=0-4' });
    const late = walk.origin.last;
    walk.get('/a');
    walk.origin.last.respond(200, CACHEABLE, 'good');
    late.respond(503, { 'Cache-Control': 'max-age=60' }, 'bad');
    t.match([walk.get('/a').status, walk.get('/a').body], [200, 'good']);
  },
);
