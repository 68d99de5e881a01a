// Goal: an answer to HEAD is passed on as it is. Method: a walk with a fake clock and a played origin.
import t from 'tap';
import { makeWalk } from '../kit/walk.js';

const CACHEABLE = { 'Cache-Control': 'max-age=10', ETag: '"one"' };

for (const [name, fields] of [
  ['that is stored for nobody', { 'Cache-Control': 'no-store' }],
  ['that may be shared', CACHEABLE],
] as const) {
  t.test(`RFC 9110 §8.6: no Content-Length is made up for an answer to HEAD ${name}`, async (t) => {
    const walk = makeWalk();
    const client = walk.head('/a');
    const exchange = walk.origin.last.head(200, fields);
    t.match([client.status, client.field('content-length')], [200, undefined]);
    t.equal(exchange.isAborted, false, 'and its connection is not cut off');
    exchange.end();
    t.equal(walk.engine.stats.fills, 0);
  });
}
