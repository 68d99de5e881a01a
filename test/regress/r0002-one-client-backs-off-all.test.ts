// Goal: failures that one request causes are not held against all others. Method: a walk with a fake clock and a played origin.
import t from 'tap';
import { makeWalk } from '../kit/walk.js';

const CACHEABLE = { 'Cache-Control': 'max-age=10', ETag: '"one"' };
const KEY = 'http://example.test/a';

const ANSWERS = [
  [401, { Authorization: 'bogus' }],
  [400, { 'X-Odd': '%' }],
] as const;

for (const [status, fields] of ANSWERS) {
  t.test(
    `design 1: a ${status} is no failure of the origin: a client that provokes it blocks nobody else`,
    async (t) => {
      const walk = makeWalk();
      walk.get('/a');
      walk.origin.last.respond(200, CACHEABLE, 'good');
      walk.clock.advance(11_000);
      for (let i = 0; i < 3; i++) {
        walk.get('/a', fields);
        walk.origin.last.respond(status, {}, 'no');
      }
      t.equal(walk.engine.parts.failures.count(KEY), 0);
      const victim = walk.get('/a');
      t.equal(victim.status, undefined, 'it waits for its own validation');
      walk.origin.last.respond(304, { ETag: '"one"' });
      t.match([victim.status, victim.body], [200, 'good']);
    },
  );
}

t.test('three 500s to requests that are not shared do not close an uncacheable page to everyone', async (t) => {
  const walk = makeWalk();
  for (let i = 0; i < 3; i++) {
    walk.get('/a', { 'X-Odd': '%', 'Cache-Control': 'no-store' });
    walk.origin.last.respond(500, {}, 'oops');
  }
  const victim = walk.get('/a', { Cookie: 'sid=victim' });
  t.equal(walk.origin.count, 4, 'the origin is asked');
  t.equal(victim.status, undefined);
});

t.test('an origin that fails on HEAD alone does not close GET', async (t) => {
  const walk = makeWalk();
  for (let i = 0; i < 3; i++) {
    walk.head('/a');
    walk.origin.last.respond(500);
  }
  const client = walk.get('/a');
  t.equal(client.status, undefined);
  walk.origin.last.respond(200, CACHEABLE, 'fine');
  t.equal(client.body, 'fine');
});
