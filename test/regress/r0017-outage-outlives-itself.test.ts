// Goal: cold keys are served as soon as the origin is back. Method: a walk with a fake clock and a played origin.
import t from 'tap';
import { makeWalk } from '../kit/walk.js';

t.test('promise 4: while the breaker is open nobody is asked, so no key is held back for it afterwards', async (t) => {
  const walk = makeWalk();
  walk.origin.reachable = false;
  for (let i = 0; i < 200; i++) {
    const client = walk.get('/a');
    if (client.status === undefined) walk.origin.last.fail('origin-breaker-open');
    walk.clock.advance(3_000);
  }
  walk.origin.reachable = true;
  const asked = walk.origin.count;
  const client = walk.get('/a');
  t.equal(walk.origin.count, asked + 1);
  t.equal(client.status, undefined);
});

t.test('a purge forgets the failures of a key', async (t) => {
  const walk = makeWalk();
  for (let i = 0; i < 3; i++) {
    walk.get('/a');
    walk.origin.last.respond(503);
  }
  walk.engine.purging.purgeKey('http://example.test/a');
  t.equal(walk.get('/a').status, undefined);
});
