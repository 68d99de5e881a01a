// Goal: one fill or refresh in flight for each key and variant (design, section 3). Method: walks with a fake clock and a played origin.
import t from 'tap';
import { makeWalk } from '../kit/walk.js';

const CACHEABLE = { 'Cache-Control': 'max-age=60', ETag: '"one"' };

t.test('design 3: N clients, one cold key, one origin request; bytes as they arrive, from the first on', async (t) => {
  const walk = makeWalk();
  const clients = Array.from({ length: 256 }, () => walk.get('/cold'));
  t.equal(walk.origin.count, 1);
  const origin = walk.origin.last.head(200, CACHEABLE);
  for (const client of clients) t.equal(client.status, 200);
  origin.data('a');
  for (const client of clients) t.match([client.body, client.ending], ['a', 'streaming']);
  const late = walk.get('/cold');
  t.match([late.body, late.ending], ['a', 'streaming'], 'one who comes in the middle gets what is there');
  origin.data('b').end();
  for (const client of [...clients, late]) t.match([client.body, client.ending], ['ab', 'finished']);
  t.match(late.field('cache-status'), /fwd=uri-miss;.*collapsed/);
  t.equal(walk.engine.stats.fills, 0);
});

t.test('design 3: a slow reader delays nobody', async (t) => {
  const walk = makeWalk();
  const slow = walk.send({ target: '/a' }, {}, true);
  const fast = walk.get('/a');
  walk.origin.last.head(200, CACHEABLE).data('x'.repeat(100_000));
  t.equal(walk.origin.last.isPaused, false);
  walk.origin.last.data('y').end();
  t.equal(fast.body.length, 100_001);
  t.equal(slow.body, '');
  slow.read();
  t.equal(slow.body.length, 100_001);
});

t.test('design 3: a client that leaves cancels nothing that others want', async (t) => {
  const walk = makeWalk();
  const leader = walk.get('/a');
  const waiter = walk.get('/a');
  leader.leave();
  walk.origin.last.respond(200, CACHEABLE, 'hello');
  t.match([waiter.body, waiter.ending], ['hello', 'finished']);
});

t.test('design 3: a client that leaves cancels nothing that the store wants', async (t) => {
  const walk = makeWalk();
  walk.get('/a').leave();
  walk.origin.last.head(200, CACHEABLE).data('hel');
  walk.origin.last.data('lo').end();
  t.match([walk.get('/a').body, walk.get('/a').outcome], ['hello', 'HIT']);
});

t.test('what nobody wants and nothing stores is given up: the exchange is aborted', async (t) => {
  const walk = makeWalk();
  const client = walk.get('/a');
  walk.origin.last.head(200, { 'Cache-Control': 'no-store' }).data('x');
  t.equal(client.body, 'x');
  client.leave();
  t.equal(walk.origin.last.isAborted, true);
  t.match(walk.asked.at(-1), { end: 'uncacheable' });
});

t.test(
  'design 3: if the fill ends uncacheable, the waiters all go at once, and the key is remembered as hit-for-miss',
  async (t) => {
    const walk = makeWalk();
    const leader = walk.get('/private');
    const waiters = Array.from({ length: 5 }, () => walk.get('/private'));
    walk.origin.last.head(200, { 'Cache-Control': 'private' });
    t.equal(walk.origin.count, 6, 'five requests at once, none behind another');
    walk.origin.nth(1).data('mine').end();
    t.equal(leader.body, 'mine');
    for (let n = 2; n <= 6; n++) walk.origin.nth(n).respond(200, { 'Cache-Control': 'private' }, `own ${n}`);
    t.same(
      waiters.map((client) => client.body),
      ['own 2', 'own 3', 'own 4', 'own 5', 'own 6'],
    );
    walk.get('/private');
    walk.get('/private');
    t.equal(walk.origin.count, 8, 'remembered: nobody waits');
    walk.clock.advance(10_001);
    walk.get('/private');
    walk.get('/private');
    t.equal(walk.origin.count, 9, 'forgotten after a while: collapsed again');
  },
);

t.test('RFC 9211 §2.6: who waited in vain, and asked by itself, says that collapsing did not succeed', async (t) => {
  const walk = makeWalk();
  const leader = walk.get('/private');
  const [alone, fellow] = [walk.get('/private'), walk.get('/private')];
  walk.origin.last.head(200, { 'Cache-Control': 'private' });
  walk.origin.nth(1).data('mine').end();
  walk.origin.nth(2).respond(200, { 'Cache-Control': 'private' }, 'own');
  walk.origin.nth(3).respond(200, CACHEABLE, 'for all');
  t.notMatch(leader.field('cache-status'), /collapsed/);
  t.match(alone.field('cache-status'), /; collapsed=\?0;/);
  t.match(fellow.field('cache-status'), /; collapsed=\?0;/, 'stored or not');
  const german = walk.get('/a', { 'Accept-Language': 'de' });
  const french = [walk.get('/a', { 'Accept-Language': 'fr' }), walk.get('/a', { 'Accept-Language': 'fr' })];
  walk.origin.last.respond(200, { ...CACHEABLE, Vary: 'Accept-Language' }, 'hallo');
  walk.origin.last.respond(200, { ...CACHEABLE, Vary: 'Accept-Language' }, 'salut');
  t.notMatch(german.field('cache-status'), /collapsed/);
  t.match(french[0]?.field('cache-status'), /; collapsed=\?0;/, 'it waited on the German one, and led the French ones');
  t.match(french[1]?.field('cache-status'), /; collapsed;/);
});

t.test('scar 30: collapsing on an uncacheable object leaks nothing of one client to another', async (t) => {
  const walk = makeWalk();
  const one = walk.get('/me', { Cookie: 'user=1' });
  const two = walk.get('/me', { Cookie: 'user=2' });
  walk.origin.nth(1).respond(200, { 'Set-Cookie': 'session=1', 'Cache-Control': 'max-age=60' }, 'for 1');
  walk.origin.nth(2).respond(200, { 'Set-Cookie': 'session=2', 'Cache-Control': 'max-age=60' }, 'for 2');
  t.match([one.body, one.field('set-cookie')], ['for 1', 'session=1']);
  t.match([two.body, two.field('set-cookie')], ['for 2', 'session=2']);
});

t.test('an anonymous request is not slowed by what is remembered of one with credentials', async (t) => {
  const walk = makeWalk();
  walk.get('/a', { Authorization: 'Basic eA==' });
  walk.origin.last.respond(200, { 'Cache-Control': 'max-age=60' }, 'mine');
  const clients = [walk.get('/a'), walk.get('/a')];
  t.equal(walk.origin.count, 2);
  walk.origin.last.respond(200, { 'Cache-Control': 'max-age=60' }, 'for all');
  for (const client of clients) t.equal(client.body, 'for all');
});

t.test('design 3: if the leader fails before a head, the waiters share its error: never a herd', async (t) => {
  const walk = makeWalk();
  const clients = Array.from({ length: 20 }, () => walk.get('/a'));
  walk.origin.last.fail('origin-headers-timeout');
  for (const client of clients) t.match([client.status, client.reason], [504, 'origin-headers-timeout']);
  t.equal(walk.origin.count, 1);
});

t.test(
  "a 5xx of the origin goes to the leader as it is; waiters get a plain error of the same kind, never the leader's",
  async (t) => {
    const walk = makeWalk();
    const leader = walk.get('/a');
    const waiter = walk.get('/a');
    walk.origin.last.respond(503, { 'Set-Cookie': 'a=b', 'Retry-After': '7' }, 'sorry, you');
    t.match([leader.status, leader.body, leader.field('set-cookie')], [503, 'sorry, you', 'a=b']);
    t.match([waiter.status, waiter.reason, waiter.field('retry-after')], [503, 'origin-error-shared', '7']);
    t.equal(waiter.field('set-cookie'), undefined);
  },
);

t.test('design 3: if the body breaks off, every reader sees it break, and nothing is stored', async (t) => {
  const walk = makeWalk();
  const clients = [walk.get('/a'), walk.get('/a')];
  walk.origin.last.head(200, CACHEABLE).data('half');
  while (clients[0]?.ending === 'streaming') walk.origin.last.fail('origin-truncated');
  for (const client of clients) t.match([client.body, client.ending], ['half', 'broken']);
  t.equal(walk.engine.parts.store.stats.objects, 0);
  t.equal(walk.engine.parts.store.stats.reservedBytes, 0);
});

t.test('scar 11: waiters are capped: beyond the cap 503 at once', async (t) => {
  const walk = makeWalk({ waitersPerFill: 2 });
  const clients = Array.from({ length: 4 }, () => walk.get('/a'));
  t.match([clients[3]?.status, clients[3]?.reason], [503, 'too-many-waiters']);
  walk.origin.last.respond(200, CACHEABLE, 'x');
  t.same(
    clients.slice(0, 3).map((client) => client.status),
    [200, 200, 200],
  );
});

t.test('scar 11: waiting has a limit of its own: 504, and the fill goes on', async (t) => {
  const walk = makeWalk({ waitMs: 1_000 });
  const leader = walk.get('/a');
  const waiter = walk.get('/a');
  walk.clock.advance(1_000);
  t.match([waiter.status, waiter.reason], [504, 'waited-too-long']);
  walk.origin.last.respond(200, CACHEABLE, 'x');
  t.equal(leader.body, 'x');
});

t.test('scar 11: a waiter whose client left is not kept parked', async (t) => {
  const walk = makeWalk();
  walk.get('/a');
  const waiter = walk.get('/a');
  t.equal(walk.engine.stats.waiters, 1);
  waiter.leave();
  t.equal(walk.engine.stats.waiters, 0);
  walk.origin.last.respond(200, CACHEABLE, 'x');
  t.equal(waiter.status, undefined);
});

t.test(
  'design 3: a waiter that turns out to be another variant asks for its own, collapsed with its like',
  async (t) => {
    const walk = makeWalk();
    const german = [walk.get('/a', { 'Accept-Language': 'de' }), walk.get('/a', { 'Accept-Language': 'de' })];
    const french = [walk.get('/a', { 'Accept-Language': 'fr' }), walk.get('/a', { 'Accept-Language': 'fr' })];
    const vary = { ...CACHEABLE, Vary: 'Accept-Language' };
    walk.origin.last.respond(200, vary, 'hallo');
    for (const client of german) t.equal(client.body, 'hallo');
    t.equal(walk.origin.count, 2, 'one more for French, not two');
    walk.origin.last.respond(200, { ...vary, ETag: '"fr"' }, 'salut');
    for (const client of french) t.equal(client.body, 'salut');
  },
);

t.test('a response too large for the budget streams through, with backpressure, and is not stored', async (t) => {
  const walk = makeWalk({ budgetBytes: 1024 * 1024 });
  const client = walk.get('/big');
  const waiter = walk.get('/big');
  walk.origin.nth(1).head(200, { ...CACHEABLE, 'Content-Length': String(4 * 1024 * 1024) });
  t.equal(walk.origin.count, 2, 'the waiter goes on its own');
  const chunk = Buffer.alloc(64 * 1024);
  for (let i = 0; i < 64; i++) walk.origin.nth(1).data(chunk);
  walk.origin.nth(1).end();
  t.match([client.body.length, client.ending], [4 * 1024 * 1024, 'finished']);
  t.equal(walk.engine.parts.store.stats.objects, 0);
  waiter.leave();
});

t.test(
  'a response of unknown length that outgrows the budget goes on streaming to all its readers, unstored',
  async (t) => {
    const walk = makeWalk({ budgetBytes: 1024 * 1024 });
    const clients = [walk.get('/big'), walk.get('/big')];
    const slow = walk.send({ target: '/big' }, {}, true);
    walk.origin.last.head(200, CACHEABLE);
    const chunk = Buffer.alloc(64 * 1024);
    for (let i = 0; i < 64; i++) walk.origin.last.data(chunk);
    walk.origin.last.end();
    for (const client of clients) t.match([client.body.length, client.ending], [4 * 1024 * 1024, 'finished']);
    slow.read();
    t.equal(slow.ending, 'broken', 'one who fell too far behind is cut off, never given a hole');
    t.match(walk.engine.parts.store.stats, { objects: 0, reservedBytes: 0 });
  },
);

t.test(
  'RFC 9110 §15.2: an interim response reaches the one whose request it answers, and is never stored',
  async (t) => {
    const walk = makeWalk();
    const clients = [walk.get('/a'), walk.get('/a')];
    walk.origin.last.inform(103, { Link: '</style.css>; rel=preload' });
    walk.origin.last.respond(200, CACHEABLE, 'x');
    t.same(
      clients.map((client) => client.informed),
      [[103], []],
    );
    const hit = walk.get('/a');
    t.same(hit.informed, [], 'and are never stored');
  },
);

t.test('what fell asleep while it was refreshed is not refreshed a second time, and the 304 is about it', async (t) => {
  const walk = makeWalk({ awakeCount: 1 });
  const stale = { 'Cache-Control': 'max-age=10, stale-while-revalidate=100', ETag: '"one"' };
  walk.get('/a');
  walk.origin.last.respond(200, stale, 'hello');
  walk.clock.advance(15_000);
  t.equal(walk.get('/a').body, 'hello');
  const refresh = walk.origin.last;
  for (const other of ['/b', '/c', '/d']) {
    for (let use = 0; use < 2; use++) walk.get(other);
    walk.origin.last.respond(200, { 'Cache-Control': 'max-age=1000' }, other);
    walk.get(other);
  }
  const askedBefore = walk.origin.count;
  t.equal(walk.get('/a').body, 'hello');
  t.equal(walk.origin.count, askedBefore, 'the refresh under way is known to be about it');
  refresh.respond(304, stale);
  t.match([walk.get('/a').outcome, walk.origin.count], ['HIT', askedBefore]);
});
