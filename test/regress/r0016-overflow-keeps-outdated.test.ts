// Goal: a newer response that is too large makes the older one go. Method: a walk with a fake clock and a played origin.
import t from 'tap';
import { makeWalk } from '../kit/walk.js';

const GRACED = { 'Cache-Control': 'max-age=10, stale-while-revalidate=1000', ETag: '"one"' };

t.test('promise 2: what a body of unknown length that proves too large replaces is not served on', async (t) => {
  const walk = makeWalk({ budgetBytes: 1_000_000 });
  walk.get('/a');
  walk.origin.last.respond(200, GRACED, 'old');
  walk.clock.advance(11_000);
  walk.get('/a');
  const exchange = walk.origin.last.head(200, { ...GRACED, ETag: '"two"' });
  for (let i = 0; i < 20 && !exchange.isAborted; i++) exchange.data('x'.repeat(65_536));
  const next = walk.get('/a');
  t.not(next.body, 'old');
});
