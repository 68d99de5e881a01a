/** Goal: the four phases of the design, section 1, get their instants from the origin, the rule, or both; method: tables of fields and rules with every instant given, and fast-check for the order of phases. */
import fc from 'fast-check';
import t from 'tap';
import { type DurationSetting, ORIGIN_DECIDES, type Rule } from '../../lib/config/rule.js';
import { formatHttpDate } from '../../lib/http/dates.js';
import { Fields } from '../../lib/http/fields.js';
import type { Life, StaleForbiddance, TtlSource } from '../../lib/object/stored.js';
import { lifeOf } from '../../lib/policy/lifetime.js';
import { phaseAt } from '../../lib/policy/reuse.js';

const WALL = Date.UTC(2026, 0, 1);
const NOW = 5_000_000;
const HOUR = 3_600_000;
const DAY = 24 * HOUR;

type Record = Readonly<{ [name: string]: string | readonly string[] }>;

function date(offsetSec: number): string {
  return formatHttpDate(WALL + offsetSec * 1000);
}

interface Setup {
  readonly rule?: Partial<Rule>;
  readonly status?: number;
  readonly ageMs?: number;
  readonly chance?: number;
}

function life(record: Record, { rule, status = 200, ageMs = 0, chance = 0 }: Setup = {}): Life {
  return lifeOf({
    status,
    fields: Fields.of(record),
    rule: { ...ORIGIN_DECIDES, ...rule },
    initialAgeMs: ageMs,
    receivedAt: NOW,
    receivedWall: WALL,
    chance,
  });
}

const fixed = (ms: number): DurationSetting => ({ kind: 'fixed', ms });
const bounded = (defaultMs?: number, minMs?: number, maxMs?: number): DurationSetting => ({
  kind: 'bounded',
  defaultMs,
  minMs,
  maxMs,
});

/** ttl in seconds as the fields alone give it, and where it came from. */
function ttl(record: Record, setup?: Setup): [ttlSec: number, source: TtlSource] {
  const { staleAt, bornAt, ttlSource } = life(record, setup);
  return [(staleAt - bornAt) / 1000, ttlSource];
}

t.test('RFC 9111 §4.2.1: s-maxage comes before max-age, max-age before Expires', async (t) => {
  const table: readonly [record: Record, ttlSec: number, source: TtlSource][] = [
    [{ 'cache-control': 'max-age=3600' }, 3600, 'max-age'],
    [{ 'cache-control': 's-maxage=3600' }, 3600, 's-maxage'],
    [{ 'cache-control': 'max-age=3600, s-maxage=1' }, 1, 's-maxage'],
    [{ 'cache-control': 's-maxage=1, max-age=3600' }, 1, 's-maxage'],
    [{ 'cache-control': ['max-age=3600', 's-maxage=1'] }, 1, 's-maxage'],
    [{ 'cache-control': 'max-age=1, s-maxage=3600' }, 3600, 's-maxage'],
    [{ expires: date(-10), 'cache-control': 'max-age=0, s-maxage=3600' }, 3600, 's-maxage'],
    [{ 'cache-control': 'max-age=3600', expires: date(-7200), date: date(0) }, 3600, 'max-age'],
    [{ 'cache-control': 'max-age=3600', expires: '0', date: date(0) }, 3600, 'max-age'],
    [{ 'cache-control': 'max-age=0', expires: date(3600), date: date(0) }, 0, 'max-age'],
    [{ 'cache-control': 'max-age=-3600', expires: date(3600) }, 0, 'max-age'],
    [{ 'cache-control': 'max-age=99999999999' }, 2147483648, 'max-age'],
    [{ expires: date(2592000), date: date(0) }, 2592000, 'expires'],
    [{ 'cache-control': 'private="x"', expires: date(60), date: date(0) }, 60, 'expires'],
    [{}, 0, 'none'],
  ];
  for (const [record, ttlSec, source] of table) t.same(ttl(record), [ttlSec, source], JSON.stringify(record));
});

t.test('RFC 9111 §4.2.1: Expires counts from the Date of the same origin', async (t) => {
  t.same(ttl({ expires: date(20), date: date(10) }), [10, 'expires']);
  t.same(ttl({ expires: date(10), date: date(-10) }), [20, 'expires']);
  t.same(ttl({ expires: date(300), date: date(400) }), [0, 'expires']);
  t.same(ttl({ expires: date(0), date: date(0) }), [0, 'expires']);
  t.same(ttl({ expires: date(10), date: 'foo' }), [10, 'expires'], 'an invalid Date gives way to receipt');
  t.same(ttl({ expires: date(10) }), [10, 'expires'], 'and so does a missing one');
});

t.test('scar 7: Expires: 0 is the past', async (t) => {
  const lastModified = { 'last-modified': date(-100_000), date: date(0) };
  for (const expires of ['0', '-1', '', 'never', date(60).replace('GMT', 'UTC'), date(60).replace(',', '')]) {
    t.same(ttl({ expires, ...lastModified }), [0, 'expires'], `${JSON.stringify(expires)} leaves no room for a guess`);
    t.same(
      ttl({ expires, date: date(0) }, { rule: { ttl: bounded(10_000) } }),
      [0, 'expires'],
      `${JSON.stringify(expires)} leaves no room for the default of a rule`,
    );
  }
});

t.test(
  'RFC 9111 §4.2.1: of several Expires lines the earliest counts, and one that is invalid is the past',
  async (t) => {
    t.same(ttl({ expires: [date(60), date(60)] }), [60, 'expires']);
    t.same(ttl({ expires: [date(60), date(10)] }), [10, 'expires']);
    t.same(ttl({ expires: [date(10), date(60)] }), [10, 'expires']);
    t.same(ttl({ expires: [date(60), '0'] }), [0, 'expires']);
  },
);

t.test('RFC 9213 §2.2: a valid CDN-Cache-Control governs alone', async (t) => {
  const table: readonly [record: Record, ttlSec: number, source: TtlSource][] = [
    [{ 'cdn-cache-control': 'max-age=3600' }, 3600, 'cdn-cache-control'],
    [{ 'cdn-cache-control': 'max-age=3600', 'cache-control': 'max-age=1' }, 3600, 'cdn-cache-control'],
    [{ 'cdn-cache-control': 'max-age=1', 'cache-control': 's-maxage=3600' }, 1, 'cdn-cache-control'],
    [{ 'cdn-cache-control': 'max-age=60, s-maxage=5' }, 5, 'cdn-cache-control'],
    [{ 'cdn-cache-control': 'max-age=3600', expires: date(-10_000), date: date(0) }, 3600, 'cdn-cache-control'],
    [{ 'cdn-cache-control': 'max-age=0', expires: date(10_000), date: date(0) }, 0, 'cdn-cache-control'],
    [{ 'cdn-cache-control': 'none', 'cache-control': 'max-age=10', expires: date(10) }, 0, 'none'],
    [{ 'cdn-cache-control': 'none', 'last-modified': date(-1000), date: date(0) }, 100, 'heuristic'],
    [{ 'cdn-cache-control': 'max-age="10000"', 'cache-control': 'max-age=60' }, 0, 'cdn-cache-control'],
    [{ 'cdn-cache-control': 'max-age=100, &&&', 'cache-control': 'max-age=60' }, 60, 'max-age'],
    [{ 'cdn-cache-control': 'MaX-aGe=100', 'cache-control': 'max-age=60' }, 60, 'max-age'],
    [{ 'cdn-cache-control': '', 'cache-control': 'max-age=60' }, 60, 'max-age'],
  ];
  for (const [record, ttlSec, source] of table) t.same(ttl(record), [ttlSec, source], JSON.stringify(record));
});

t.test('RFC 9213 §2.2: the directives about stale use are those of the governing field alone', async (t) => {
  const record = { 'cdn-cache-control': 'max-age=10, stale-while-revalidate=30', 'cache-control': 'must-revalidate' };
  t.equal(life(record).staleForbiddenBy, undefined);
  t.equal(life(record).graceUntil - life(record).staleAt, 30_000);
  const reverse = { 'cdn-cache-control': 'must-revalidate', 'cache-control': 'max-age=10, stale-if-error=30' };
  t.equal(life(reverse).staleForbiddenBy, 'must-revalidate');
});

t.test(
  'RFC 9111 §4.2.2: without a lifetime a tenth of the time since Last-Modified is the guess, at most a week',
  async (t) => {
    const table: readonly [record: Record, ttlSec: number, source: TtlSource][] = [
      [{ 'last-modified': date(-86_400), date: date(0) }, 8640, 'heuristic'],
      [{ 'last-modified': date(-5), date: date(0) }, 0.5, 'heuristic'],
      [{ 'last-modified': date(-1000), date: date(-500) }, 50, 'heuristic'],
      [{ 'last-modified': date(-1000) }, 100, 'heuristic'],
      [{ 'last-modified': date(-10 * 365 * 86_400), date: date(0) }, 7 * 86_400, 'heuristic'],
      [{ 'last-modified': date(0), date: date(0) }, 0, 'none'],
      [{ 'last-modified': date(500), date: date(0) }, 0, 'none'],
      [{ 'last-modified': '0', date: date(0) }, 0, 'none'],
      [{ 'last-modified': date(-1000), pragma: 'no-cache' }, 100, 'heuristic'],
    ];
    for (const [record, ttlSec, source] of table) t.same(ttl(record), [ttlSec, source], JSON.stringify(record));
  },
);

t.test(
  'RFC 9110 §15.1: a guess is made for heuristically cacheable statuses, and for others with public',
  async (t) => {
    const record = { 'last-modified': date(-86_400), date: date(0) };
    for (const status of [200, 203, 204, 206, 300, 301, 308, 404, 405, 410, 414, 501])
      t.equal(life(record, { status }).ttlSource, 'heuristic', `${status}`);
    for (const status of [201, 202, 302, 303, 307, 400, 403, 429, 500, 502, 503, 504, 599]) {
      t.equal(life(record, { status }).ttlSource, 'none', `${status}`);
      t.equal(
        life({ ...record, 'cache-control': 'public' }, { status }).ttlSource,
        'heuristic',
        `${status} with public`,
      );
    }
  },
);

t.test('RFC 9111 §4.2.2: there is no guess beside an explicit expiration time, be it in the past', async (t) => {
  const lastModified = { 'last-modified': date(-86_400), date: date(0) };
  t.same(ttl({ ...lastModified, 'cache-control': 'max-age=0' }), [0, 'max-age']);
  t.same(ttl({ ...lastModified, expires: date(-5000) }), [0, 'expires']);
  t.same(ttl({ ...lastModified, 'cache-control': 'max-age=x' }), [0, 'max-age']);
});

t.test('RFC 9111 §4.2.3: what the origin gives counts from birth', async (t) => {
  const aged = life({ 'cache-control': 'max-age=100' }, { ageMs: 30_000 });
  t.equal(aged.bornAt, NOW - 30_000);
  t.equal(aged.staleAt, NOW + 70_000);
  t.ok(life({ 'cache-control': 'max-age=100' }, { ageMs: 200_000 }).staleAt < NOW, 'it may come stale already');
});

t.test('design §1: a fixed ttl of the rule overrides the origin and counts from receipt', async (t) => {
  const rule = { ttl: fixed(60_000) };
  for (const record of [
    {},
    { 'cache-control': 'max-age=3600' },
    { expires: '0' },
    { 'cdn-cache-control': 'max-age=1' },
  ]) {
    const { staleAt, ttlSource } = life(record, { rule });
    t.equal(staleAt, NOW + 60_000, JSON.stringify(record));
    t.equal(ttlSource, 'rule');
  }
  const aged = life({ 'cache-control': 'max-age=3600' }, { rule, ageMs: 600_000 });
  t.equal(aged.bornAt, NOW - 600_000, 'the Age stays true');
  t.equal(aged.staleAt, NOW + 60_000, 'a high Age does not eat up what the operator gave');
});

t.test('design §1: a bounded ttl holds what the origin says between its bounds', async (t) => {
  const rule = { ttl: bounded(5000, 10_000, 30_000) };
  const staleIn = (record: Record, ageMs = 0) => {
    const { staleAt, ttlSource } = life(record, { rule, ageMs });
    return [(staleAt - NOW) / 1000, ttlSource];
  };
  t.same(staleIn({ 'cache-control': 'max-age=20' }), [20, 'max-age']);
  t.same(staleIn({ 'cache-control': 'max-age=1' }), [10, 'rule']);
  t.same(staleIn({ 'cache-control': 'max-age=0' }), [10, 'rule']);
  t.same(staleIn({ 'cache-control': 'max-age=3600' }), [30, 'rule']);
  t.same(staleIn({ 'last-modified': date(-86_400) }), [30, 'rule'], 'a guess is held too');
  t.same(staleIn({ 'cache-control': 'max-age=3600' }, 1_800_000), [30, 'rule'], 'the bound counts from receipt');
  t.same(staleIn({ 'cache-control': 'max-age=3600' }, 3_580_000), [20, 'max-age'], 'what is left is within bounds');
  t.same(staleIn({}), [10, 'default'], 'the default is held between the bounds as well');
});

t.test('design §1: the default of a rule comes after the guess, and before nothing', async (t) => {
  const rule = { ttl: bounded(5000) };
  t.same(ttl({ 'last-modified': date(-1000) }, { rule }), [100, 'heuristic']);
  t.same(ttl({}, { rule }), [5, 'default']);
  t.same(ttl({ 'cache-control': 'max-age=0' }, { rule }), [0, 'max-age']);
  t.same(ttl({}, { rule: { ttl: bounded(undefined, 10_000) } }), [0, 'none'], 'a lower bound alone gives no lifetime');
});

t.test('design §1: a rule shortens the freshness of an error, and never gives it any', async (t) => {
  for (const status of [201, 403, 500, 503, 599]) {
    t.same(ttl({}, { status, rule: { ttl: fixed(60_000) } }), [0, 'none'], `${status} fixed`);
    t.same(ttl({}, { status, rule: { ttl: bounded(5000) } }), [0, 'none'], `${status} default`);
    const record = { 'cache-control': 'max-age=100' };
    t.same(ttl(record, { status, rule: { ttl: fixed(10_000) } }), [10, 'rule'], `${status} shortened`);
    t.same(ttl(record, { status, rule: { ttl: fixed(200_000) } }), [100, 'max-age'], `${status} not lengthened`);
    t.same(ttl(record, { status, rule: { ttl: bounded(undefined, 200_000) } }), [100, 'max-age'], `${status} min`);
  }
  for (const status of [200, 302, 307, 404])
    t.same(ttl({}, { status, rule: { ttl: fixed(60_000) } }), [60, 'rule'], `${status}`);
});

t.test('RFC 5861 §3: grace is stale-while-revalidate where the origin sent it, else that of the rule', async (t) => {
  const grace = (value: string, rule?: Partial<Rule>) => {
    const made = life({ 'cache-control': value }, rule === undefined ? {} : { rule });
    return (made.graceUntil - made.staleAt) / 1000;
  };
  t.equal(grace('max-age=1'), 0);
  t.equal(grace('max-age=1, stale-while-revalidate=30'), 30);
  t.equal(grace('max-age=1', { grace: fixed(HOUR) }), 3600);
  t.equal(grace('max-age=1, stale-while-revalidate=30', { grace: fixed(HOUR) }), 30);
  t.equal(grace('max-age=1, stale-while-revalidate=0', { grace: fixed(HOUR) }), 0);
  t.equal(grace('max-age=1, stale-while-revalidate=x', { grace: fixed(HOUR) }), 0);
  t.equal(grace('max-age=1, stale-while-revalidate=9999', { grace: bounded(5000, 1000, 60_000) }), 60);
  t.equal(grace('max-age=1, stale-while-revalidate=0', { grace: bounded(5000, 1000, 60_000) }), 1);
  t.equal(grace('max-age=1', { grace: bounded(5000, 1000, 60_000) }), 5);
  t.equal(grace('max-age=1', { grace: bounded(undefined, 1000, 60_000) }), 0);
});

t.test('scar 6: must-revalidate, proxy-revalidate, no-cache and s-maxage leave no stale use', async (t) => {
  const rule = { grace: fixed(HOUR), staleIfError: fixed(HOUR) };
  for (const [by, value] of [
    ['must-revalidate', 'max-age=1, must-revalidate'],
    ['must-revalidate', 'max-age=1, must-revalidate, stale-while-revalidate=9, stale-if-error=9'],
    ['proxy-revalidate', 'max-age=1, proxy-revalidate'],
    ['proxy-revalidate', 's-maxage=1, proxy-revalidate, stale-while-revalidate=9'],
    ['no-cache', 'max-age=1, no-cache'],
    ['no-cache', 'max-age=1, no-cache, stale-if-error=9'],
    ['s-maxage', 's-maxage=1'],
    ['s-maxage', 'max-age=1, s-maxage=1'],
  ] as const satisfies readonly (readonly [StaleForbiddance, string])[]) {
    const made = life({ 'cache-control': value, etag: '"a"' }, { rule });
    t.equal(made.staleForbiddenBy, by, value);
    t.equal(made.graceUntil, made.staleAt, value);
    t.equal(made.errorUntil, made.staleAt, value);
    t.equal(made.unreachableUntil, made.staleAt, value);
    t.ok(made.keepUntil > made.staleAt, 'it is kept to be validated');
  }
  t.equal(life({ 'cache-control': 'max-age=1, no-cache="a"' }).staleForbiddenBy, undefined, 'qualified no-cache');
});

t.test(
  'RFC 9111 §5.2.2.10: s-maxage allows the stale use whose directive stands beside it, and no other',
  async (t) => {
    const graced = life({ 'cache-control': 's-maxage=1, stale-while-revalidate=9' });
    t.equal(graced.graceUntil - graced.staleAt, 9000);
    t.equal(graced.errorUntil, graced.staleAt);
    t.equal(graced.unreachableUntil, graced.staleAt);
    t.equal(graced.staleForbiddenBy, 's-maxage');
    const onError = life({ 'cache-control': 's-maxage=1, stale-if-error=9' });
    t.equal(onError.graceUntil, onError.staleAt);
    t.equal(onError.errorUntil - onError.staleAt, 9000);
    t.equal(onError.unreachableUntil - onError.staleAt, 9000);
  },
);

t.test('design §1: a rule lifts a prohibition by naming the directive, that one alone', async (t) => {
  const rule = { grace: fixed(HOUR) };
  const table: readonly [value: string, despite: readonly StaleForbiddance[], by: StaleForbiddance | undefined][] = [
    ['max-age=1, must-revalidate', ['must-revalidate'], undefined],
    ['max-age=1, must-revalidate', ['proxy-revalidate', 'no-cache', 's-maxage'], 'must-revalidate'],
    ['max-age=1, must-revalidate, proxy-revalidate', ['must-revalidate'], 'proxy-revalidate'],
    ['s-maxage=1', ['s-maxage'], undefined],
    ['no-cache, must-revalidate', ['no-cache'], 'must-revalidate'],
    ['no-cache, must-revalidate', ['no-cache', 'must-revalidate'], undefined],
  ];
  for (const [value, staleDespite, by] of table) {
    const made = life({ 'cache-control': value }, { rule: { ...rule, staleDespite } });
    t.equal(made.staleForbiddenBy, by, value);
    t.equal(made.graceUntil - made.staleAt, by === undefined ? HOUR : 0, value);
  }
});

t.test('RFC 9111 §5.2.2.4: unqualified no-cache means validation at every use, unless the rule names it', async (t) => {
  t.equal(life({ 'cache-control': 'max-age=9, no-cache' }).alwaysValidate, true);
  t.equal(life({ 'cdn-cache-control': 'no-cache', 'cache-control': 'max-age=9' }).alwaysValidate, true);
  t.equal(life({ 'cache-control': 'max-age=9, no-cache="a"' }).alwaysValidate, false);
  t.equal(life({ 'cache-control': 'no-cache' }, { rule: { ttl: fixed(60_000) } }).alwaysValidate, true);
  t.equal(life({ 'cache-control': 'no-cache' }, { rule: { staleDespite: ['no-cache'] } }).alwaysValidate, false);
});

t.test('scar 1: keep is an hour wherever the response can still be of use', async (t) => {
  const keep = (record: Record, setup?: Setup) => {
    const made = life(record, setup);
    return made.keepUntil - made.graceUntil;
  };
  t.equal(keep({ 'cache-control': 'max-age=1', etag: '"a"' }), HOUR);
  t.equal(keep({ 'cache-control': 'max-age=1', 'last-modified': date(-5) }), HOUR);
  t.equal(keep({ 'cache-control': 'max-age=1' }), HOUR, 'for an origin that cannot be reached');
  t.equal(keep({ 'cache-control': 'max-age=1, must-revalidate' }), 0, 'neither validator nor stale use');
  t.equal(keep({ 'cache-control': 'max-age=1, must-revalidate', 'last-modified': '0' }), 0);
  t.equal(keep({ 'cache-control': 'max-age=1, must-revalidate', etag: '"a"' }), HOUR);
  t.equal(keep({ etag: '"a"' }), HOUR, 'scar 5: also with no freshness at all');
  t.equal(keep({ 'cache-control': 'max-age=1', etag: '"a"' }, { rule: { keep: fixed(DAY) } }), DAY);
  t.equal(keep({ 'cache-control': 'max-age=1', etag: '"a"' }, { rule: { keep: fixed(0) } }), 0);
  t.equal(keep({ 'cache-control': 'max-age=1', etag: '"a"' }, { rule: { keep: bounded(DAY, undefined, 1000) } }), 1000);
});

t.test(
  'RFC 5861 §4: stale on an error is stale-if-error where the origin sent it, else that of the rule, else none',
  async (t) => {
    const error = (value: string, rule?: Partial<Rule>) => {
      const made = life({ 'cache-control': value }, rule === undefined ? {} : { rule });
      return (made.errorUntil - made.staleAt) / 1000;
    };
    t.equal(error('max-age=1'), 0);
    t.equal(error('max-age=1, stale-if-error=60'), 60);
    t.equal(error('max-age=1', { staleIfError: fixed(DAY) }), 86_400);
    t.equal(error('max-age=1, stale-if-error=60', { staleIfError: fixed(DAY) }), 60);
    t.equal(error('max-age=1, stale-if-error=99999', { staleIfError: bounded(1000, undefined, 5000) }), 5);
  },
);

t.test('scar 4: stale-if-error reaches through keep, and stretches it', async (t) => {
  const made = life({ 'cache-control': 'max-age=1, stale-if-error=86400' });
  t.equal(made.errorUntil - made.staleAt, DAY);
  t.equal(made.keepUntil, made.errorUntil);
});

t.test(
  'RFC 9111 §4.2.4: an unreachable origin leaves the response usable through keep, unless someone set a time',
  async (t) => {
    const silent = life({ 'cache-control': 'max-age=1' });
    t.equal(silent.unreachableUntil, silent.keepUntil);
    t.equal(silent.errorUntil, silent.staleAt, 'an error answer is no disconnection');
    const sent = life({ 'cache-control': 'max-age=1, stale-if-error=60' });
    t.equal(sent.unreachableUntil - sent.staleAt, 60_000);
    const zero = life({ 'cache-control': 'max-age=1, stale-if-error=0' });
    t.equal(zero.unreachableUntil, zero.staleAt);
    const ruled = life({ 'cache-control': 'max-age=1' }, { rule: { staleIfError: fixed(5000) } });
    t.equal(ruled.unreachableUntil - ruled.staleAt, 5000);
  },
);

const seconds = fc.oneof(fc.constantFrom(0, 1, 60), fc.integer({ min: 0, max: 2 ** 31 }));
const setting: fc.Arbitrary<DurationSetting> = fc.oneof(
  fc.constant<DurationSetting>({ kind: 'origin' }),
  fc.integer({ min: 0, max: 10 * DAY }).map(fixed),
  fc
    .tuple(...[0, 1, 2].map(() => fc.option(fc.integer({ min: 0, max: 10 * DAY }), { nil: undefined })))
    .map(([defaultMs, a, b]) => bounded(defaultMs, a, b === undefined ? undefined : Math.max(a ?? 0, b))),
);
/** One for all, or one for each state of the origin. */
const healthSetting = fc.oneof(
  setting,
  fc.record({ kind: fc.constant('by-health' as const), healthy: setting, unhealthy: setting }),
);
const directive = fc.oneof(
  fc.constantFrom('no-cache', 'must-revalidate', 'proxy-revalidate', 'public', 'no-cache="a"', 'max-age=x'),
  fc
    .tuple(fc.constantFrom('max-age', 's-maxage', 'stale-while-revalidate', 'stale-if-error'), seconds)
    .map(([name, value]) => `${name}=${value}`),
);
const anyLife: fc.Arbitrary<Life> = fc
  .record({
    status: fc.constantFrom(200, 301, 302, 404, 500, 599),
    control: fc.array(directive, { maxLength: 5 }),
    expires: fc.option(fc.oneof(fc.constant('0'), fc.integer({ min: -DAY, max: DAY }).map(date)), { nil: undefined }),
    lastModified: fc.option(fc.integer({ min: -1e8, max: 100 }).map(date), { nil: undefined }),
    isTargeted: fc.boolean(),
    initialAgeMs: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 100 * DAY })),
    ttl: setting,
    grace: healthSetting,
    keep: setting,
    staleIfError: healthSetting,
    staleDespite: fc.subarray<StaleForbiddance>(['must-revalidate', 'proxy-revalidate', 'no-cache', 's-maxage']),
  })
  .map(({ status, control, expires, lastModified, isTargeted, initialAgeMs, ...rule }) =>
    lifeOf({
      status,
      fields: Fields.of({
        [isTargeted ? 'CDN-Cache-Control' : 'Cache-Control']: control.join(', '),
        ...(expires === undefined ? {} : { Expires: expires }),
        ...(lastModified === undefined ? {} : { 'Last-Modified': lastModified }),
      }),
      rule: { ...ORIGIN_DECIDES, ...rule },
      initialAgeMs,
      receivedAt: NOW,
      receivedWall: WALL,
    }),
  );

t.test('design §1: phases never overlap: their instants are in order, whatever origin and rule say', async () => {
  fc.assert(
    fc.property(anyLife, (made) => {
      const { bornAt, staleAt, graceUntil, offlineGraceUntil, keepUntil, errorUntil, unreachableUntil } = made;
      return (
        bornAt <= NOW &&
        bornAt <= staleAt &&
        staleAt <= graceUntil &&
        graceUntil <= keepUntil &&
        staleAt <= offlineGraceUntil &&
        offlineGraceUntil <= keepUntil &&
        staleAt <= errorUntil &&
        errorUntil <= keepUntil &&
        staleAt <= unreachableUntil &&
        unreachableUntil <= keepUntil &&
        Object.entries(made).every(
          ([name, value]) => typeof value !== 'number' || name === 'ceilingAt' || Number.isFinite(value),
        )
      );
    }),
    { numRuns: 2000 },
  );
});

t.test('design §1: exactly one phase holds at each instant, and phases only go forward', async () => {
  const order = ['fresh', 'grace', 'keep', 'gone'];
  fc.assert(
    fc.property(anyLife, fc.array(fc.integer({ min: 0, max: 200 * DAY }), { maxLength: 8 }), (made, offsets) => {
      const edges = [made.staleAt, made.graceUntil, made.keepUntil].flatMap((at) => [at - 1, at, at + 1]);
      const instants = [...edges, ...offsets.map((offset) => made.bornAt + offset)]
        .filter((at) => at >= made.bornAt)
        .sort((a, b) => a - b);
      let last = 0;
      for (const now of instants) {
        const holding = [
          now < made.staleAt,
          made.staleAt <= now && now < made.graceUntil,
          made.graceUntil <= now && now < made.keepUntil,
          made.keepUntil <= now,
        ];
        const phase = order.indexOf(phaseAt(made, now));
        if (holding.filter(Boolean).length !== 1 || holding[phase] !== true || phase < last) return false;
        last = phase;
      }
      return true;
    }),
    { numRuns: 1000 },
  );
});

t.test(
  'promise 1: where the origin forbids stale use, no instant of stale use comes out, whatever the rule gives',
  async () => {
    fc.assert(
      fc.property(anyLife, (made) => {
        const { staleForbiddenBy, staleAt, graceUntil, offlineGraceUntil, errorUntil, unreachableUntil } = made;
        if (staleForbiddenBy === undefined || staleForbiddenBy === 's-maxage') return true;
        const instants = [graceUntil, offlineGraceUntil, errorUntil, unreachableUntil];
        return instants.every((instant) => instant === staleAt);
      }),
      { numRuns: 1000 },
    );
  },
);

t.test('issue 4: a lifetime by status: by number, by class, else other', async (t) => {
  const fixed = (ms: number) => ({ kind: 'fixed', ms }) as const;
  const ttl = {
    kind: 'by-status',
    statuses: { 200: fixed(1000), '4xx': fixed(2000), 302: fixed(3000) },
    other: fixed(4000),
  } as const;
  const at = (status: number, rule: Partial<Rule> = { ttl }) =>
    lifeOf({
      status,
      fields: Fields.empty,
      rule: { ...ORIGIN_DECIDES, ...rule },
      initialAgeMs: 0,
      receivedAt: NOW,
      receivedWall: WALL,
    });
  t.equal(at(200).staleAt - NOW, 1000);
  t.equal(at(404).staleAt - NOW, 2000);
  t.equal(at(403).staleAt - NOW, 2000, 'a status that is named may be given freshness');
  t.equal(at(302).staleAt - NOW, 3000);
  t.equal(at(301).staleAt - NOW, 4000);
  t.equal(at(500).staleAt - NOW, 0, 'the others are not for what a rule never makes fresh');
  const grace = { kind: 'by-status', statuses: { 404: fixed(7) }, other: { kind: 'origin' } } as const;
  t.equal(at(404, { grace }).graceUntil - NOW, 7);
  t.equal(at(200, { grace }).graceUntil - NOW, 0);
});

t.test('issue 4: grace and stale_if_error apart for a healthy and an unhealthy origin', async (t) => {
  const apart = (healthy: number, unhealthy: number) =>
    ({
      kind: 'by-health',
      healthy: { kind: 'fixed', ms: healthy },
      unhealthy: { kind: 'fixed', ms: unhealthy },
    }) as const;
  const made = lifeOf({
    status: 200,
    fields: Fields.of({ 'Cache-Control': 'max-age=1' }),
    rule: {
      ...ORIGIN_DECIDES,
      grace: apart(10, 5000),
      staleIfError: apart(20, 90_000_000),
      keep: { kind: 'fixed', ms: 0 },
    },
    initialAgeMs: 0,
    receivedAt: NOW,
    receivedWall: WALL,
  });
  const after = (instant: number) => instant - NOW - 1000;
  t.equal(after(made.graceUntil), 10);
  t.equal(after(made.offlineGraceUntil), 5000);
  t.equal(after(made.errorUntil), 20);
  t.equal(after(made.unreachableUntil), 90_000_000);
  t.equal(after(made.keepUntil), 90_000_000, 'kept for as long as it may be served');
});

t.test('issue 4: jitter shortens a ttl by chance, and never lengthens it', async () => {
  fc.assert(
    fc.property(
      fc.double({ min: 0, max: 1, noNaN: true }),
      fc.double({ min: 0, max: 0.999, noNaN: true }),
      (jitter, chance) => {
        const made = lifeOf({
          status: 200,
          fields: Fields.of({ 'Cache-Control': 'max-age=100' }),
          rule: { ...ORIGIN_DECIDES, jitter },
          initialAgeMs: 0,
          receivedAt: NOW,
          receivedWall: WALL,
          chance,
        });
        const ttl = made.staleAt - NOW;
        return ttl <= 100_000 && ttl >= Math.floor(100_000 * (1 - jitter)) && (jitter > 0 || ttl === 100_000);
      },
    ),
  );
});

t.test('issue 4: jitter takes from the time that a response is fresh, of whatever age it came', async (t) => {
  const jittered = life({ 'cache-control': 'max-age=100' }, { rule: { jitter: 0.5 }, chance: 0.5, ageMs: 20_000 });
  t.equal(jittered.staleAt - jittered.bornAt, 75_000);
});

t.test('issue 4: only under a rule that says so is a response asked about at each use', async (t) => {
  t.equal(life({ ETag: '"a"' }, { rule: { validate: 'always' } }).validateByRule, true);
  t.equal(life({ ETag: '"a"' }).validateByRule, false);
});

t.test('issue 4: max_staleness bounds the age at every phase, and leaves keep alone', async (t) => {
  const made = lifeOf({
    status: 200,
    fields: Fields.of({ 'Cache-Control': 'max-age=100', ETag: '"1"' }),
    rule: { ...ORIGIN_DECIDES, grace: { kind: 'fixed', ms: 3_600_000 }, maxStalenessMs: 150_000 },
    initialAgeMs: 30_000,
    receivedAt: NOW,
    receivedWall: WALL,
  });
  t.equal(made.staleAt - NOW, 70_000);
  t.equal(made.graceUntil - NOW, 120_000, 'the age that it came with counts');
  t.equal(made.unreachableUntil - NOW, 120_000);
  t.ok(made.keepUntil - NOW >= 3_600_000);
});
