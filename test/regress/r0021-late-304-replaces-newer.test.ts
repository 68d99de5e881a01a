// Goal: an update that happens during a round trip wins over the 304 that ends it. Method: a walk with a fake clock and a played origin.
import t from 'tap';
import { Fields } from '../../lib/http/fields.js';
import { makeWalk } from '../kit/walk.js';

const CACHEABLE = { 'Cache-Control': 'max-age=10', ETag: '"one"' };
const KEY = 'http://example.test/a';

t.test('RFC 9111 §4: a late 304 that names another variant does not replace a newer answer', async (t) => {
  const walk = makeWalk();
  const varied = (tag: string) => ({ ...CACHEABLE, ETag: `"${tag}"`, Vary: 'Accept-Language' });
  walk.get('/a', { 'Accept-Language': 'fr' });
  walk.origin.last.respond(200, varied('fr'), 'bonjour');
  walk.clock.advance(1);
  walk.get('/a', { 'Accept-Language': 'en' });
  const early = walk.origin.last;
  walk.clock.advance(1);
  walk.get('/a', { 'Accept-Language': 'en', Range: 'bytes=0-1' });
  walk.origin.last.respond(200, varied('en'), 'hello');
  early.respond(304, { ETag: '"fr"' });
  t.equal(walk.get('/a', { 'Accept-Language': 'en' }).body, 'hello');
});

t.test('design 2: what a newer answer says is not to be stored any more is not brought back by a 304', async (t) => {
  const walk = makeWalk();
  walk.get('/a');
  walk.origin.last.respond(200, CACHEABLE, 'old');
  walk.clock.advance(11_000);
  const client = walk.get('/a');
  const early = walk.origin.last;
  walk.clock.advance(10);
  walk.get('/a', { 'Cache-Control': 'no-store' });
  walk.origin.last.respond(200, { 'Cache-Control': 'no-store' }, 'new');
  early.respond(304, { ETag: '"one"' });
  t.equal(walk.origin.last.field('if-none-match'), undefined, 'asked again without conditions');
  walk.origin.last.respond(200, { 'Cache-Control': 'no-store' }, 'newer');
  t.equal(client.body, 'newer');
  t.equal(walk.engine.parts.store.peek(KEY), undefined);
});

t.test('design 2: nor what a newer 304 made private', async (t) => {
  const walk = makeWalk();
  walk.get('/a');
  walk.origin.last.respond(200, CACHEABLE, 'old');
  walk.clock.advance(11_000);
  walk.get('/a');
  const early = walk.origin.last;
  walk.clock.advance(10);
  for (const fill of walk.engine.collapse.running(KEY)) walk.engine.collapse.close(fill);
  walk.get('/a', { 'Cache-Control': 'max-age=1' });
  walk.origin.last.respond(304, { ETag: '"one"', 'Cache-Control': 'private' });
  t.equal(walk.engine.parts.store.peek(KEY), undefined);
  early.respond(304, { ETag: '"one"' });
  t.equal(walk.engine.parts.store.peek(KEY), undefined);
});

t.test('design 2: nor by the answer to an older POST that is captured', async (t) => {
  const walk = makeWalk();
  const fields = Fields.of({ ...CACHEABLE, 'Content-Location': '/a' });
  const tap = walk.send({ method: 'POST', target: '/a' }).passed?.respond(200, 'OK', fields).tap;
  walk.clock.advance(10);
  walk.get('/a');
  walk.origin.last.respond(200, CACHEABLE, 'newer');
  walk.clock.advance(10);
  walk.get('/a', { 'Cache-Control': 'no-cache' });
  walk.origin.last.respond(200, { 'Cache-Control': 'private' }, 'newest');
  tap?.write(Buffer.from('oldest'));
  tap?.end();
  t.ok(tap);
  t.equal(walk.engine.parts.store.peek(KEY), undefined);
});

t.test('RFC 9111 §4: a late 200 with another Vary does not go before a newer one without', async (t) => {
  const walk = makeWalk();
  walk.get('/a', { Range: 'bytes=0-4' });
  const late = walk.origin.last;
  walk.clock.advance(1_000);
  walk.get('/a');
  walk.origin.last.respond(200, { ...CACHEABLE, ETag: '"two"' }, 'new');
  late.respond(200, { ...CACHEABLE, Vary: 'Accept-Language' }, 'old');
  t.equal(walk.get('/a').body, 'new');
});

t.test('promise 2: on a failure the newest stored copy stands in, not the one that the request found', async (t) => {
  const walk = makeWalk();
  walk.get('/a');
  walk.origin.last.respond(200, { ...CACHEABLE, 'Cache-Control': 'max-age=10, stale-if-error=100' }, 'old');
  walk.clock.advance(11_000);
  const client = walk.get('/a');
  const early = walk.origin.last;
  walk.clock.advance(10);
  walk.engine.parts.markers.mark(`${KEY} c`, 10_000);
  for (const fill of walk.engine.collapse.running(KEY)) walk.engine.collapse.close(fill);
  walk.get('/a', { Cookie: 'c=1' });
  walk.origin.last.respond(200, { ...CACHEABLE, ETag: '"two"' }, 'new');
  early.fail();
  t.equal(client.body, 'new');
});
