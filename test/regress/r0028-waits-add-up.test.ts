// Goal: waiting has one limit for a request. Method: a walk with a fake clock and a played origin.
import t from 'tap';
import { makeWalk } from '../kit/walk.js';

const CACHEABLE = { 'Cache-Control': 'max-age=10', ETag: '"one"' };

t.test('design 3: never a chain of timeouts: who waits on one fill after another waits no longer in all', async (t) => {
  const walk = makeWalk({ waitMs: 30_000 });
  walk.get('/a', { Authorization: 'Basic eDp5' });
  const first = walk.get('/a');
  const second = walk.get('/a');
  walk.clock.advance(20_000);
  walk.origin.last.respond(200, CACHEABLE, 'for x');
  t.match([first.status, second.status, walk.origin.count], [undefined, undefined, 2], 'one leads, one waits on');
  walk.clock.advance(10_000);
  t.match([second.status, second.reason], [504, 'waited-too-long']);
});
