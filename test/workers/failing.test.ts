// Goal: several workers ask a failing origin no more often than one would, and serve stale in all. Method: engines in one process with one table of leases, under the same traffic as one alone.
import t from 'tap';
import type { FakeClock } from '../kit/clock.js';
import { turns } from '../kit/lease-desk.js';
import { type SiblingCrew, startSiblings } from '../kit/sibling-workers.js';
import type { PlayedExchange, Walk } from '../kit/walk.js';

const LIVING = { 'Cache-Control': 'max-age=10, stale-while-revalidate=600, stale-if-error=600', ETag: '"1"' };
const STEP_MS = 50;

/** How the origin fails. */
const FAILURES: Readonly<Record<string, (exchange: PlayedExchange) => void>> = {
  'is refused': (exchange) => exchange.fail('origin-refused'),
  'answers 500': (exchange) => exchange.respond(500, {}, 'oops'),
  'answers 503 with Retry-After': (exchange) => exchange.respond(503, { 'Retry-After': '3' }, 'oops'),
  'times out': (exchange) => exchange.fail('origin-headers-timeout'),
};

/** Asks each worker again and again for a while; each request to the origin is answered by `fail`. When they were sent. */
async function besiege(
  clock: FakeClock,
  walks: readonly Walk[],
  forMs: number,
  fail: (exchange: PlayedExchange) => void,
  visit: (walk: Walk) => void = (walk) => void walk.get('/a'),
): Promise<number[]> {
  const from = clock.now();
  const asked: number[] = [];
  const seen = walks.map(({ origin }) => origin.count);
  while (clock.now() < from + forMs) {
    for (const walk of walks) visit(walk);
    await turns();
    for (const [at, { origin }] of walks.entries()) {
      for (; (seen[at] ?? 0) < origin.count; seen[at] = (seen[at] ?? 0) + 1) {
        asked.push(clock.now() - from);
        fail(origin.nth((seen[at] ?? 0) + 1));
      }
    }
    await turns();
    clock.advance(STEP_MS);
  }
  return asked;
}

function walksOf(crew: SiblingCrew): Walk[] {
  return crew.workers.map(({ walk }) => walk);
}

async function warm(crew: SiblingCrew): Promise<void> {
  for (const { walk } of crew.workers) {
    const before = walk.origin.count;
    walk.get('/a');
    await turns();
    if (walk.origin.count > before) walk.origin.last.respond(200, LIVING, 'hello');
    await turns();
  }
}

for (const [how, fail] of Object.entries(FAILURES)) {
  t.test(`issue 5: a refresh by three workers of an origin that ${how} is tried as often as by one`, async (t) => {
    const asked: number[][] = [];
    for (const workers of [1, 3]) {
      const crew = startSiblings(t, { workers, hasDisk: false });
      await warm(crew);
      crew.clock.advance(11_000);
      const visit = (walk: Walk): void => {
        const client = walk.get('/a');
        t.equal(client.body, 'hello', 'at once');
      };
      asked.push(await besiege(crew.clock, walksOf(crew), 30_000, fail, visit));
    }
    t.ok((asked[0]?.length ?? 0) > 2, `${asked[0]?.length} requests`);
    t.same(asked[1], asked[0]);
  });

  t.test(`issue 5: a cold key of an origin that ${how} is tried by three workers as often as by one`, async (t) => {
    const asked: number[][] = [];
    for (const workers of [1, 3]) {
      const crew = startSiblings(t, { workers, hasDisk: false });
      asked.push(await besiege(crew.clock, walksOf(crew), 30_000, fail));
    }
    t.ok((asked[0]?.length ?? 0) > 2, `${asked[0]?.length} requests`);
    t.same(asked[1], asked[0]);
  });

  t.test(
    `issue 5: nobody comes again: a cold key of an origin that ${how} is retried once for all workers`,
    async (t) => {
      const asked: number[][] = [];
      for (const workers of [1, 3]) {
        const crew = startSiblings(t, { workers, hasDisk: false });
        let visits = 0;
        const visit = (walk: Walk): void => {
          if (visits++ < workers) walk.get('/a');
        };
        asked.push(await besiege(crew.clock, walksOf(crew), 30_000, fail, visit));
      }
      t.ok((asked[0]?.length ?? 0) > 1, `${asked[0]?.length} requests`);
      t.same(asked[1], asked[0]);
    },
  );
}

t.test('issue 5: an origin that hangs is asked once by all workers, for as long as it hangs', async (t) => {
  const crew = startSiblings(t, { workers: 3, hasDisk: false, waitMs: 3_000 });
  await warm(crew);
  crew.clock.advance(11_000);
  const asked = await besiege(crew.clock, walksOf(crew), 10_000, () => {});
  t.equal(asked.length, 1);
  for (const { walk } of crew.workers) t.equal(walk.get('/a').body, 'hello');
  const held = walksOf(crew).find(({ origin }) => origin.last.field('if-none-match') !== undefined);
  held?.origin.last.respond(304, { ...LIVING, 'Cache-Control': 'max-age=100' });
  await turns();
  for (const { walk } of crew.workers) t.equal(walk.get('/a').outcome, 'HIT');
});

t.test(
  'issue 5: the same where clients wait for it: each gets an error in its time, and none asks again',
  async (t) => {
    const crew = startSiblings(t, { workers: 3, hasDisk: false, waitMs: 3_000 });
    const clients = crew.workers.map(({ walk }) => walk.get('/cold'));
    await turns();
    t.equal(crew.asked, 1);
    for (let n = 0; n < 100; n++) {
      crew.clock.advance(100);
      await turns();
    }
    t.equal(crew.asked, 1);
    t.ok(clients.filter(({ status }) => status === 504).length >= 2);
    const late = crew.workers[2]?.walk.get('/cold');
    await turns();
    t.equal(crew.asked, 1);
    crew.workers[0]?.walk.origin.last.respond(200, LIVING, 'hello');
    await turns();
    t.equal(late?.body, 'hello');
  },
);

t.test('issue 5: stale-if-error holds in every worker, by the failure that one of them has met', async (t) => {
  const crew = startSiblings(t, { workers: 3, hasDisk: false });
  for (const { walk } of crew.workers) {
    const before = walk.origin.count;
    walk.get('/a');
    await turns();
    const fields = { 'Cache-Control': 'max-age=10, stale-if-error=60', ETag: '"1"' };
    if (walk.origin.count > before) walk.origin.last.respond(200, fields, 'hello');
    await turns();
  }
  crew.clock.advance(20_000);
  const clients = crew.workers.map(({ walk }) => walk.get('/a'));
  await turns();
  t.equal(crew.asked, 2);
  for (const walk of walksOf(crew)) if (walk.origin.count > 0) walk.origin.last.respond(500);
  await turns();
  t.same(
    clients.map(({ outcome, body }) => [outcome, body]),
    clients.map(() => ['STALE', 'hello']),
  );
  t.equal(crew.asked, 2);
});

const SLOW_OR_FAILING: typeof FAILURES = { ...FAILURES, 'does not answer': () => {} };

for (const [how, fail] of Object.entries(SLOW_OR_FAILING)) {
  t.test(
    `promise 3: what one worker has, all may serve stale while the origin ${how}, whoever asks first`,
    async (t) => {
      const crew = startSiblings(t, { workers: 3, hasDisk: false });
      const [one, ...others] = walksOf(crew);
      one?.get('/a');
      await turns();
      one?.origin.last.respond(200, LIVING, 'hello');
      await turns();
      crew.clock.advance(11_000);
      t.match(one?.get('/a'), { outcome: 'UPDATING', body: 'hello' });
      await turns();
      t.equal(crew.asked, 2, 'it refreshes what it has');
      if (one !== undefined) fail(one.origin.last);
      await turns();
      for (const walk of others) {
        const client = walk.get('/a');
        await turns();
        t.match(client, { status: 200, body: 'hello' }, 'at once');
      }
      t.equal(crew.asked, 2, 'and nobody else asks');
    },
  );
}

t.test('issue 5: what was purged while it was refreshed is had from nobody', async (t) => {
  const crew = startSiblings(t, { workers: 2, hasDisk: false });
  const [one, other] = walksOf(crew);
  one?.get('/a');
  await turns();
  one?.origin.last.respond(200, LIVING, 'old');
  await turns();
  crew.clock.advance(11_000);
  one?.get('/a');
  await turns();
  for (const walk of walksOf(crew)) walk.engine.purging.purgeUrl('http://example.test/a');
  const client = other?.get('/a');
  await turns();
  t.equal(client?.status, undefined, 'it waits');
  one?.origin.last.respond(200, LIVING, 'asked for before the purge');
  await turns();
  t.equal(crew.asked, 3, 'and asks itself');
  other?.origin.last.respond(200, LIVING, 'new');
  await turns();
  t.equal(client?.body, 'new');
});

t.test('issue 5: a failure counts once in each worker, whether it waited for it or not', async (t) => {
  const crew = startSiblings(t, { workers: 3, hasDisk: false });
  const [one, other, third] = walksOf(crew);
  one?.get('/a');
  await turns();
  other?.get('/a');
  await turns();
  one?.origin.last.respond(503);
  await turns();
  for (const walk of [one, other, third]) {
    t.equal(walk?.engine.parts.failures.count('http://example.test/a'), 1);
  }
});

t.test('issue 5: a worker that dies while the origin hangs leaves its place to one of those who wait', async (t) => {
  const crew = startSiblings(t, { workers: 3, hasDisk: false, waitMs: 3_000 });
  await warm(crew);
  crew.clock.advance(11_000);
  for (const { walk } of crew.workers) {
    walk.get('/a');
    await turns();
  }
  crew.clock.advance(30_000);
  await turns();
  t.equal(crew.asked, 2);
  const [one] = crew.workers;
  if (one !== undefined) crew.kill(one);
  await turns();
  t.equal(crew.asked, 3, 'one, though both had waited for longer than a request may');
  t.equal(crew.table.waitingCount, 1);
});

t.test('issue 5: an origin that is well again is so for all workers', async (t) => {
  const crew = startSiblings(t, { workers: 3, hasDisk: false });
  await warm(crew);
  crew.clock.advance(11_000);
  await besiege(crew.clock, walksOf(crew), 5_000, (exchange) => exchange.respond(500));
  await besiege(crew.clock, walksOf(crew), 15_000, (exchange) => exchange.respond(304, LIVING));
  for (const { walk } of crew.workers) {
    t.equal(walk.get('/a').outcome, 'HIT');
    t.equal(walk.engine.parts.failures.count('http://example.test/a'), 0);
  }
});
