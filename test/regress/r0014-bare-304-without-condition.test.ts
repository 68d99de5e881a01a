// Goal: a 304 that answers no condition never reaches a client. Method: a walk with a fake clock and a played origin.
import t from 'tap';
import { makeWalk } from '../kit/walk.js';

const CACHEABLE = { 'Cache-Control': 'max-age=10', ETag: '"one"' };
const KEY = 'http://example.test/a';

t.test('scar 9: an unsolicited 304 to a request that went alone is repeated too', async (t) => {
  const walk = makeWalk();
  walk.engine.parts.markers.mark(KEY, 10_000);
  const client = walk.get('/a');
  walk.origin.last.respond(304, { ETag: '"one"' });
  t.equal(client.status, undefined);
  t.equal(walk.origin.count, 2);
  walk.origin.last.respond(200, CACHEABLE, 'whole');
  t.match([client.status, client.body], [200, 'whole']);
});

t.test('RFC 9110 §15.3.7: a 206 that answers no Range never reaches a client', async (t) => {
  const walk = makeWalk();
  const client = walk.get('/a');
  walk.origin.last.respond(206, { ...CACHEABLE, 'Content-Range': 'bytes 0-4/10' }, '01234');
  t.not(client.status, 206);
});
