// Goal: a resumed body that stays short of what its rest promised is never whole. Method: a walk with a fake clock and a played origin.
import t from 'tap';
import { makeWalk } from '../kit/walk.js';

const CACHEABLE = { 'Cache-Control': 'max-age=10', ETag: '"one"' };
const KEY = 'http://example.test/a';

t.test('RFC 9111 §3.3: a body of unknown length is as long as the Content-Range of its rest says', async (t) => {
  const walk = makeWalk();
  const client = walk.get('/a');
  walk.origin.last.head(200, CACHEABLE).data('01234').fail('origin-reset');
  t.equal(walk.origin.last.field('range'), 'bytes=5-');
  walk.origin.last
    .head(206, { ...CACHEABLE, 'Content-Range': 'bytes 5-9/10' })
    .data('56')
    .end();
  t.equal(client.ending, 'broken');
  t.equal(walk.engine.parts.store.peek(KEY), undefined);
});
