// Goal: RFC 9111 §4.3.3, what a 304 names answers the request, whatever else is stored for it. Method: walks with a fake clock and a played origin.
import t from 'tap';
import { makeWalk, type Walk } from '../kit/walk.js';

const SHORT = 'max-age=1, must-revalidate';

/** Two responses by X-A, then one without Vary; the first two are stale. */
function withDefault(): Walk {
  const walk = makeWalk();
  for (const value of ['1', '2']) {
    walk.get('/a', { 'X-A': value });
    walk.origin.last.respond(200, { 'Cache-Control': SHORT, ETag: `"old ${value}"`, Vary: 'X-A' }, `old ${value}`);
  }
  walk.clock.advance(1_000);
  walk.get('/a', { 'X-A': '3' });
  walk.origin.last.respond(200, { 'Cache-Control': SHORT, ETag: '"new"' }, 'new');
  walk.clock.advance(2_000);
  return walk;
}

const CONFIRMED = { ETag: '"new"', 'Cache-Control': 'max-age=60' };

t.test('RFC 9111 §4.3.3: two 304s that name one response for other values are both answered with it', async (t) => {
  const walk = withDefault();
  const clients = ['1', '2'].map((value) => walk.get('/a', { 'X-A': value }));
  const exchanges = walk.origin.exchanges.slice(-2);
  for (const exchange of exchanges) exchange.respond(304, CONFIRMED);
  t.same(
    clients.map(({ body }) => body),
    ['new', 'new'],
  );
  t.same(
    clients.map((client) => client.field('etag')),
    ['"new"', '"new"'],
  );
});

t.test('RFC 9111 §4.3.3: nor is what is evicted meanwhile stood in for by what is older', async (t) => {
  const walk = withDefault();
  const client = walk.get('/a', { 'X-A': '1' });
  const { store } = walk.engine.parts;
  const named = store.known('http://example.test/a').find(({ fields }) => fields.get('etag') === '"new"');
  t.ok(named !== undefined && store.remove(named, 'evicted'));
  walk.origin.last.respond(304, CONFIRMED);
  t.equal(client.body, 'new');
});

t.test('RFC 9111 §4.3.4: what a 304 passed over for a request is not chosen for it again', async (t) => {
  const walk = withDefault();
  walk.get('/a', { 'X-A': '1' });
  walk.origin.last.respond(304, CONFIRMED);
  const count = walk.origin.count;
  const again = walk.get('/a', { 'X-A': '1' });
  t.equal(again.body, 'new');
  t.equal(again.outcome, 'HIT');
  t.equal(walk.origin.count, count);
});

t.test('promise 2: nor while it is fresh', async (t) => {
  const walk = makeWalk();
  walk.get('/a', { 'X-A': '1' });
  walk.origin.last.respond(200, { 'Cache-Control': 'max-age=60', ETag: '"old"', Vary: 'X-A' }, 'old');
  walk.get('/a', { 'X-A': '2' });
  walk.origin.last.respond(200, { 'Cache-Control': 'max-age=60', ETag: '"new"' }, 'new');
  const sure = walk.get('/a', { 'X-A': '1', 'Cache-Control': 'no-cache' });
  walk.origin.last.respond(304, CONFIRMED);
  t.same([sure.body, walk.get('/a', { 'X-A': '1' }).body], ['new', 'new']);
});

t.test('RFC 9111 §4: a part with another Vary does not go before a newer whole for the same request', async (t) => {
  const walk = makeWalk();
  walk.get('/a', { Range: 'bytes=6-8' });
  const part = { 'Cache-Control': 'max-age=60', ETag: '"old"', Vary: 'X-A', 'Content-Range': 'bytes 6-8/9' };
  walk.origin.last.respond(206, part, 'old');
  t.equal(walk.get('/a', { Range: 'bytes=6-8' }).body, 'old', 'it is stored');
  walk.get('/a');
  walk.origin.last.respond(200, { 'Cache-Control': 'max-age=60', ETag: '"new"' }, 'new whole');
  t.equal(walk.get('/a', { Range: 'bytes=6-8' }).body, 'ole');
});

t.test(
  'promise 2: a 304 about what has been replaced meanwhile does not take the place of the newer one',
  async (t) => {
    const walk = withDefault();
    const first = walk.get('/a', { 'X-A': '1' });
    const named = walk.origin.last;
    walk.clock.advance(10);
    walk.get('/a', { 'X-A': '2' });
    walk.origin.last.respond(200, { 'Cache-Control': 'max-age=60', ETag: '"new 2"', Vary: 'X-A' }, 'new 2');
    named.respond(304, { 'Cache-Control': 'max-age=60', ETag: '"old 2"', Vary: 'X-A' });
    t.equal(first.body, 'old 2');
    t.equal(walk.get('/a', { 'X-A': '2' }).body, 'new 2');
  },
);

t.test(
  'RFC 9111 §4.1: what a 304 passed over for a request that had it for its language alone stays for others',
  async (t) => {
    const walk = makeWalk();
    const languages = { A: 'de, en;q=0.5', B: 'fr' };
    const fields = { 'Cache-Control': 'max-age=1, must-revalidate', Vary: 'Accept-Language' };
    walk.get('/a', { 'Accept-Language': languages.A });
    walk.origin.last.respond(200, { ...fields, ETag: '"A"', 'Content-Language': 'de' }, 'A');
    walk.get('/a', { 'Accept-Language': languages.B });
    walk.origin.last.respond(200, { ...fields, ETag: '"B"', 'Content-Language': 'fr' }, 'B');
    walk.clock.advance(2_000);
    walk.get('/a', { 'Accept-Language': 'de, fr;q=0.5' });
    walk.origin.last.respond(304, { ...fields, ETag: '"B"', 'Content-Language': 'fr' });
    const etags = walk.engine.parts.store.known('http://example.test/a').map((stored) => stored.fields.get('etag'));
    t.ok(etags.includes('"A"'), etags.join());
  },
);

t.test('promise 3: a response without Vary stays for others where a 200 renews what stands beside it', async (t) => {
  const walk = makeWalk();
  walk.get('/a', { 'X-A': '1' });
  walk.origin.last.respond(200, { 'Cache-Control': SHORT, ETag: '"old"', Vary: 'X-A' }, 'old');
  walk.get('/a');
  walk.origin.last.respond(200, { 'Cache-Control': 'max-age=60', ETag: '"default"' }, 'default');
  walk.clock.advance(2_000);
  walk.get('/a', { 'X-A': '1' });
  walk.origin.last.respond(200, { 'Cache-Control': SHORT, ETag: '"new"', Vary: 'X-A' }, 'new');
  t.equal(walk.get('/a', { 'X-A': '1' }).body, 'new');
  const other = walk.get('/a');
  t.equal(other.body, 'default');
  t.equal(other.outcome, 'HIT');
});
