// Goal: a fill that nobody reads does not run for ever. Method: a walk with a fake clock and a played origin.
import t from 'tap';
import { makeWalk } from '../kit/walk.js';

t.test('an endless body that nobody reads any more is given up once it could no longer be served', async (t) => {
  const walk = makeWalk();
  const client = walk.get('/events');
  const fields = { 'Content-Type': 'text/event-stream', 'Cache-Control': 'max-age=1' };
  const exchange = walk.origin.last.head(200, fields).data('data: 1\n\n');
  client.leave();
  for (let hours = 0; hours < 24; hours++) {
    walk.clock.advance(3_600_000);
    exchange.data('data: 2\n\n');
  }
  t.equal(exchange.isAborted, true);
  t.equal(walk.engine.stats.fills, 0);
});
