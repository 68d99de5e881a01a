// Goal: an answer to one client’s credentials takes nothing from all others. Method: a walk with a fake clock and a played origin.
import t from 'tap';
import { makeWalk } from '../kit/walk.js';

const CACHEABLE = { 'Cache-Control': 'max-age=10', ETag: '"one"' };

for (const [name, status, fields] of [
  ['a private 200', 200, { 'Cache-Control': 'private' }],
  ['a 304 with private', 304, { ETag: '"one"', 'Cache-Control': 'private' }],
] as const) {
  t.test(`promise 4: ${name} to a request with credentials leaves what is stored in place`, async (t) => {
    const walk = makeWalk();
    walk.get('/a');
    walk.origin.last.respond(200, { ...CACHEABLE, 'Cache-Control': 'max-age=60' }, 'for all');
    walk.get('/a', { Authorization: 'Basic eDp5', 'Cache-Control': 'no-cache' });
    walk.origin.last.respond(status, fields, status === 200 ? 'for x' : '');
    t.match([walk.get('/a').body, walk.get('/a').outcome], ['for all', 'HIT']);
  });
}
