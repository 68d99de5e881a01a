// Goal: what is one client's never becomes another's, and no client can take from all (promise 1). Method: walks with a fake clock and a played origin.
import t from 'tap';
import { makeWalk } from '../kit/walk.js';

const HEURISTIC = { 'Last-Modified': 'Wed, 01 Jan 2025 00:00:00 GMT', ETag: '"one"' };

t.test('a client with no-store or Cookie cannot evict, by its validation, what all others share', async (t) => {
  for (const fields of [
    { 'Cache-Control': 'no-store, max-age=0' },
    { Cookie: 'user=1', 'Cache-Control': 'max-age=0' },
  ]) {
    const walk = makeWalk();
    walk.get('/a');
    walk.origin.last.respond(200, HEURISTIC, 'for all');
    const client = walk.get('/a', fields);
    walk.origin.last.respond(304, { ETag: '"one"' });
    t.match([client.status, client.body], [200, 'for all']);
    t.match([walk.get('/a').body, walk.get('/a').outcome], ['for all', 'HIT']);
  }
});

t.test('a full answer to a cookie does not replace what all others share', async (t) => {
  const walk = makeWalk();
  walk.get('/a');
  walk.origin.last.respond(200, HEURISTIC, 'for all');
  const client = walk.get('/a', { Cookie: 'user=1', 'Cache-Control': 'no-cache' });
  walk.origin.last.respond(200, { ...HEURISTIC, ETag: '"user"' }, 'for user 1');
  t.equal(client.body, 'for user 1');
  t.equal(walk.get('/a').body, 'for all');
});

t.test('a background refresh of a response that was never declared shareable carries nobody’s cookie', async (t) => {
  const walk = makeWalk({ rule: { grace: { kind: 'fixed', ms: 86_400_000 * 30 } } });
  walk.get('/a');
  walk.origin.last.respond(200, HEURISTIC, 'for all');
  walk.clock.advance(86_400_000 * 8);
  const client = walk.get('/a', { Cookie: 'user=1' });
  t.equal(client.outcome, 'UPDATING');
  t.equal(walk.origin.last.field('cookie'), undefined);
  walk.origin.last.respond(304, { ETag: '"one"' });
  t.equal(walk.get('/a').outcome, 'HIT');
});

t.test('RFC 9110 §7.6.1: a field that Connection lists selects no variant', async (t) => {
  const walk = makeWalk();
  walk.get('/a', { Connection: 'X-Tenant', 'X-Tenant': 'b' });
  t.equal(walk.origin.last.field('x-tenant'), undefined);
  walk.origin.last.respond(200, { 'Cache-Control': 'max-age=60', Vary: 'X-Tenant' }, 'no tenant');
  walk.get('/a', { 'X-Tenant': 'b' });
  t.equal(walk.origin.count, 2, 'the answer was not stored as that of tenant b');
});

t.test(
  'RFC 9111 §3.5: a response to a request with Authorization is shared only where the origin says so',
  async (t) => {
    const walk = makeWalk();
    walk.get('/a', { Authorization: 'Bearer x' });
    walk.origin.last.respond(200, { 'Cache-Control': 'max-age=60' }, 'mine');
    walk.get('/a');
    t.equal(walk.origin.count, 2);
    walk.get('/b', { Authorization: 'Bearer x' });
    walk.origin.last.respond(200, { 'Cache-Control': 'public, max-age=60' }, 'everybody');
    t.equal(walk.get('/b').body, 'everybody');
  },
);

t.test(
  'RFC 9111 §5.2.2.4, §5.2.2.7: fields named by qualified no-cache and private reach the first client alone',
  async (t) => {
    const walk = makeWalk();
    const first = walk.get('/a');
    walk.origin.last.respond(
      200,
      {
        'Cache-Control': 'max-age=60, private="X-User", no-cache="X-Once"',
        'X-User': 'u',
        'X-Once': 'o',
        'X-All': 'a',
      },
      'x',
    );
    t.equal(first.status, 200);
    const hit = walk.get('/a');
    t.match(
      [hit.outcome, hit.field('x-user'), hit.field('x-once'), hit.field('x-all')],
      ['HIT', undefined, undefined, 'a'],
    );
  },
);

t.test('design 7: set_cookie refuse, strip and share', async (t) => {
  for (const [setCookie, outcome, cookie] of [
    ['refuse', undefined, undefined],
    ['strip', 'HIT', undefined],
    ['share', 'HIT', 'a=b'],
  ] as const) {
    const walk = makeWalk({ rule: { setCookie } });
    const first = walk.get('/a');
    walk.origin.last.respond(200, { 'Cache-Control': 'max-age=60', 'Set-Cookie': 'a=b' }, 'x');
    t.equal(first.field('set-cookie'), 'a=b', 'the first client gets its own');
    const second = walk.get('/a');
    t.match([second.outcome, second.field('set-cookie')], [outcome, cookie], setCookie);
  }
});

t.test('RFC 9213 §2.2: Surrogate-Control governs where the rule names it, in the order of its list', async (t) => {
  const fields = { 'Surrogate-Control': 'max-age=60', 'CDN-Cache-Control': 'no-store', 'Cache-Control': 'no-store' };
  for (const [targetedFields, outcome] of [
    [['cdn-cache-control'], undefined],
    [['surrogate-control'], 'HIT'],
    [['surrogate-control', 'cdn-cache-control'], 'HIT'],
    [['cdn-cache-control', 'surrogate-control'], undefined],
    [[], undefined],
  ] as const) {
    const walk = makeWalk({ rule: { targetedFields } });
    walk.get('/a');
    walk.origin.last.respond(200, fields, 'x');
    t.equal(walk.get('/a').outcome, outcome, targetedFields.join());
  }
});
