// Goal: what was purged stays purged through the repeat that the purge causes. Method: a walk with a fake clock and a played origin.
import t from 'tap';
import { makeWalk } from '../kit/walk.js';

const CACHEABLE = { 'Cache-Control': 'max-age=10', ETag: '"one"' };
const KEY = 'http://example.test/a';

for (const [what, endIt] of [
  ['fails', (walk: ReturnType<typeof makeWalk>) => walk.origin.last.fail()],
  ['takes too long', (walk: ReturnType<typeof makeWalk>) => walk.clock.advance(31_000)],
] as const) {
  t.test(`design 2: a purge wins: where the repeat ${what}, the purged copy does not stand in`, async (t) => {
    const walk = makeWalk();
    walk.get('/a');
    walk.origin.last.respond(200, CACHEABLE, 'purged');
    walk.clock.advance(11_000);
    walk.get('/a');
    const waiter = walk.get('/a');
    walk.engine.purging.purgeKey(KEY);
    walk.origin.last.respond(304, { ETag: '"one"' });
    t.equal(walk.origin.count, 3, 'repeated without conditions');
    endIt(walk);
    t.equal(waiter.outcome, 'ERROR');
    t.not(waiter.body, 'purged');
  });
}
