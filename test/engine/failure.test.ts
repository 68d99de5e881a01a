// Goal: a failing origin is not felt where anything servable is stored (design, section 1: origin failure). Method: walks with a fake clock and a played origin.
import t from 'tap';
import type { OriginFailure } from '../../lib/base/errors.js';
import { makeWalk } from '../kit/walk.js';

const SIE = { 'Cache-Control': 'max-age=10, stale-while-revalidate=10, stale-if-error=600', ETag: '"one"' };

t.test('scar 3: a 5xx on a background refresh never replaces the good copy', async (t) => {
  // RFC 9110 §15: an unknown 5xx is taken for a 500, and so is what is no status at all.
  for (const status of [500, 502, 503, 504, 520, 522, 599, 600, 999]) {
    const walk = makeWalk();
    walk.get('/a');
    walk.origin.last.respond(200, SIE, 'good');
    walk.clock.advance(11_000);
    walk.get('/a');
    walk.origin.last.respond(status, { 'Cache-Control': 'max-age=600' }, 'bad');
    const client = walk.get('/a');
    t.match([client.status, client.body, client.outcome], [200, 'good', 'STALE'], String(status));
  }
});

t.test(
  'scars 4 and 10: keep is served stale on failure, within stale-if-error, and retried by the clock',
  async (t) => {
    for (const failure of [
      'origin-refused',
      'origin-reset',
      'origin-headers-timeout',
      'origin-truncated',
    ] as const satisfies OriginFailure[]) {
      const walk = makeWalk();
      walk.get('/a');
      walk.origin.last.respond(200, SIE, 'good');
      walk.clock.advance(60_000);
      const client = walk.get('/a');
      t.equal(client.ending, 'waiting');
      walk.origin.last.fail(failure);
      t.match([client.body, client.outcome, client.reason], ['good', 'STALE', `stale-${failure}`]);
      t.match(client.field('cache-status'), /^patina; hit; ttl=-50; detail=stale-/);
      const next = walk.get('/a');
      t.match([next.body, next.reason], ['good', 'stale-origin-backoff'], 'at once, the origin is left alone');
      t.equal(walk.origin.count, 2);
    }
  },
);

t.test('past stale-if-error the client gets the error', async (t) => {
  const walk = makeWalk();
  walk.get('/a');
  walk.origin.last.respond(200, SIE, 'good');
  walk.clock.advance(610_001);
  const client = walk.get('/a');
  walk.origin.last.respond(503, {}, 'sorry');
  t.match([client.status, client.body, client.outcome], [503, 'sorry', 'ERROR']);
});

t.test(
  'with no configuration and nothing sent: stale where the origin is unreachable, its own error where it answers one',
  async (t) => {
    const make = () => {
      const walk = makeWalk();
      walk.get('/a');
      walk.origin.last.respond(200, { 'Cache-Control': 'max-age=10', ETag: '"one"' }, 'good');
      walk.clock.advance(60_000);
      return { walk, client: walk.get('/a') };
    };
    const down = make();
    down.walk.origin.last.fail('origin-refused');
    t.match([down.client.status, down.client.body], [200, 'good']);
    const broken = make();
    broken.walk.origin.last.respond(503, {}, 'sorry');
    t.match([broken.client.status, broken.client.body], [503, 'sorry']);
  },
);

t.test('RFC 9111 §5.2.2.2: where must-revalidate forbids stale, a disconnected client gets 502 or 504', async (t) => {
  const walk = makeWalk();
  walk.get('/a');
  walk.origin.last.respond(
    200,
    { 'Cache-Control': 'max-age=10, must-revalidate, stale-if-error=600', ETag: '"one"' },
    'good',
  );
  walk.clock.advance(60_000);
  const client = walk.get('/a');
  walk.origin.last.fail('origin-connect-timeout');
  t.equal(client.status, 504);
  t.equal(walk.engine.parts.store.stats.objects, 1, 'never lost');
});

t.test(
  'promise 4: a failing origin is asked by a clock: 10,000 requests in 10 s, at most 6 attempts, all served',
  async (t) => {
    const walk = makeWalk();
    walk.get('/a');
    walk.origin.last.respond(200, SIE, 'good');
    walk.clock.advance(11_000);
    let answered = 1;
    for (let i = 0; i < 10_000; i++) {
      const client = walk.get('/a');
      if (client.body !== 'good') t.fail('not served');
      while (answered < walk.origin.count) walk.origin.nth(++answered).respond(503);
      walk.clock.advance(1);
    }
    t.ok(walk.origin.count - 1 <= 6, `${walk.origin.count - 1} attempts`);
    t.ok(walk.origin.count - 1 >= 3, 'and it is asked again');
  },
);

t.test('Retry-After is honoured', async (t) => {
  const walk = makeWalk();
  walk.get('/a');
  walk.origin.last.respond(200, { ...SIE, 'Cache-Control': 'max-age=1, stale-while-revalidate=600' }, 'good');
  walk.clock.advance(2_000);
  walk.get('/a');
  walk.origin.last.respond(503, { 'Retry-After': '100' });
  walk.clock.advance(99_000);
  walk.get('/a');
  t.equal(walk.origin.count, 2);
  walk.clock.advance(12_000);
  walk.get('/a');
  t.equal(walk.origin.count, 3, 'a little later than asked for, never sooner');
});

t.test('scar 29: a hung refresh blocks nobody, and recovery is immediate', async (t) => {
  const walk = makeWalk();
  walk.get('/a');
  walk.origin.last.respond(200, SIE, 'good');
  walk.clock.advance(11_000);
  for (let i = 0; i < 100; i++) t.equal(walk.get('/a').body, 'good');
  t.equal(walk.origin.count, 2);
  walk.origin.last.fail('origin-headers-timeout');
  walk.clock.advance(2_000);
  walk.get('/a');
  walk.origin.last.respond(304, { ETag: '"one"' });
  t.equal(walk.get('/a').outcome, 'HIT');
});

t.test('a cold key whose origin keeps failing is asked by the clock after a few failures', async (t) => {
  const walk = makeWalk();
  for (let i = 0; i < 3; i++) {
    const client = walk.get('/cold');
    walk.origin.last.fail('origin-reset');
    t.equal(client.status, 502);
  }
  const held = walk.get('/cold');
  t.match([held.status, held.reason, walk.origin.count], [504, 'origin-backoff', 3]);
  t.ok(Number(held.field('retry-after')) >= 1);
  walk.clock.advance(10_000);
  t.equal(walk.origin.count, 4, 'whether anybody comes or not');
  walk.origin.last.respond(200, { 'Cache-Control': 'max-age=60' }, 'back');
  t.equal(walk.get('/cold').body, 'back');
});

t.test('a waiter that may have stale content gets it when it has waited too long', async (t) => {
  const walk = makeWalk({ waitMs: 1_000 });
  walk.get('/a');
  walk.origin.last.respond(200, SIE, 'good');
  walk.clock.advance(60_000);
  walk.get('/a');
  const waiter = walk.get('/a');
  walk.clock.advance(1_000);
  t.match([waiter.body, waiter.outcome], ['good', 'STALE']);
});

t.test('an error answer that is cacheable by its own fields is stored where nothing better is', async (t) => {
  const walk = makeWalk();
  walk.get('/a');
  walk.origin.last.respond(503, { 'Cache-Control': 'max-age=5' }, 'sorry');
  t.match([walk.get('/a').status, walk.get('/a').outcome], [503, 'HIT']);
});
