// Goal: refresh is driven by demand: what failed is tried again in the background, and the next visitor finds it warm (SYSTEMS row 3). Method: walks with a fake clock and a played origin.
import t from 'tap';
import { makeWalk, type Walk } from '../kit/walk.js';

const CACHEABLE = { 'Cache-Control': 'max-age=60', ETag: '"one"' };

/** The origin's side from exchange `from` on: each is answered at once by `answer`, which is told its number. */
function serve(walk: Walk, answer: (n: number) => void, from = 1): { readonly next: () => void } {
  let answered = from - 1;
  return {
    next: () => {
      while (answered < walk.origin.count) answer(++answered);
    },
  };
}

t.test('SYSTEMS row 3: the API fails: a task tries again, so that the next visitor finds it warm', async (t) => {
  const walk = makeWalk();
  const first = walk.get('/widget');
  walk.origin.last.respond(503, {}, 'sorry');
  t.equal(first.status, 503);
  walk.clock.advance(1_000);
  t.equal(walk.origin.count, 2, 'with nobody there');
  walk.origin.last.respond(200, CACHEABLE, 'widget');
  const next = walk.get('/widget');
  t.match([next.status, next.body, next.outcome], [200, 'widget', 'HIT']);
  walk.clock.advance(3_600_000);
  t.equal(walk.origin.count, 2, 'and that is the end of it: refresh is driven by demand, not by a clock');
});

t.test('SYSTEMS row 3: every way to fail is tried again', async (t) => {
  for (const fail of [
    (walk: Walk) => walk.origin.last.fail('origin-reset'),
    (walk: Walk) => walk.origin.last.fail('origin-headers-timeout'),
    (walk: Walk) => walk.origin.last.respond(500),
    (walk: Walk) => walk.origin.last.respond(504),
    (walk: Walk) => {
      walk.origin.last.head(200, { ...CACHEABLE, 'Content-Length': '99' }).data('half');
      walk.origin.last.fail('origin-truncated');
    },
  ]) {
    const walk = makeWalk();
    walk.get('/widget');
    fail(walk);
    // What breaks off is resumed first, and that fails too.
    if (walk.origin.count === 2) walk.origin.last.fail('origin-reset');
    if (walk.origin.count === 3) walk.origin.last.fail('origin-reset');
    const before = walk.origin.count;
    walk.clock.advance(1_000);
    t.equal(walk.origin.count, before + 1);
    walk.origin.last.respond(200, CACHEABLE, 'widget');
    t.equal(walk.get('/widget').outcome, 'HIT');
  }
});

t.test(
  'SYSTEMS row 3: about a quarter of calls fails: of a thousand widgets each is warm by its second visit, soon after',
  async (t) => {
    const walk = makeWalk();
    let seed = 7;
    const failures = { count: 0 };
    const origin = serve(walk, (n) => {
      seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31;
      const isFailing = seed / 2 ** 31 < 0.25;
      if (isFailing) failures.count++;
      if (isFailing) walk.origin.nth(n).respond(n % 2 === 0 ? 500 : 503, {}, 'sorry');
      else walk.origin.nth(n).respond(200, { 'Cache-Control': 'max-age=600' }, 'widget');
    });
    let failedFirst = 0;
    for (let n = 0; n < 1_000; n++) {
      const client = walk.get(`/widget/${n}`);
      origin.next();
      if (client.status !== 200) failedFirst++;
      walk.clock.advance(10);
      origin.next();
    }
    t.ok(failedFirst > 200 && failedFirst < 300, `${failedFirst} first visits failed`);
    for (let step = 0; step < 300; step++) {
      walk.clock.advance(100);
      origin.next();
    }
    const cold: number[] = [];
    for (let n = 0; n < 1_000; n++) if (walk.get(`/widget/${n}`).outcome !== 'HIT') cold.push(n);
    t.same(cold, [], 'nobody meets a cold one again');
    t.ok(walk.origin.count <= 1_000 + failures.count, 'one request more for each failure, and no other');
  },
);

t.test('SYSTEMS row 3: a cold key is tried again a bounded number of times, later and later', async (t) => {
  const walk = makeWalk();
  const at: number[] = [];
  const startedAt = walk.clock.now();
  const origin = serve(walk, (n) => {
    at.push(walk.clock.now() - startedAt);
    walk.origin.nth(n).respond(503);
  });
  walk.get('/widget');
  origin.next();
  for (let step = 0; step < 36_000; step++) {
    walk.clock.advance(100);
    origin.next();
  }
  t.equal(at.length, 7, 'the visitor, and six tries');
  for (let n = 2; n < at.length; n++) {
    const [before, pause] = [(at[n - 1] ?? 0) - (at[n - 2] ?? 0), (at[n] ?? 0) - (at[n - 1] ?? 0)];
    t.ok(pause > before * 1.5, `${pause} after ${before}`);
  }
  t.equal(walk.engine.refreshes.stats.depth.cold, 0);
  const again = walk.get('/widget');
  origin.next();
  t.equal(again.status, 503, 'a visitor may ask, and starts it anew');
  t.equal(walk.engine.refreshes.stats.depth.cold, 1);
});

t.test('SYSTEMS row 3: Retry-After is honoured in the background too', async (t) => {
  for (const lines of [{}, { Cookie: 'a=b' }]) {
    const walk = makeWalk();
    walk.get('/widget', lines);
    walk.origin.last.respond(503, { 'Retry-After': '120' });
    walk.clock.advance(119_999);
    t.equal(walk.origin.count, 1);
    walk.clock.advance(13_000);
    t.equal(walk.origin.count, 2);
  }
});
