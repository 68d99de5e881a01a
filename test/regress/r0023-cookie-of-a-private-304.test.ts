// Goal: a cookie that comes with a 304 reaches the one who asked. Method: a walk with a fake clock and a played origin.
import t from 'tap';
import { makeWalk } from '../kit/walk.js';

const CACHEABLE = { 'Cache-Control': 'max-age=10', ETag: '"one"' };

t.test('design 2: the fields of a 304 are for the one who asked, also where it forbids to share them', async (t) => {
  const walk = makeWalk();
  walk.get('/a');
  walk.origin.last.respond(200, CACHEABLE, 'good');
  walk.clock.advance(11_000);
  const client = walk.get('/a');
  walk.origin.last.respond(304, { ETag: '"one"', 'Cache-Control': 'private', 'Set-Cookie': 's=1' });
  t.match([client.status, client.body, client.field('set-cookie')], [200, 'good', 's=1']);
});
