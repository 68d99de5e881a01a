// Goal: 202 is only told where there will be something to come back for. Method: a walk with a fake clock and a played origin.
import t from 'tap';
import { makeWalk } from '../kit/walk.js';

t.test('design 3: a client with no-store, whose fill is never stored, is not told 202 again and again', async (t) => {
  const walk = makeWalk({ rule: { cold: 'accepted' } });
  const noStore = { 'Cache-Control': 'no-store' };
  const first = walk.get('/report', noStore);
  walk.origin.last.respond(200, { 'Cache-Control': 'max-age=10' }, 'report');
  walk.clock.advance(1_000);
  const second = first.status === 202 ? walk.get('/report', noStore) : first;
  if (second.status === undefined) walk.origin.last.respond(200, { 'Cache-Control': 'max-age=10' }, 'report');
  t.match([second.status, second.body], [200, 'report']);
});

t.test('design 3: where the store had no room for the fill, the next request waits for its own answer', async (t) => {
  const walk = makeWalk({ rule: { cold: 'accepted' }, budgetBytes: 400_000 });
  walk.engine.parts.store.reserve(190_000);
  walk.get('/report');
  walk.origin.last.respond(200, { 'Cache-Control': 'max-age=10' }, 'x'.repeat(150_000));
  walk.clock.advance(1_000);
  t.equal(walk.get('/report').status, undefined);
});
