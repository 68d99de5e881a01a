// Goal: a purge beats every answer that was on its way, collapsed or not. Method: a walk with a fake clock and a played origin.
import t from 'tap';
import { makeWalk } from '../kit/walk.js';

const CACHEABLE = { 'Cache-Control': 'max-age=10', ETag: '"one"' };
const KEY = 'http://example.test/a';

t.test('design 2: a purge wins over a 200 on its way to a request that went alone (marked key)', async (t) => {
  const walk = makeWalk();
  walk.engine.parts.markers.mark(KEY, 10_000);
  walk.get('/a');
  walk.engine.purging.purgeKey(KEY);
  walk.origin.last.respond(200, CACHEABLE, 'old');
  t.equal(walk.get('/a').body, '');
});

t.test('design 2: a purge wins over a 206 on its way', async (t) => {
  const walk = makeWalk();
  walk.get('/a', { Range: 'bytes=0-4' });
  walk.engine.purging.purgeKey(KEY);
  walk.origin.last.respond(206, { ...CACHEABLE, 'Content-Range': 'bytes 0-4/10' }, '01234');
  t.equal(walk.get('/a', { Range: 'bytes=0-4' }).body, '');
});

t.test('design 2: a purge wins over the 304 to a request that went alone: nothing is brought back', async (t) => {
  const walk = makeWalk();
  walk.get('/a');
  walk.origin.last.respond(200, CACHEABLE, 'old');
  walk.clock.advance(11_000);
  walk.engine.parts.markers.mark(KEY, 10_000);
  walk.get('/a');
  t.equal(walk.origin.last.field('if-none-match'), '"one"');
  walk.engine.purging.purgeKey(KEY);
  walk.origin.last.respond(304, { ETag: '"one"' });
  t.equal(walk.get('/a').body, '');
});

t.test('scar 9: a second purge wins over the repeat that the first one caused', async (t) => {
  const walk = makeWalk();
  walk.get('/a');
  walk.origin.last.respond(200, CACHEABLE, 'old');
  walk.clock.advance(11_000);
  walk.get('/a');
  walk.engine.purging.purgeKey(KEY);
  walk.origin.last.respond(304, { ETag: '"one"' });
  walk.engine.purging.purgeKey(KEY);
  walk.origin.last.respond(200, CACHEABLE, 'older than the second purge');
  t.equal(walk.get('/a').body, '');
});

t.test('design 2: what was purged during the round trip does not stand in when the origin then fails', async (t) => {
  const walk = makeWalk();
  walk.get('/a');
  walk.origin.last.respond(200, CACHEABLE, 'purged');
  walk.clock.advance(11_000);
  const client = walk.get('/a');
  walk.engine.purging.purgeKey(KEY);
  walk.origin.last.fail();
  t.match([client.status, client.outcome], [502, 'ERROR']);
});
