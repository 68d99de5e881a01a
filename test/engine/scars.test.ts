// Goal: what users of the peers report does not happen here (PEERS, scars 17 to 28; design, section 1). Method: walks with a fake clock and a played origin.
import fc from 'fast-check';
import t from 'tap';
import type { OriginFailure } from '../../lib/base/errors.js';
import { makeWalk, type Walk } from '../kit/walk.js';

const SWR = { 'Cache-Control': 'max-age=10, stale-while-revalidate=60, stale-if-error=600', ETag: '"one"' };

/** Every failure to get an answer: a new code does not compile before it is here. */
const FAILURES: Readonly<Record<OriginFailure, true>> = {
  'origin-unresolvable': true,
  'origin-refused': true,
  'origin-reset': true,
  'origin-tls': true,
  'origin-connect-timeout': true,
  'origin-headers-timeout': true,
  'origin-idle-timeout': true,
  'origin-malformed': true,
  'origin-truncated': true,
  'origin-breaker-open': true,
  'origin-queue-full': true,
  'origin-aborted': true,
};

function stored(fields: Readonly<Record<string, string>> = SWR): Walk {
  const walk = makeWalk();
  walk.get('/a');
  walk.origin.last.respond(200, fields, 'good');
  return walk;
}

t.test('design 1: on no kind of origin failure is a stored response lost or replaced', async (t) => {
  const kinds = [...(Object.keys(FAILURES) as OriginFailure[]), 500, 502, 503, 504];
  for (const kind of kinds) {
    for (const [phase, afterMs] of [
      ['grace', 11_000],
      ['keep', 80_000],
    ] as const) {
      const walk = stored();
      const before = walk.engine.parts.store.peek('http://example.test/a')?.[0];
      walk.clock.advance(afterMs);
      const client = walk.get('/a');
      if (typeof kind === 'number') walk.origin.last.respond(kind, { 'Cache-Control': 'max-age=60' }, 'bad');
      else walk.origin.last.fail(kind);
      t.match([client.status, client.body], [200, 'good'], `${phase}, ${kind}`);
      t.equal(walk.engine.parts.store.peek('http://example.test/a')?.[0], before, `${phase}, ${kind}: untouched`);
      t.equal(walk.engine.stats.fills, 0);
    }
  }
});

t.test('design 1: another 4xx on a refresh goes by its own cacheability', async (t) => {
  const walk = stored({ 'Cache-Control': 'max-age=10', ETag: '"one"' });
  walk.clock.advance(11_000);
  walk.get('/a');
  walk.origin.last.respond(403, { 'Cache-Control': 'max-age=60' }, 'forbidden');
  const client = walk.get('/a');
  t.match([client.status, client.body, client.outcome, walk.origin.count], [403, 'forbidden', 'HIT', 2]);
});

t.test('scar 17: waiters on a cold key are woken by its bytes, not by a timer of theirs', async (t) => {
  const walk = makeWalk();
  const before = walk.clock.pendingCount;
  const clients = Array.from({ length: 3 }, () => walk.get('/a'));
  walk.origin.last.head(200, SWR).data('first');
  for (const { body } of clients) t.equal(body, 'first', 'with no time passed');
  t.equal(walk.clock.pendingCount, before, 'and nobody polls');
  walk.origin.last.end();
});

t.test('scar 18: whatever ends a refresh, the next one may begin', async (t) => {
  const endings: Readonly<Record<string, (walk: Walk) => void>> = {
    'a failure': (walk) => walk.origin.last.fail('origin-reset'),
    'an error': (walk) => walk.origin.last.respond(503),
    'a break within the body': (walk) => {
      walk.origin.last.head(200, { 'Content-Length': '9', 'Cache-Control': 'max-age=5' }).data('half');
      walk.origin.last.fail('origin-truncated');
    },
    'an answer not to be stored': (walk) => walk.origin.last.respond(200, { 'Cache-Control': 'no-store' }, 'x'),
    'a 304 that fits nothing': (walk) => {
      walk.origin.last.respond(304, { ETag: '"other"' });
      walk.origin.last.fail('origin-reset');
    },
    'a purge': (walk) => {
      walk.engine.purging.purgeUrl('http://example.test/a');
      walk.origin.last.respond(304, { ETag: '"one"' });
    },
    'a client that leaves': (walk) => {
      walk.get('/a').leave();
      walk.origin.last.fail('origin-reset');
    },
  };
  for (const [title, end] of Object.entries(endings)) {
    const walk = stored();
    walk.clock.advance(11_000);
    walk.get('/a');
    end(walk);
    t.equal(walk.engine.stats.fills, 0, `${title}: nothing is left in flight`);
    const before = walk.origin.count;
    walk.clock.advance(5_000);
    walk.get('/a');
    t.equal(walk.origin.count, before + 1, `${title}: the origin is asked again, once`);
  }
});

t.test('scar 20: a cache that is full of what fills and cannot be evicted is bypassed: no error', async (t) => {
  const walk = makeWalk({ budgetBytes: 1024 * 1024 });
  for (let i = 0; i < 4; i++) {
    walk.get(`/busy${i}`);
    walk.origin.last.head(200, { 'Cache-Control': 'max-age=60', 'Content-Length': '250000' });
  }
  const client = walk.get('/a');
  walk.origin.last.respond(200, { 'Cache-Control': 'max-age=60' }, 'x'.repeat(250_000));
  t.match([client.status, client.body.length, client.ending], [200, 250_000, 'finished']);
  t.match(client.field('cache-status'), /fwd=uri-miss/);
  const { bytes, reservedBytes, budgetBytes } = walk.engine.parts.store.stats;
  t.ok(bytes + reservedBytes <= budgetBytes, 'and never more than the budget');
});

t.test('scar 22: every request in grace is answered stale, not the first alone', async (t) => {
  const walk = stored();
  walk.clock.advance(15_000);
  for (let i = 0; i < 3; i++) {
    const client = walk.get('/a');
    t.match([client.body, client.outcome, client.field('age')], ['good', 'UPDATING', '15']);
    t.match(client.field('cache-status'), /^patina; hit; ttl=-5;/);
  }
  t.equal(walk.origin.count, 2);
});

t.test('scar 23: a key without a stale copy is protected too, the first time and after a purge', async (t) => {
  const walk = stored();
  walk.engine.purging.purgeUrl('http://example.test/a');
  const clients = Array.from({ length: 50 }, () => walk.get('/a'));
  t.equal(walk.origin.count, 2);
  walk.origin.last.respond(200, SWR, 'new');
  for (const { body } of clients) t.equal(body, 'new');
});

t.test('scar 25: stale-while-revalidate needs no word of the client', async (t) => {
  for (const fields of [{}, { 'Cache-Control': 'max-stale' }, { 'Cache-Control': 'max-stale=60' }]) {
    const walk = stored();
    walk.clock.advance(11_000);
    t.equal(walk.get('/a', fields).body, 'good');
    t.equal(walk.origin.count, 2, 'and one request refreshes it');
  }
});

t.test('scar 25: stale-if-error holds no second copy of the body', async (t) => {
  const bytesWith = (cacheControl: string): number => {
    const walk = makeWalk();
    walk.get('/a');
    walk.origin.last.respond(
      200,
      { 'Cache-Control': cacheControl.padEnd(100, ','), ETag: '"one"' },
      'x'.repeat(50_000),
    );
    return walk.engine.parts.store.stats.bytes;
  };
  t.equal(bytesWith('max-age=10, stale-if-error=600'), bytesWith('max-age=10'));
});

t.test('scar 26: each 304 updates the entry, a synchronous one after another, and nothing piles up', async (t) => {
  const walk = stored();
  const sizes = new Set<number>();
  for (let i = 1; i <= 200; i++) {
    walk.clock.advance(11_000);
    walk.get('/a');
    walk.origin.last.respond(304, { ETag: '"one"', 'X-Edition': String(i).padStart(3, '0') });
    const client = walk.get('/a');
    if (client.outcome !== 'HIT' || client.field('x-edition') !== String(i).padStart(3, '0')) t.fail(`edition ${i}`);
    if (i > 1) sizes.add(walk.engine.parts.store.stats.bytes);
  }
  t.equal(walk.origin.count, 201);
  t.equal(sizes.size, 1, 'the same bytes after every refresh');
  t.match(walk.engine.parts.store.stats, { objects: 1, reservedBytes: 0 });
  t.match(walk.engine.stats, { fills: 0, waiters: 0 });
});

t.test('scar 28: waiters that are let go find the answer, and do not ask for it each', async (t) => {
  const walk = makeWalk();
  // The leader's own request forbids to share the answer, the waiters' do not.
  const leader = walk.get('/a', { Authorization: 'Basic eA==' });
  const waiters = Array.from({ length: 100 }, () => walk.get('/a'));
  walk.origin.last.respond(200, { 'Cache-Control': 'max-age=60' }, 'one');
  t.equal(leader.body, 'one');
  t.equal(walk.origin.count, 2, 'one request for a hundred');
  walk.origin.last.respond(200, { 'Cache-Control': 'max-age=60' }, 'two');
  for (const { body } of waiters) t.equal(body, 'two');
});

t.test('property: whatever clients and origin do, nothing is left in flight, parked or reserved', async (t) => {
  const step = fc.constantFrom(
    'get',
    'head',
    'range',
    'leave',
    '200',
    '304',
    '503',
    'truncate',
    'fail',
    'purge',
    'tick',
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const walk = makeWalk();
      const clients = [walk.get('/a')];
      let answered = 0;
      const answer = (how: string): void => {
        const exchange = walk.origin.exchanges[answered++];
        if (exchange === undefined) answered--;
        else if (how === '200') exchange.respond(200, SWR, 'good');
        else if (how === '304') exchange.respond(304, { ETag: '"one"' });
        else if (how === '503') exchange.respond(503);
        else if (how === 'fail') exchange.fail();
        else {
          exchange.head(200, { ...SWR, 'Content-Length': '9' }).data('half');
          exchange.fail('origin-truncated');
        }
      };
      for (const what of steps) {
        if (what === 'get') clients.push(walk.get('/a'));
        else if (what === 'head') clients.push(walk.head('/a'));
        else if (what === 'range') clients.push(walk.get('/a', { Range: 'bytes=0-1' }));
        else if (what === 'leave') clients.shift()?.leave();
        else if (what === 'purge') walk.engine.purging.purgeUrl('http://example.test/a');
        else if (what === 'tick') walk.clock.advance(7_000);
        else answer(what);
      }
      while (answered < walk.origin.count) answer('fail');
      const { fills, waiters } = walk.engine.stats;
      const isAllAnswered = clients.every(({ ending }) => ending !== 'waiting' && ending !== 'streaming');
      return fills === 0 && waiters === 0 && walk.engine.parts.store.stats.reservedBytes === 0 && isAllAnswered;
    }),
    { numRuns: 500 },
  );
  t.pass('held for 500 random stories');
});
