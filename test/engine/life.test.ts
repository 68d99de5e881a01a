// Goal: the life of a stored response (design, section 1) as clients and the origin see it. Method: walks with a fake clock and a played origin.
import t from 'tap';
import { makeWalk } from '../kit/walk.js';

const CACHEABLE = { 'Cache-Control': 'max-age=10, stale-while-revalidate=20', ETag: '"one"' };

t.test('design 1: fresh - a request gets the stored response, the origin gets nothing', async (t) => {
  const walk = makeWalk();
  const first = walk.get('/a');
  t.equal(first.ending, 'waiting');
  walk.origin.last.respond(200, CACHEABLE, 'hello');
  t.match([first.status, first.body, first.outcome], [200, 'hello', 'MISS']);
  walk.clock.advance(9_999);
  const second = walk.get('/a');
  t.match([second.status, second.body, second.outcome, second.field('age')], [200, 'hello', 'HIT', '9']);
  t.equal(second.field('cache-status'), 'patina; hit; ttl=0; detail=fresh');
  t.equal(walk.origin.count, 1);
});

t.test('design 1: grace - the stored response at once, and one background conditional request', async (t) => {
  const walk = makeWalk();
  walk.get('/a');
  walk.origin.last.respond(200, CACHEABLE, 'hello');
  walk.clock.advance(10_000);
  const clients = Array.from({ length: 50 }, () => walk.get('/a'));
  for (const client of clients) t.match([client.body, client.outcome], ['hello', 'UPDATING']);
  t.equal(walk.origin.count, 2, 'one request for all of them');
  t.equal(walk.origin.last.field('if-none-match'), '"one"');
  t.equal(clients[0]?.field('cache-status'), 'patina; hit; ttl=0; detail=stale-while-revalidate');
  walk.clock.advance(200);
  walk.origin.last.respond(304, { ETag: '"one"' });
  const after = walk.get('/a');
  t.match([after.body, after.outcome, after.field('age')], ['hello', 'HIT', '0']);
  t.equal(walk.origin.count, 2);
});

t.test('design 1: keep - the request waits for one conditional request, collapsed', async (t) => {
  const walk = makeWalk();
  walk.get('/a');
  walk.origin.last.respond(200, CACHEABLE, 'hello');
  walk.clock.advance(30_000);
  const clients = Array.from({ length: 10 }, () => walk.get('/a'));
  for (const client of clients) t.equal(client.ending, 'waiting');
  t.equal(walk.origin.count, 2);
  t.equal(walk.origin.last.field('if-none-match'), '"one"');
  walk.origin.last.respond(304, { ETag: '"one"', 'Cache-Control': 'max-age=60' });
  for (const client of clients) t.match([client.body, client.outcome, client.status], ['hello', 'REVALIDATED', 200]);
  t.match(clients[0]?.field('cache-status'), /^patina; fwd=stale; fwd-status=304;/);
  t.match(clients[9]?.field('cache-status'), /collapsed/);
});

t.test('design 1: gone - a miss, with a full request', async (t) => {
  const walk = makeWalk();
  walk.get('/a');
  walk.origin.last.respond(200, CACHEABLE, 'hello');
  walk.clock.advance(30_000 + 3_600_000);
  const client = walk.get('/a');
  t.equal(walk.origin.last.field('if-none-match'), undefined);
  walk.origin.last.respond(200, CACHEABLE, 'again');
  t.match([client.body, client.outcome], ['again', 'MISS']);
});

t.test('design 1, scar 1: keep is on wherever there is a validator, with no configuration', async (t) => {
  const walk = makeWalk();
  walk.get('/a');
  walk.origin.last.respond(
    200,
    { 'Cache-Control': 'max-age=1', 'Last-Modified': 'Wed, 31 Dec 2025 00:00:00 GMT' },
    'x',
  );
  walk.clock.advance(3_600_000);
  walk.get('/a');
  t.equal(walk.origin.last.field('if-modified-since'), 'Wed, 31 Dec 2025 00:00:00 GMT');
});

t.test('scar 5: max-age=0 with an ETag is stored, and validated on every use, collapsed', async (t) => {
  for (const directive of ['max-age=0', 'no-cache', 'max-age=60, no-cache']) {
    const walk = makeWalk();
    walk.get('/a');
    walk.origin.last.respond(200, { 'Cache-Control': directive, ETag: '"v"' }, 'hello');
    for (let use = 0; use < 3; use++) {
      const clients = [walk.get('/a'), walk.get('/a')];
      t.equal(walk.origin.count, use + 2, directive);
      t.equal(walk.origin.last.field('if-none-match'), '"v"');
      walk.origin.last.respond(304, { ETag: '"v"', 'Cache-Control': directive });
      for (const client of clients) t.match([client.body, client.outcome], ['hello', 'REVALIDATED']);
    }
  }
});

t.test('scar 6: must-revalidate is honoured: past ttl nobody gets the stale copy unasked', async (t) => {
  for (const directive of ['must-revalidate', 'proxy-revalidate', 's-maxage=10']) {
    const walk = makeWalk({ rule: { grace: { kind: 'fixed', ms: 3_600_000 } } });
    walk.get('/a');
    walk.origin.last.respond(200, { 'Cache-Control': `max-age=10, ${directive}`, ETag: '"v"' }, 'hello');
    walk.clock.advance(10_001);
    const client = walk.get('/a');
    t.equal(client.ending, 'waiting', directive);
    walk.origin.last.fail('origin-refused');
    t.equal(client.status, 502, `${directive}: not served stale on failure either`);
  }
});

t.test('design 1: a rule gives ttl, grace and keep to an origin that sends nothing', async (t) => {
  const walk = makeWalk({
    rule: {
      name: 'pages',
      ttl: { kind: 'fixed', ms: 5_000 },
      grace: { kind: 'fixed', ms: 10_000 },
      keep: { kind: 'fixed', ms: 20_000 },
    },
  });
  walk.get('/a');
  walk.origin.last.respond(200, { ETag: '"v"' }, 'hello');
  walk.clock.advance(4_999);
  t.equal(walk.get('/a').outcome, 'HIT');
  walk.clock.advance(1);
  t.equal(walk.get('/a').outcome, 'UPDATING');
  walk.origin.last.fail();
  walk.clock.advance(10_000);
  t.equal(walk.get('/a').ending, 'waiting');
  walk.origin.last.fail();
  walk.clock.advance(20_000);
  t.equal(walk.origin.last.field('if-none-match'), '"v"', 'tried again in the background meanwhile');
  walk.origin.last.fail();
  walk.clock.advance(10_000);
  walk.get('/a');
  t.equal(walk.origin.last.field('if-none-match'), undefined, 'gone: nothing to validate');
});

t.test('RFC 9111 §5.2.1.7: only-if-cached with nothing usable is 504, and the origin hears nothing', async (t) => {
  const walk = makeWalk();
  const client = walk.get('/a', { 'Cache-Control': 'only-if-cached' });
  t.match([client.status, client.reason], [504, 'only-if-cached']);
  t.equal(walk.origin.count, 0);
});

t.test('RFC 9111 §5.2.1.4: request no-cache validates, by condition and collapsed', async (t) => {
  const walk = makeWalk();
  walk.get('/a');
  walk.origin.last.respond(200, CACHEABLE, 'hello');
  const clients = [walk.get('/a', { 'Cache-Control': 'no-cache' }), walk.get('/a', { Pragma: 'no-cache' })];
  t.equal(walk.origin.count, 2);
  t.equal(walk.origin.last.field('if-none-match'), '"one"');
  walk.origin.last.respond(304, {});
  for (const client of clients) t.match([client.body, client.outcome], ['hello', 'REVALIDATED']);
});

t.test('RFC 9111 §5.2.1.1-5.2.1.3: max-age, min-fresh and max-stale of the request bound what it gets', async (t) => {
  const walk = makeWalk();
  walk.get('/a');
  walk.origin.last.respond(200, { 'Cache-Control': 'max-age=10', ETag: '"one"' }, 'hello');
  walk.clock.advance(5_000);
  t.equal(walk.get('/a', { 'Cache-Control': 'max-age=5' }).outcome, 'HIT');
  t.equal(walk.get('/a', { 'Cache-Control': 'min-fresh=5' }).outcome, 'HIT');
  t.equal(walk.get('/a', { 'Cache-Control': 'max-age=4' }).ending, 'waiting');
  walk.origin.last.fail();
  walk.clock.advance(120_000);
  t.equal(walk.get('/a', { 'Cache-Control': 'max-stale=200' }).outcome, 'UPDATING');
  t.equal(walk.get('/a', { 'Cache-Control': 'max-stale=100' }).ending, 'waiting');
});

t.test('RFC 9110 §9.3.2: HEAD is answered from a stored GET, with its length and no body', async (t) => {
  const walk = makeWalk();
  walk.get('/a');
  walk.origin.last.respond(200, CACHEABLE, 'hello');
  const client = walk.head('/a');
  t.match([client.status, client.body, client.outcome, client.field('content-length')], [200, '', 'HIT', '5']);
});

t.test(
  'RFC 9111 §4.3.5: a HEAD for which something stale is stored goes out as a conditional GET, so that its answer serves all',
  async (t) => {
    const walk = makeWalk();
    walk.get('/a');
    walk.origin.last.respond(200, { 'Cache-Control': 'max-age=10', ETag: '"one"' }, 'hello');
    walk.clock.advance(60_000);
    const client = walk.head('/a');
    t.match([walk.origin.last.request.method, walk.origin.last.field('if-none-match')], ['GET', '"one"']);
    walk.origin.last.respond(200, CACHEABLE, 'hello again');
    t.match([client.status, client.body, client.field('content-length')], [200, '', '11']);
    t.equal(walk.get('/a').body, 'hello again');
  },
);

t.test('a HEAD with nothing stored goes out as HEAD, once for all who wait, and stores no empty body', async (t) => {
  const walk = makeWalk();
  const clients = [walk.head('/a'), walk.head('/a')];
  t.equal(walk.origin.count, 1);
  t.equal(walk.origin.last.request.method, 'HEAD');
  walk.origin.last.head(200, { 'Content-Length': '5', 'Cache-Control': 'max-age=60' }).end();
  for (const client of clients)
    t.match([client.status, client.field('content-length'), client.ending], [200, '5', 'finished']);
  walk.get('/a');
  t.equal(walk.origin.last.request.method, 'GET');
});

t.test('Age is right to the second across an upstream cache', async (t) => {
  const walk = makeWalk();
  const miss = walk.get('/a');
  walk.origin.last.respond(200, { ...CACHEABLE, 'Cache-Control': 'max-age=100', Age: '40' }, 'x');
  t.equal(miss.field('age'), '40');
  walk.clock.advance(59_500);
  t.match([walk.get('/a').field('age'), walk.get('/a').outcome], ['99', 'HIT']);
  walk.clock.advance(500);
  t.not(walk.get('/a').outcome, 'HIT');
});

t.test('the wall clock may step: what is fresh stays fresh, what is stale stays stale', async (t) => {
  const walk = makeWalk();
  walk.get('/a');
  walk.origin.last.respond(200, CACHEABLE, 'hello');
  walk.clock.stepWall(-86_400_000);
  walk.clock.advance(5_000);
  t.match([walk.get('/a').outcome, walk.get('/a').field('age')], ['HIT', '5']);
  walk.clock.advance(5_000);
  t.equal(walk.get('/a').outcome, 'UPDATING');
});
