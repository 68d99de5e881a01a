// Goal: a download that broke off and went on is as old as its beginning. Method: a walk with a fake clock and a played origin, on which a newer answer overtakes it.
import t from 'tap';
import { makeWalk } from '../kit/walk.js';

const CACHEABLE = { 'Cache-Control': 'max-age=10', ETag: '"one"' };

t.test(
  'design, section 2: what a newer answer made old is not stored behind it, though its rest was asked for later',
  async (t) => {
    const walk = makeWalk();
    walk.get('/a');
    const first = walk.origin.last.head(200, { ...CACHEABLE, 'Content-Length': '10' }).data('01234');
    walk.clock.advance(1);
    walk.get('/a', { 'Cache-Control': 'no-cache' });
    walk.origin.last.respond(200, CACHEABLE, 'abcdefghij');
    walk.clock.advance(1);
    walk.get('/a', { 'Cache-Control': 'no-cache' });
    const newest = walk.origin.last;
    walk.clock.advance(1);
    first.fail('origin-reset');
    const rest = walk.origin.last;
    t.match(rest.field('range'), /^bytes=\d/, 'the rest is asked for');
    newest.respond(200, { ...CACHEABLE, 'Set-Cookie': 'a=b' }, 'of one user');
    rest.respond(206, { ...CACHEABLE, 'Content-Range': 'bytes 5-9/10' }, '56789');
    t.same(walk.engine.parts.store.known('http://example.test/a'), []);
  },
);
