// Goal: a body that ends too short leaves what was stored in place. Method: a walk with a fake clock and a played origin.
import t from 'tap';
import { makeWalk } from '../kit/walk.js';

const CACHEABLE = { 'Cache-Control': 'max-age=10', ETag: '"one"' };

t.test(
  'design 2: a truncated 200, resumed by a 206 that is short as well, leaves the stale one in place',
  async (t) => {
    const walk = makeWalk();
    walk.get('/a');
    walk.origin.last.respond(200, CACHEABLE, 'good');
    walk.clock.advance(11_000);
    const client = walk.get('/a');
    walk.origin.last.head(200, { ...CACHEABLE, ETag: '"two"', 'Content-Length': '10' }).data('01234');
    walk.origin.last.fail('origin-truncated');
    t.equal(walk.origin.last.field('range'), 'bytes=5-');
    walk.origin.last
      .head(206, { ETag: '"two"', 'Content-Range': 'bytes 5-9/10', 'Content-Length': '2' })
      .data('56')
      .end();
    t.equal(client.ending, 'broken');
    t.equal(walk.engine.parts.store.peek('http://example.test/a')?.length, 1);
  },
);
