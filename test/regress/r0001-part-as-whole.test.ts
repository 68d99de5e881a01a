// Goal: a 304 about a stored part never becomes an empty 200. Method: a walk with a fake clock and a played origin.
import t from 'tap';
import { makeWalk } from '../kit/walk.js';

const CACHEABLE = { 'Cache-Control': 'max-age=10', ETag: '"one"' };

for (const [name, range, part, text, waitMs] of [
  ['a part from the middle', 'bytes=3-5', 'bytes 3-5/10', '345', 0],
  ['a beginning that is stale', 'bytes=0-4', 'bytes 0-4/10', '01234', 11_000],
] as const) {
  t.test(`design 2: never an empty 200: the 304 that validates ${name} does not answer for the whole`, async (t) => {
    const walk = makeWalk();
    walk.get('/a', { Range: range });
    walk.origin.last.respond(206, { ...CACHEABLE, 'Content-Range': part }, text);
    walk.clock.advance(waitMs);
    const client = walk.get('/a');
    const asked = walk.origin.count;
    // An origin answers by what it was sent: 304 where the tag of the part went along, else the whole.
    if (walk.origin.last.field('if-none-match') !== undefined) walk.origin.last.respond(304, { ETag: '"one"' });
    if (walk.origin.count > asked || client.status === undefined)
      walk.origin.last.respond(200, CACHEABLE, '0123456789');
    t.match([client.status, client.body, client.ending], [200, '0123456789', 'finished']);
  });
}
