// Goal: an answer that does not fit the request last sent reaches no client. Method: a walk with a fake clock and a played origin.
import t from 'tap';
import { makeWalk } from '../kit/walk.js';

const CACHEABLE = { 'Cache-Control': 'max-age=10', ETag: '"one"' };
const KEY = 'http://example.test/a';

t.test('RFC 9110 §15.4.5: a 304 to a request with If-Match alone is no answer to it', async (t) => {
  const walk = makeWalk();
  walk.engine.parts.markers.mark(KEY, 10_000);
  const client = walk.get('/a', { 'If-Match': '"one"' });
  walk.origin.last.respond(304, { ETag: '"one"' });
  t.match([client.status, walk.origin.count], [undefined, 2]);
  walk.origin.last.respond(200, CACHEABLE, 'whole');
  t.match([client.status, client.body], [200, 'whole']);
});

t.test('RFC 9110 §15.3.7: a 206 to the repeat, which asks for no range, is not stored or passed on', async (t) => {
  const walk = makeWalk();
  const client = walk.get('/a', { Range: 'bytes=3-9' });
  walk.origin.last.respond(304, { ETag: '"bogus"' });
  t.equal(walk.origin.last.field('range'), undefined);
  walk.origin.last.respond(206, { ...CACHEABLE, 'Content-Range': 'bytes 0-1/10' }, '01');
  t.match([client.status, client.outcome], [502, 'ERROR']);
  t.equal(walk.engine.parts.store.peek(KEY), undefined);
});
