// Goal: one refresh is in flight for one stored response. Method: a walk with a fake clock and a played origin.
import t from 'tap';
import { makeWalk } from '../kit/walk.js';

t.test(
  'promise 4: requests whose Accept-Language differs and that get one stored response set off one refresh',
  async (t) => {
    const walk = makeWalk();
    walk.get('/a', { 'Accept-Language': 'fr' });
    const fields = {
      'Cache-Control': 'max-age=10, stale-while-revalidate=1000',
      'Content-Language': 'fr',
      ETag: '"f"',
    };
    walk.origin.last.respond(200, { ...fields, Vary: 'Accept-Language' }, 'bonjour');
    walk.clock.advance(11_000);
    for (let i = 1; i < 10; i++) t.equal(walk.get('/a', { 'Accept-Language': `fr, en;q=0.${i}` }).body, 'bonjour');
    t.equal(walk.origin.count, 2);
  },
);
