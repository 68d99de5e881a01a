/** Goal: a stored response is served, validated or gone as its phase and the client's directives say; method: tables over phases, directives and failures, and fast-check for what must never happen. */
import fc from 'fast-check';
import t from 'tap';
import type { Life, StaleForbiddance } from '../../lib/object/stored.js';
import { NO_DIRECTIVES, type RequestDirectives } from '../../lib/policy/request-directives.js';
import { judgeReuse, mayServeOnFailure, phaseAt, type ReuseVerdict } from '../../lib/policy/reuse.js';

const BORN = 1_000_000;

/** Fresh for 100 s, grace for 50 s more, keep for 1000 s more. */
function life(over: Partial<Life> = {}): Life {
  return {
    bornAt: BORN,
    staleAt: BORN + 100_000,
    graceUntil: BORN + 150_000,
    ceilingAt: Number.POSITIVE_INFINITY,
    keepUntil: BORN + 1_150_000,
    errorUntil: BORN + 400_000,
    unreachableUntil: BORN + 800_000,
    alwaysValidate: false,
    validateByRule: false,
    staleForbiddenBy: undefined,
    ttlSource: 'max-age',
    ...over,
    offlineGraceUntil: over.offlineGraceUntil ?? over.graceUntil ?? BORN + 150_000,
  };
}

/** The same with stale use forbidden. */
function strict(by: StaleForbiddance): Life {
  const staleAt = BORN + 100_000;
  return life({ staleForbiddenBy: by, graceUntil: staleAt, errorUntil: staleAt, unreachableUntil: staleAt });
}

function wishes(over: Partial<RequestDirectives>): RequestDirectives {
  return { ...NO_DIRECTIVES, ...over };
}

/** A verdict in a line: what, phase, whether refreshed, why. */
function told(verdict: ReuseVerdict): string {
  if (verdict.kind !== 'serve') return `${verdict.kind} ${verdict.reason}`;
  return `serve ${verdict.phase} ${verdict.refresh ? 'refresh ' : ''}${verdict.reason}`;
}

function judged(of: Life, over: Partial<RequestDirectives>, ageSec: number): string {
  return told(judgeReuse(of, wishes(over), BORN + ageSec * 1000));
}

t.test('design §1: each phase gives what its row of the table says', async (t) => {
  const table: readonly [ageSec: number, phase: string, verdict: string][] = [
    [0, 'fresh', 'serve fresh fresh'],
    [99.999, 'fresh', 'serve fresh fresh'],
    [100, 'grace', 'serve grace refresh stale-while-revalidate'],
    [149.999, 'grace', 'serve grace refresh stale-while-revalidate'],
    [150, 'keep', 'validate past-grace'],
    [1149.999, 'keep', 'validate past-grace'],
    [1150, 'gone', 'gone past-keep'],
    [1e9, 'gone', 'gone past-keep'],
  ];
  for (const [ageSec, phase, verdict] of table) {
    t.equal(phaseAt(life(), BORN + ageSec * 1000), phase, `${ageSec}`);
    t.equal(judged(life(), {}, ageSec), verdict, `${ageSec}`);
  }
});

t.test('scar 5: a response born stale is validated on every use', async (t) => {
  const born = life({ staleAt: BORN, graceUntil: BORN });
  t.equal(judged(born, {}, 0), 'validate past-grace');
});

t.test('RFC 9111 §4.2.4: past freshness, the directive that forbids stale use is the reason', async (t) => {
  for (const by of ['must-revalidate', 'proxy-revalidate', 's-maxage'] as const) {
    t.equal(judged(strict(by), {}, 99), 'serve fresh fresh');
    t.equal(judged(strict(by), {}, 100), `validate ${by}`);
  }
});

t.test('RFC 9111 §5.2.2.4: no-cache is validated in every phase but the last', async (t) => {
  const noCache = { ...strict('no-cache'), alwaysValidate: true };
  for (const ageSec of [0, 99, 100, 500]) t.equal(judged(noCache, {}, ageSec), 'validate no-cache', `${ageSec}`);
  t.equal(judged(noCache, { maxStaleMs: Number.POSITIVE_INFINITY }, 500), 'validate no-cache');
  t.equal(judged(noCache, {}, 1150), 'gone past-keep');
});

t.test('RFC 9111 §5.2.1.4: a client that says no-cache gets nothing unvalidated', async (t) => {
  for (const ageSec of [0, 99, 120, 500])
    t.equal(judged(life(), { noCache: true, maxStaleMs: 1e9 }, ageSec), 'validate request-no-cache', `${ageSec}`);
  t.equal(judged(life(), { noCache: true }, 1150), 'gone past-keep');
});

t.test('RFC 9111 §5.2.1.1: max-age refuses what is older, and alone also what is stale', async (t) => {
  const table: readonly [maxAgeSec: number, ageSec: number, verdict: string][] = [
    [0, 0.001, 'validate request-max-age'],
    [10, 10, 'serve fresh fresh'],
    [10, 10.001, 'validate request-max-age'],
    [600, 99, 'serve fresh fresh'],
    [600, 120, 'validate request-max-age'],
    [600, 500, 'validate request-max-age'],
  ];
  for (const [maxAgeSec, ageSec, verdict] of table)
    t.equal(judged(life(), { maxAgeMs: maxAgeSec * 1000 }, ageSec), verdict, `max-age=${maxAgeSec} at ${ageSec}`);
});

t.test('RFC 9111 §5.2.1.1, §5.2.1.2: max-age with max-stale takes a stale response that is young enough', async (t) => {
  const both = { maxAgeMs: 600_000, maxStaleMs: 100_000 };
  t.equal(judged(life(), both, 120), 'serve grace refresh stale-while-revalidate');
  t.equal(judged(life(), both, 180), 'serve grace refresh max-stale');
  t.equal(judged(life(), both, 201), 'validate request-max-stale');
  t.equal(judged(life(), { maxAgeMs: 150_000, maxStaleMs: 1e9 }, 151), 'validate request-max-age');
});

t.test('RFC 9111 §5.2.1.3: min-fresh wants the response to stay fresh, which a stale one cannot', async (t) => {
  const table: readonly [minFreshSec: number, ageSec: number, verdict: string][] = [
    [0, 99, 'serve fresh fresh'],
    [50, 50, 'serve fresh fresh'],
    [50, 50.001, 'validate request-min-fresh'],
    [2000, 0, 'validate request-min-fresh'],
    [0, 120, 'validate request-min-fresh'],
    [10, 500, 'validate request-min-fresh'],
  ];
  for (const [minFreshSec, ageSec, verdict] of table)
    t.equal(
      judged(life(), { minFreshMs: minFreshSec * 1000 }, ageSec),
      verdict,
      `min-fresh=${minFreshSec} at ${ageSec}`,
    );
});

t.test('RFC 9111 §5.2.1.2: max-stale lets a kept response out, and limits what grace lets out', async (t) => {
  const table: readonly [maxStaleSec: number, ageSec: number, verdict: string][] = [
    [1000, 50, 'serve fresh fresh'],
    [1000, 120, 'serve grace refresh stale-while-revalidate'],
    [1000, 1100, 'serve grace refresh max-stale'],
    [1000, 1101, 'validate request-max-stale'],
    [Number.POSITIVE_INFINITY, 1149, 'serve grace refresh max-stale'],
    [Number.POSITIVE_INFINITY, 1150, 'gone past-keep'],
    [10, 110, 'serve grace refresh stale-while-revalidate'],
    [10, 111, 'validate request-max-stale'],
    [0, 100, 'serve grace refresh stale-while-revalidate'],
    [0, 101, 'validate request-max-stale'],
  ];
  for (const [maxStaleSec, ageSec, verdict] of table)
    t.equal(
      judged(life(), { maxStaleMs: maxStaleSec * 1000 }, ageSec),
      verdict,
      `max-stale=${maxStaleSec} at ${ageSec}`,
    );
});

t.test('RFC 9111 §4.2.4: max-stale does not lift what the origin forbids', async (t) => {
  for (const by of ['must-revalidate', 'proxy-revalidate', 's-maxage'] as const)
    t.equal(judged(strict(by), { maxStaleMs: Number.POSITIVE_INFINITY }, 120), `validate ${by}`);
  const gracedSMaxage = life({ staleForbiddenBy: 's-maxage' });
  t.equal(judged(gracedSMaxage, { maxStaleMs: 1e9 }, 120), 'serve grace refresh stale-while-revalidate');
  t.equal(judged(gracedSMaxage, { maxStaleMs: 1e9 }, 160), 'validate s-maxage');
});

t.test('RFC 9111 §5.2.1.5: no-store of a request does not touch what is stored already', async (t) => {
  t.equal(judged(life(), { noStore: true }, 10), 'serve fresh fresh');
});

t.test('promise 6: a verdict is a shared frozen constant', async (t) => {
  for (const ageSec of [0, 120, 500, 1150]) {
    const now = BORN + ageSec * 1000;
    t.equal(judgeReuse(life(), NO_DIRECTIVES, now), judgeReuse(life(), NO_DIRECTIVES, now));
    t.ok(Object.isFrozen(judgeReuse(life(), NO_DIRECTIVES, now)));
  }
});

t.test(
  'RFC 5861 §4: on an origin failure what is stored is served until its instant, and not from there on',
  async (t) => {
    const table: readonly [ageSec: number, errorStatus: boolean, unreachable: boolean][] = [
      [50, true, true],
      [120, true, true],
      [200, true, true],
      [399.999, true, true],
      [400, false, true],
      [799.999, false, true],
      [800, false, false],
      [1150, false, false],
    ];
    for (const [ageSec, errorStatus, unreachable] of table) {
      const now = BORN + ageSec * 1000;
      t.equal(mayServeOnFailure(life(), 'error-status', NO_DIRECTIVES, now), errorStatus, `error status at ${ageSec}`);
      t.equal(mayServeOnFailure(life(), 'unreachable', NO_DIRECTIVES, now), unreachable, `unreachable at ${ageSec}`);
    }
  },
);

t.test('RFC 9111 §5.2.2.2: where stale use is forbidden, a failure of the origin is passed on', async (t) => {
  for (const by of ['must-revalidate', 'proxy-revalidate', 's-maxage', 'no-cache'] as const)
    for (const failure of ['unreachable', 'error-status'] as const) {
      const asked = wishes({ staleIfErrorMs: 1e9, maxStaleMs: 1e9 });
      t.equal(mayServeOnFailure(strict(by), failure, asked, BORN + 100_000), false, `${by} ${failure}`);
      t.equal(mayServeOnFailure(strict(by), failure, NO_DIRECTIVES, BORN + 99_999), true, `${by} still fresh`);
    }
});

t.test('RFC 9111 §5.2.2.4: no-cache is served on no failure, however fresh', async (t) => {
  const noCache = life({ alwaysValidate: true });
  t.equal(mayServeOnFailure(noCache, 'unreachable', NO_DIRECTIVES, BORN), false);
});

t.test('scar 4: grace is served on a failure, also where stale-if-error is shorter', async (t) => {
  const short = life({ errorUntil: BORN + 100_000, unreachableUntil: BORN + 100_000 });
  t.equal(mayServeOnFailure(short, 'error-status', NO_DIRECTIVES, BORN + 120_000), true);
  t.equal(mayServeOnFailure(short, 'error-status', NO_DIRECTIVES, BORN + 150_000), false);
});

t.test('RFC 9111 §5.2.1: on a failure no-cache of the client is final, its other wishes are preferences', async (t) => {
  const now = BORN + 120_000;
  t.equal(mayServeOnFailure(life(), 'unreachable', wishes({ noCache: true }), now), false);
  t.equal(mayServeOnFailure(life(), 'unreachable', wishes({ noCache: true }), BORN), false);
  t.equal(mayServeOnFailure(life(), 'unreachable', wishes({ maxAgeMs: 0 }), now), true);
  t.equal(mayServeOnFailure(life(), 'unreachable', wishes({ minFreshMs: 1e9 }), now), true);
});

t.test('RFC 5861 §4: a client may allow stale on error for its own request', async (t) => {
  const bare = life({ errorUntil: BORN + 100_000, unreachableUntil: BORN + 100_000, graceUntil: BORN + 100_000 });
  const asked = wishes({ staleIfErrorMs: 60_000 });
  t.equal(mayServeOnFailure(bare, 'error-status', NO_DIRECTIVES, BORN + 110_000), false);
  t.equal(mayServeOnFailure(bare, 'error-status', asked, BORN + 110_000), true);
  t.equal(mayServeOnFailure(bare, 'error-status', asked, BORN + 160_000), false);
});

const ms = fc.integer({ min: 0, max: 2_000_000 });
const wish = fc.option(fc.oneof(fc.constantFrom(0, 1000), ms), { nil: undefined });
const anyWishes: fc.Arbitrary<RequestDirectives> = fc.record({
  noCache: fc.boolean(),
  noStore: fc.boolean(),
  maxAgeMs: wish,
  minFreshMs: wish,
  maxStaleMs: fc.oneof(wish, fc.constant(Number.POSITIVE_INFINITY)),
  staleIfErrorMs: wish,
  onlyIfCached: fc.boolean(),
});
const anyLife: fc.Arbitrary<Life> = fc
  .record({
    ttl: ms,
    grace: ms,
    keep: ms,
    error: ms,
    unreachable: ms,
    alwaysValidate: fc.boolean(),
    by: fc.constantFrom<StaleForbiddance | undefined>(undefined, 'must-revalidate', 's-maxage', 'no-cache'),
  })
  .map(({ ttl, grace, keep, error, unreachable, alwaysValidate, by }) => {
    const staleAt = BORN + ttl;
    const isSoft = by === undefined;
    const graceUntil = isSoft ? staleAt + grace : staleAt;
    const keepUntil = graceUntil + keep;
    return {
      bornAt: BORN,
      staleAt,
      graceUntil,
      offlineGraceUntil: graceUntil,
      ceilingAt: Number.POSITIVE_INFINITY,
      keepUntil,
      errorUntil: isSoft ? Math.min(keepUntil, staleAt + error) : staleAt,
      unreachableUntil: isSoft ? Math.min(keepUntil, staleAt + unreachable) : staleAt,
      alwaysValidate,
      validateByRule: false,
      staleForbiddenBy: by,
      ttlSource: 'max-age' as const,
    };
  });

t.test('promise 1: no wish of a client gets a response that the origin forbids', async () => {
  fc.assert(
    fc.property(anyLife, anyWishes, ms, (of, directives, ageMs) => {
      const now = BORN + ageMs;
      const verdict = judgeReuse(of, directives, now);
      const isForbidden = of.alwaysValidate || (of.staleForbiddenBy !== undefined && now >= of.staleAt);
      const onFailure =
        mayServeOnFailure(of, 'unreachable', directives, now) || mayServeOnFailure(of, 'error-status', directives, now);
      return !(isForbidden && (verdict.kind === 'serve' || onFailure));
    }),
    { numRuns: 3000 },
  );
});

t.test('design §1: what is served fresh is fresh, what is served stale is refreshed, and gone is gone', async () => {
  fc.assert(
    fc.property(anyLife, anyWishes, ms, (of, directives, ageMs) => {
      const now = BORN + ageMs;
      const verdict = judgeReuse(of, directives, now);
      const phase = phaseAt(of, now);
      if ((verdict.kind === 'gone') !== (phase === 'gone')) return false;
      if (verdict.kind !== 'serve') return true;
      return (verdict.phase === 'fresh') === (phase === 'fresh') && verdict.refresh === (phase !== 'fresh');
    }),
    { numRuns: 3000 },
  );
});

t.test('issue 4: while the origin cannot be reached its own grace holds, and nobody waits', async (t) => {
  const apart = life({ graceUntil: BORN + 110_000, offlineGraceUntil: BORN + 500_000 });
  t.equal(told(judgeReuse(apart, NO_DIRECTIVES, BORN + 200_000)), 'validate past-grace');
  t.equal(told(judgeReuse(apart, NO_DIRECTIVES, BORN + 200_000, true)), 'serve grace refresh stale-while-offline');
  t.equal(told(judgeReuse(apart, NO_DIRECTIVES, BORN + 105_000, true)), 'serve grace refresh stale-while-revalidate');
  t.equal(told(judgeReuse(apart, NO_DIRECTIVES, BORN + 500_000, true)), 'validate past-grace');
  t.equal(told(judgeReuse(apart, NO_DIRECTIVES, BORN + 110_000, true)), 'serve grace refresh stale-while-offline');
  // By its grace alone: that it failed gives no leave of its own here.
  const graced = { ...apart, errorUntil: apart.staleAt, unreachableUntil: apart.staleAt };
  t.equal(mayServeOnFailure(graced, 'unreachable', NO_DIRECTIVES, BORN + 450_000), true);
  t.equal(mayServeOnFailure(graced, 'error-status', NO_DIRECTIVES, BORN + 109_999), true);
  t.equal(mayServeOnFailure(graced, 'error-status', NO_DIRECTIVES, BORN + 110_000), false);
  const gone = { ...apart, unreachableUntil: apart.keepUntil + 1 };
  t.equal(mayServeOnFailure(gone, 'unreachable', NO_DIRECTIVES, apart.keepUntil), false);
});

t.test('issue 4: nothing older than the ceiling is served, whoever would allow it', async (t) => {
  const held = life({ ceilingAt: BORN + 120_000, graceUntil: BORN + 120_000, errorUntil: BORN + 120_000 });
  const eager = wishes({ maxStaleMs: Number.POSITIVE_INFINITY, staleIfErrorMs: 1e9 });
  t.equal(told(judgeReuse(held, eager, BORN + 119_999)), 'serve grace refresh stale-while-revalidate');
  t.equal(told(judgeReuse(held, eager, BORN + 120_000)), 'validate max-staleness');
  t.equal(mayServeOnFailure(held, 'unreachable', eager, BORN + 120_000), false);
  t.equal(mayServeOnFailure(held, 'error-status', eager, BORN + 120_000), false);
});
