// Goal: the conditional request and the 304 (design, section 2). Method: walks with a fake clock and a played origin.
import fc from 'fast-check';
import t from 'tap';
import { makeWalk, type Walk } from '../kit/walk.js';

const SHORT = { 'Cache-Control': 'max-age=10', ETag: '"one"', 'Last-Modified': 'Wed, 31 Dec 2025 00:00:00 GMT' };

function stored(fields: Record<string, string | string[]> = SHORT, body = 'hello'): Walk {
  const walk = makeWalk();
  walk.get('/a');
  walk.origin.last.respond(200, fields, body);
  walk.clock.advance(10_000);
  return walk;
}

t.test('design 2: both validators are sent byte for byte, weak or strong', async (t) => {
  for (const etag of ['"one"', 'W/"one"', '"with,comma"', 'unquoted']) {
    const walk = stored({ ...SHORT, ETag: etag });
    walk.get('/a');
    t.equal(walk.origin.last.field('if-none-match'), etag);
    t.equal(walk.origin.last.field('if-modified-since'), SHORT['Last-Modified']);
  }
});

t.test('design 2: with several stored variants all their ETags are sent, and that of the 304 selects', async (t) => {
  const walk = makeWalk();
  for (const language of ['de', 'fr']) {
    walk.get('/a', { 'Accept-Language': language });
    walk.origin.last.respond(
      200,
      { 'Cache-Control': 'max-age=10', Vary: 'Accept-Language', ETag: `"${language}"` },
      language,
    );
  }
  const client = walk.get('/a', { 'Accept-Language': 'de-AT' });
  const sent = walk.origin.last.field('if-none-match') ?? '';
  t.ok(sent.includes('"de"') && sent.includes('"fr"'), sent);
  walk.origin.last.respond(304, { ETag: '"de"', 'Cache-Control': 'max-age=10', Vary: 'Accept-Language' });
  t.match([client.status, client.body, client.outcome], [200, 'de', 'REVALIDATED']);
  const again = walk.get('/a', { 'Accept-Language': 'de-AT' });
  t.match([again.body, again.outcome], ['de', 'HIT'], 'the new selecting fields are remembered');
  t.equal(walk.get('/a', { 'Accept-Language': 'de' }).outcome, 'HIT');
});

t.test(
  'RFC 9111 §4.3.4: a field of the 304 replaces all stored lines of it, absent ones stay, order is kept',
  async (t) => {
    const walk = stored({ ...SHORT, 'X-A': ['1', '2'], 'X-B': 'keep', 'Content-Type': 'text/plain' });
    const client = walk.get('/a');
    walk.origin.last.respond(304, { ETag: '"one"', 'X-A': ['3', '4'], 'Cache-Control': 'max-age=77' });
    t.equal(client.field('x-a'), '3, 4');
    t.equal(client.field('x-b'), 'keep');
    t.equal(client.field('content-type'), 'text/plain');
    t.equal(client.field('cache-control'), 'max-age=77');
    t.equal(client.body, 'hello');
  },
);

t.test('scars 16 and 22: the merged fields are what later hits get, duplicates whole', async (t) => {
  const walk = stored({ ...SHORT, Link: ['<a>', '<b>'], 'Content-Type': 'text/html' });
  walk.get('/a');
  walk.origin.last.respond(304, { ETag: '"one"', 'X-New': 'n', Link: ['<c>', '<d>'] });
  const hit = walk.get('/a');
  t.match([hit.outcome, hit.field('x-new'), hit.field('link')], ['HIT', 'n', '<c>, <d>']);
  t.equal(hit.field('content-type'), 'text/html');
});

t.test('scar 2: freshness comes from the merged fields, not from the 304 alone', async (t) => {
  const walk = stored();
  walk.get('/a');
  walk.origin.last.respond(304, { ETag: '"one"' });
  walk.clock.advance(9_000);
  t.equal(walk.get('/a').outcome, 'HIT', 'the stored max-age=10 still rules');
  walk.clock.advance(1_001);
  t.not(walk.get('/a').outcome, 'HIT');
});

t.test(
  'scar 21: Content-Length, Content-Encoding and Transfer-Encoding of a 304 never reach the stored response',
  async (t) => {
    const walk = stored();
    const client = walk.get('/a');
    walk.origin.last.respond(304, {
      ETag: '"one"',
      'Content-Length': '0',
      'Content-Encoding': 'gzip',
      'Transfer-Encoding': 'chunked',
    });
    t.match(
      [client.body, client.field('content-encoding'), client.field('transfer-encoding')],
      ['hello', undefined, undefined],
    );
    t.equal(client.replied?.payload.kind === 'bytes' && client.replied.payload.length, 5);
  },
);

t.test('scar 8: the body is shared by reference: a 304 makes a new header record around the same body', async (t) => {
  const walk = stored();
  const before = walk.engine.parts.store.peek('http://example.test/a')?.[0];
  walk.get('/a');
  walk.origin.last.respond(304, { ETag: '"one"' });
  const after = walk.engine.parts.store.peek('http://example.test/a')?.[0];
  t.ok(before !== undefined && after !== undefined);
  t.not(after, before);
  t.equal(after?.body, before?.body);
});

t.test('scar 8: freshening works with a full cache', async (t) => {
  const walk = makeWalk({ budgetBytes: 64 * 1024 });
  walk.get('/a');
  walk.origin.last.respond(200, SHORT, 'x'.repeat(29 * 1024));
  walk.clock.advance(10_000);
  walk.get('/a');
  while (walk.engine.parts.store.reserve(1024));
  walk.origin.last.respond(304, { ETag: '"one"' });
  t.equal(walk.get('/a').outcome, 'HIT');
});

t.test(
  'RFC 9111 §4.3.4: a 304 with a strong validator that matches nothing is not merged; it is fetched again without conditions',
  async (t) => {
    const walk = stored();
    const client = walk.get('/a');
    walk.origin.last.respond(304, { ETag: '"other"' });
    t.equal(client.ending, 'waiting');
    t.equal(walk.origin.count, 3);
    t.equal(walk.origin.last.field('if-none-match'), undefined);
    walk.origin.last.respond(200, { ...SHORT, ETag: '"other"' }, 'new');
    t.match([client.status, client.body], [200, 'new']);
  },
);

t.test('RFC 9111 §4.3.4: a 304 whose Vary changes is not merged', async (t) => {
  const walk = stored();
  const client = walk.get('/a');
  walk.origin.last.respond(304, { ETag: '"one"', Vary: 'Accept' });
  t.equal(client.ending, 'waiting');
  t.equal(walk.origin.last.field('if-none-match'), undefined);
  walk.origin.last.respond(200, { ...SHORT, Vary: 'Accept' }, 'new');
  t.equal(client.body, 'new');
});

t.test('scar 9: a 304 that nobody asked for is repeated once, unconditionally, within the same request', async (t) => {
  const walk = makeWalk();
  const client = walk.get('/a');
  walk.origin.last.respond(304, { ETag: '"x"' });
  t.equal(client.ending, 'waiting');
  t.equal(walk.origin.count, 2);
  walk.origin.last.respond(200, SHORT, 'hello');
  t.match([client.status, client.body], [200, 'hello']);
});

t.test(
  'design 2: an origin that answers 304 twice to no condition is malformed: 502, never an empty 200',
  async (t) => {
    const walk = makeWalk();
    const client = walk.get('/a');
    walk.origin.last.respond(304, {});
    walk.origin.last.respond(304, {});
    t.match([client.status, client.reason, walk.origin.count], [502, 'origin-malformed', 2]);
  },
);

t.test('scar 9: a purge during the round trip: the waiting client gets a full answer, never 503', async (t) => {
  const walk = stored();
  const client = walk.get('/a');
  t.equal(walk.engine.purging.purgeUrl('http://example.test/a'), 1);
  walk.origin.last.respond(304, { ETag: '"one"' });
  t.equal(client.ending, 'waiting');
  t.equal(walk.origin.last.field('if-none-match'), undefined);
  walk.origin.last.respond(200, SHORT, 'after the purge');
  t.match([client.status, client.body], [200, 'after the purge']);
  t.match(walk.get('/a').body, 'after the purge');
});

t.test('design 2: a purge during a background refresh wins over the 304 that ends it', async (t) => {
  const walk = makeWalk();
  walk.get('/a');
  walk.origin.last.respond(200, { 'Cache-Control': 'max-age=10, stale-while-revalidate=60', ETag: '"one"' }, 'hello');
  walk.clock.advance(11_000);
  t.equal(walk.get('/a').outcome, 'UPDATING');
  walk.engine.purging.purgeUrl('http://example.test/a');
  walk.origin.last.respond(304, { ETag: '"one"' });
  t.equal(walk.engine.parts.store.peek('http://example.test/a'), undefined);
  t.equal(walk.engine.stats.fills, 0);
});

t.test('design 2: a purge also wins over a full answer that was on its way', async (t) => {
  const walk = makeWalk();
  const client = walk.get('/a');
  walk.origin.last.head(200, SHORT).data('old');
  walk.engine.purging.purgeUrl('http://example.test/a');
  const late = walk.get('/a');
  t.equal(walk.origin.count, 2, 'who asks after the purge does not join what began before it');
  walk.origin.nth(1).end();
  t.match([client.body, client.ending], ['old', 'finished']);
  t.equal(walk.engine.parts.store.peek('http://example.test/a'), undefined);
  walk.origin.nth(2).respond(200, SHORT, 'new');
  t.equal(late.body, 'new');
  t.equal(walk.get('/a').body, 'new');
});

t.test('evicted during the round trip, not purged: the 304 still saves the body', async (t) => {
  const walk = stored();
  const client = walk.get('/a');
  walk.engine.parts.store.removeKey('http://example.test/a', 'evicted');
  walk.origin.last.respond(304, { ETag: '"one"' });
  t.match([client.status, client.body, walk.origin.count], [200, 'hello', 2]);
  t.equal(walk.get('/a').outcome, 'HIT');
});

t.test('design 2: a truncated 200 leaves the stale one in place', async (t) => {
  const walk = stored();
  const client = walk.get('/a');
  walk.origin.last.head(200, { ...SHORT, ETag: '"two"', 'Content-Length': '10' }).data('half');
  while (client.ending === 'streaming') walk.origin.last.fail('origin-truncated');
  t.equal(client.ending, 'broken', 'never a clean end to half a body');
  t.equal(walk.engine.parts.store.peek('http://example.test/a')?.[0]?.fields.get('etag'), '"one"');
});

t.test('a 304 that makes the response private serves only the one who asked', async (t) => {
  const walk = stored();
  const leader = walk.get('/a');
  const waiter = walk.get('/a');
  walk.origin.last.respond(304, { ETag: '"one"', 'Cache-Control': 'private' });
  t.match([leader.status, leader.body], [200, 'hello']);
  t.equal(waiter.ending, 'waiting');
  t.equal(walk.engine.parts.store.peek('http://example.test/a'), undefined);
  walk.origin.last.respond(200, { 'Cache-Control': 'private' }, 'for the waiter');
  t.equal(waiter.body, 'for the waiter');
});

t.test('design 1: 404 and 410 on a refresh replace; another 4xx leaves what is stored', async (t) => {
  for (const [status, isStillStored] of [
    [404, false],
    [410, false],
    [403, true],
    [429, true],
  ] as const) {
    const walk = stored();
    const client = walk.get('/a');
    walk.origin.last.respond(status, {}, 'no');
    t.equal(client.status, status);
    t.equal(walk.engine.parts.store.peek('http://example.test/a') !== undefined, isStillStored, String(status));
  }
});

t.test("the client's own conditions are answered from the store: 304 without a body", async (t) => {
  const walk = stored({ ...SHORT, 'Cache-Control': 'max-age=60' });
  const client = walk.get('/a', { 'If-None-Match': '"zero", W/"one"' });
  t.match([client.status, client.body, client.outcome], [304, '', 'HIT']);
  t.equal(client.field('etag'), '"one"');
  t.equal(walk.get('/a', { 'If-Match': '"two"' }).status, 412);
});

t.test('RFC 9110 §13.1.1, §13.1.4: what is stale refuses nobody whom what is current would answer', async (t) => {
  const graced = {
    ...SHORT,
    'Last-Modified': 'Thu, 01 Jan 2026 00:00:00 GMT',
    'Cache-Control': 'max-age=10, stale-while-revalidate=600',
  };
  const open = (): Walk => {
    const walk = stored(graced);
    walk.clock.advance(20_000);
    return walk;
  };
  for (const fields of [{ 'If-Match': '"two"' }, { 'If-Unmodified-Since': 'Wed, 31 Dec 2025 00:00:00 GMT' }]) {
    const walk = open();
    const client = walk.get('/a', fields);
    t.equal(client.status, undefined, 'it waits for what is current');
    t.equal(walk.origin.last.field('if-match'), undefined, 'as all others do, who may join');
    const newer = { ...graced, ETag: '"two"', 'Last-Modified': 'Tue, 30 Dec 2025 00:00:00 GMT' };
    walk.origin.last.respond(200, newer, 'newer');
    t.match([client.status, client.body], [200, 'newer']);
  }
  const confirmed = open();
  const refused = confirmed.get('/a', { 'If-Match': '"two"' });
  confirmed.origin.last.respond(304, graced);
  t.match([refused.status, refused.body.includes('condition')], [412, true]);
  const walk = open();
  t.match(
    [walk.get('/a', { 'If-Match': '"one"' }).status, walk.get('/a').outcome],
    [200, 'UPDATING'],
    'that is served at once',
  );
  const failing = open();
  const client = failing.get('/a', { 'If-Match': '"two"' });
  failing.origin.last.fail();
  t.equal(client.status, 412, 'of what is stale, where there is nothing else to go by');
});

t.test(
  'a client with conditions on a miss warms the store with the whole response, and still gets its 304',
  async (t) => {
    const walk = makeWalk();
    const client = walk.get('/a', { 'If-None-Match': '"one"' });
    t.equal(walk.origin.last.field('if-none-match'), undefined);
    walk.origin.last.respond(200, SHORT, 'hello');
    t.equal(client.status, 304);
    t.match([walk.get('/a').body, walk.get('/a').outcome], ['hello', 'HIT']);
  },
);

t.test('property: a purge or a replacement always beats a late 304', async (t) => {
  const step = fc.constantFrom('purge', 'replace', '304', '200', 'request', 'tick');
  fc.assert(
    fc.property(fc.array(step, { minLength: 1, maxLength: 14 }), (steps) => {
      const walk = makeWalk();
      const key = 'http://example.test/a';
      let version = 0;
      // The oldest version that may still be served: raised by each purge or replacement.
      let floor = 0;
      const answer = (n: number): void => {
        const exchange = walk.origin.exchanges[n];
        if (exchange === undefined || exchange.isAborted) return;
        const condition = exchange.field('if-none-match');
        if (condition !== undefined) exchange.respond(304, { ETag: condition.split(', ')[0] ?? '' });
        else
          exchange.respond(
            200,
            { 'Cache-Control': 'max-age=1, stale-while-revalidate=60', ETag: `"${++version}"` },
            `v${version}`,
          );
      };
      let answered = 0;
      walk.get('/a');
      answer(answered++);
      for (const what of steps) {
        if (what === 'tick') walk.clock.advance(1_500);
        if (what === 'request') walk.get('/a');
        if (what === '304' || what === '200') while (answered < walk.origin.count) answer(answered++);
        if (what === 'purge') {
          walk.engine.purging.purgeUrl(key);
          floor = version + 1;
        }
        if (what === 'replace') {
          const current = walk.engine.parts.store.peek(key)?.[0];
          if (current === undefined) continue;
          walk.engine.parts.store.put({ ...current, fields: current.fields.set('ETag', `"${++version}"`) });
          floor = version;
        }
        const now = walk.engine.parts.store.peek(key)?.[0];
        const etag = Number(now?.fields.get('etag')?.replaceAll('"', '') ?? version);
        if (now !== undefined && etag < floor) return false;
      }
      return true;
    }),
    { numRuns: 300 },
  );
  t.pass('held for 300 random stories');
});
