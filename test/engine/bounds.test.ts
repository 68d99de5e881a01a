// Goal: what is bounded in the engine ends in an answer, not in an error or a herd without end (promise 3, habit 6). Method: walks that fill a bound to its brim.
import t from 'tap';
import { MAX_FILLS, MAX_RESUMES_PER_FILL } from '../../lib/base/limits.js';
import { makeWalk } from '../kit/walk.js';

const CACHEABLE = { 'Cache-Control': 'max-age=60', ETag: '"one"' };

t.test('MAX_FILLS: beyond it requests go to the origin uncollapsed, each with an answer of its own', async (t) => {
  const walk = makeWalk();
  for (let i = 0; i < MAX_FILLS; i++) walk.get(`/busy${i}`);
  t.equal(walk.engine.stats.fills, MAX_FILLS);
  const clients = [walk.get('/a'), walk.get('/a')];
  t.equal(walk.origin.count, MAX_FILLS + 2);
  walk.origin.nth(MAX_FILLS + 1).respond(200, CACHEABLE, 'one');
  walk.origin.nth(MAX_FILLS + 2).respond(200, CACHEABLE, 'two');
  t.strictSame(
    clients.map(({ body }) => body),
    ['one', 'two'],
  );
  const joined = walk.get('/busy0');
  t.equal(walk.origin.count, MAX_FILLS + 2, 'what is in flight may be joined still');
  walk.origin.nth(1).respond(200, CACHEABLE, 'busy');
  t.equal(joined.body, 'busy');
});

t.test('MAX_FILLS: in grace everybody is served, and the refresh is left for later', async (t) => {
  const walk = makeWalk();
  walk.get('/a');
  walk.origin.last.respond(200, { 'Cache-Control': 'max-age=10, stale-while-revalidate=60', ETag: '"one"' }, 'good');
  for (let i = 0; i < MAX_FILLS; i++) walk.get(`/busy${i}`);
  walk.clock.advance(11_000);
  t.equal(walk.get('/a').body, 'good');
  t.equal(walk.origin.count, MAX_FILLS + 1);
  walk.origin.nth(2).respond(200, CACHEABLE, 'busy');
  t.equal(walk.get('/a').body, 'good');
  t.equal(walk.origin.count, MAX_FILLS + 2);
});

t.test('MAX_RESUMES_PER_FILL: a body that breaks off once more than that has failed', async (t) => {
  const walk = makeWalk();
  const client = walk.get('/a');
  walk.origin.last.head(200, { ...CACHEABLE, 'Content-Length': '9' }).data('a');
  walk.origin.last.fail('origin-truncated');
  for (let i = 1; i <= MAX_RESUMES_PER_FILL; i++) {
    t.equal(walk.origin.last.field('range'), `bytes=${i}-`);
    walk.origin.last.head(206, { ETag: '"one"', 'Content-Range': `bytes ${i}-8/9` }).data('b');
    walk.origin.last.fail('origin-truncated');
  }
  t.equal(walk.origin.count, 1 + MAX_RESUMES_PER_FILL);
  t.equal(client.ending, 'broken');
  t.equal(walk.engine.parts.store.stats.objects, 0);
});
