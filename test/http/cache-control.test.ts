/** Goal: Cache-Control is read to the letter of RFC 9111 §5.2, and what is broken is read restrictively; method: tables, and fast-check for the round trip. */
import fc from 'fast-check';
import t from 'tap';
import {
  type CacheControl,
  cacheControlOf,
  MAX_DELTA_SECONDS,
  NO_CACHE_CONTROL,
  parseCacheControl,
  parseDeltaSeconds,
} from '../../lib/http/cache-control.js';
import { Fields } from '../../lib/http/fields.js';

/** The directives as one field value; empty where there is none. */
function formatCacheControl(control: CacheControl): string {
  const parts: string[] = [];
  if (control.public) parts.push('public');
  if (control.private) parts.push('private');
  if (control.privateFields !== undefined) parts.push(`private="${control.privateFields.join(', ')}"`);
  if (control.noStore) parts.push('no-store');
  if (control.noCache) parts.push('no-cache');
  if (control.noCacheFields !== undefined) parts.push(`no-cache="${control.noCacheFields.join(', ')}"`);
  if (control.maxAge !== undefined) parts.push(`max-age=${control.maxAge}`);
  if (control.sMaxage !== undefined) parts.push(`s-maxage=${control.sMaxage}`);
  if (control.mustRevalidate) parts.push('must-revalidate');
  if (control.proxyRevalidate) parts.push('proxy-revalidate');
  if (control.mustUnderstand) parts.push('must-understand');
  if (control.immutable) parts.push('immutable');
  if (control.noTransform) parts.push('no-transform');
  if (control.staleWhileRevalidate !== undefined) parts.push(`stale-while-revalidate=${control.staleWhileRevalidate}`);
  if (control.staleIfError !== undefined) parts.push(`stale-if-error=${control.staleIfError}`);
  if (control.minFresh !== undefined) parts.push(`min-fresh=${control.minFresh}`);
  if (control.maxStale !== undefined)
    parts.push(control.maxStale === Number.POSITIVE_INFINITY ? 'max-stale' : `max-stale=${control.maxStale}`);
  if (control.onlyIfCached) parts.push('only-if-cached');
  return parts.join(', ');
}

function cc(over: Partial<CacheControl>): CacheControl {
  return { ...NO_CACHE_CONTROL, ...over };
}

t.test('RFC 9111 §5.2: no field line gives the shared empty record', async (t) => {
  t.equal(parseCacheControl([]), NO_CACHE_CONTROL);
  t.ok(Object.isFrozen(NO_CACHE_CONTROL));
  t.same(parseCacheControl(['']), NO_CACHE_CONTROL);
  t.equal(formatCacheControl(NO_CACHE_CONTROL), '');
});

t.test('RFC 9111 §5.2.1, §5.2.2: each directive is known by its name in any case', async (t) => {
  const table: readonly [line: string, over: Partial<CacheControl>][] = [
    ['max-age=3600', { maxAge: 3600 }],
    ['MaX-aGe=3600', { maxAge: 3600 }],
    ['s-maxage=10', { sMaxage: 10 }],
    ['no-store', { noStore: true }],
    ['No-StOrE', { noStore: true }],
    ['no-cache', { noCache: true }],
    ['private', { private: true }],
    ['must-revalidate', { mustRevalidate: true }],
    ['proxy-revalidate', { proxyRevalidate: true }],
    ['must-understand', { mustUnderstand: true }],
    ['public', { public: true }],
    ['immutable', { immutable: true }],
    ['no-transform', { noTransform: true }],
    ['stale-while-revalidate=5', { staleWhileRevalidate: 5 }],
    ['stale-if-error=6', { staleIfError: 6 }],
    ['min-fresh=7', { minFresh: 7 }],
    ['max-stale=8', { maxStale: 8 }],
    ['only-if-cached', { onlyIfCached: true }],
    ['foobar, max-age=3600', { maxAge: 3600 }],
    [',, max-age=3600 ,, public ,', { maxAge: 3600, public: true }],
    ['max-age=1\t,\tno-cache', { maxAge: 1, noCache: true }],
  ];
  for (const [line, over] of table) t.same(parseCacheControl([line]), cc(over), line);
});

t.test('RFC 9110 §5.3: several lines are one list', async (t) => {
  t.same(
    parseCacheControl(['max-age=3600', 'must-revalidate', '', 'private="a"']),
    cc({ maxAge: 3600, mustRevalidate: true, privateFields: ['a'] }),
  );
});

t.test('RFC 9111 §5.2: an argument may be a token or a quoted string', async (t) => {
  t.equal(parseCacheControl(['max-age="3600"']).maxAge, 3600);
  t.equal(parseCacheControl(['max-age="36\\00"']).maxAge, 3600, 'an escape means the character');
  t.same(parseCacheControl(['no-cache=foo']).noCacheFields, ['foo'], 'a token where a quoted string is due');
});

t.test('RFC 9111 §5.2: what stands inside a quoted string is no directive', async (t) => {
  t.equal(parseCacheControl(['extension="max-age=3600", max-age=1']).maxAge, 1);
  t.equal(parseCacheControl(['max-age=1, extension="max-age=3600"']).maxAge, 1);
  t.equal(parseCacheControl(['extension="a, no-store, max-age=3600", max-age="1"']).maxAge, 1);
  t.equal(parseCacheControl(['extension="a, no-store"']).noStore, false);
});

t.test('RFC 9111 §1.2.2: delta-seconds are digits alone, and too large a number counts as 2^31', async (t) => {
  const table: readonly [text: string, seconds: number | undefined][] = [
    ['0', 0],
    ['1', 1],
    ['003600', 3600],
    ['2147483647', 2147483647],
    ['2147483648', 2147483648],
    ['2147483649', 2147483648],
    ['99999999999', 2147483648],
    ['9'.repeat(400), 2147483648],
    ['', undefined],
    ['-1', undefined],
    ['+1', undefined],
    ['1.0', undefined],
    ['1e3', undefined],
    ['0x10', undefined],
    [' 1', undefined],
    ['1\n', undefined],
    ['a1', undefined],
    ['1a', undefined],
    ['١', undefined],
  ];
  for (const [text, seconds] of table) t.equal(parseDeltaSeconds(text), seconds, JSON.stringify(text));
  t.equal(MAX_DELTA_SECONDS, 2147483648);
});

t.test('RFC 9111 §4.2.1: a lifetime that is not a number of seconds makes the response stale', async (t) => {
  const broken = [
    "max-age='3600'",
    'max-age',
    'max-age=',
    'max-age=""',
    'max-age=-3600',
    'max-age=3600.0',
    'max-age=3600.5',
    'max-age=a3600',
    'max-age=3600a',
    'max-age =3600',
    'max-age= 3600',
    'max-age=" 3600"',
    'max-age="3600',
    'max-age=36 00',
  ];
  for (const line of broken) t.same(parseCacheControl([line]), cc({ maxAge: 0 }), line);
  t.equal(parseCacheControl(['s-maxage=x, max-age=10']).sMaxage, 0);
  t.equal(parseCacheControl(['stale-while-revalidate=soon']).staleWhileRevalidate, 0);
  t.equal(parseCacheControl(['stale-if-error']).staleIfError, 0);
});

t.test('RFC 9111 §4.2.1: of two values for one lifetime the shorter holds, never more than the first', async (t) => {
  t.equal(parseCacheControl(['max-age=1800, max-age=1']).maxAge, 1);
  t.equal(parseCacheControl(['max-age=1, max-age=1800']).maxAge, 1);
  t.equal(parseCacheControl(['max-age=1800', 'max-age=1']).maxAge, 1);
  t.equal(parseCacheControl(['max-age=60', 'max-age=60']).maxAge, 60);
  t.equal(parseCacheControl(['max-age=60, max-age=x']).maxAge, 0);
});

t.test('RFC 9111 §5.2.1: of two wishes of a client for one thing the stricter holds', async (t) => {
  t.equal(parseCacheControl(['min-fresh=5, min-fresh=50']).minFresh, 50);
  t.equal(parseCacheControl(['max-stale, max-stale=9']).maxStale, 9);
  t.equal(parseCacheControl(['max-stale=9, max-stale']).maxStale, 9);
});

t.test('RFC 9111 §5.2.1.2: max-stale without an argument accepts any staleness; with a broken one, none', async (t) => {
  t.equal(parseCacheControl(['max-stale']).maxStale, Number.POSITIVE_INFINITY);
  t.equal(parseCacheControl(['max-stale=x']).maxStale, 0);
});

t.test('RFC 9111 §5.2.1.3: a min-fresh that says no number is not there', async (t) => {
  for (const line of ['min-fresh', 'min-fresh=x', 'min-fresh=-1']) t.same(parseCacheControl([line]), cc({}), line);
});

t.test('RFC 9111 §5.2.2.4, §5.2.2.7: the qualified forms list fields, the unqualified mean the whole', async (t) => {
  const table: readonly [line: string, over: Partial<CacheControl>][] = [
    ['no-cache="Set-Cookie"', { noCacheFields: ['set-cookie'] }],
    ['no-cache="a, B ,,c"', { noCacheFields: ['a', 'b', 'c'] }],
    ['no-cache="a", no-cache="b"', { noCacheFields: ['a', 'b'] }],
    ['no-cache="a", no-cache', { noCache: true, noCacheFields: ['a'] }],
    ['private="x-user"', { privateFields: ['x-user'] }],
    ['private="a", max-age=1', { privateFields: ['a'], maxAge: 1 }],
  ];
  for (const [line, over] of table) t.same(parseCacheControl([line]), cc(over), line);
});

t.test('RFC 9111 §5.2.2.7: a qualified form whose list is broken restricts the whole response', async (t) => {
  for (const argument of ['', '""', '" "', '","', '"a b"', '"a', ' "a"', '"a=b"']) {
    t.same(parseCacheControl([`private=${argument}`]), cc({ private: true }), `private=${argument}`);
    t.same(parseCacheControl([`no-cache=${argument}`]), cc({ noCache: true }), `no-cache=${argument}`);
  }
  t.same(parseCacheControl(['private ="a"']), cc({ private: true }), 'white space before the equals sign');
});

t.test(
  'RFC 9111 §5.2: with an argument that is not allowed, what restricts holds and what permits does not',
  async (t) => {
    t.same(parseCacheControl(['no-store=1']), cc({ noStore: true }));
    t.same(parseCacheControl(['must-revalidate="x"']), cc({ mustRevalidate: true }));
    t.same(parseCacheControl(['proxy-revalidate=0']), cc({ proxyRevalidate: true }));
    for (const line of ['public=1', 'must-understand=""', 'immutable=x', 'public =x'])
      t.same(parseCacheControl([line]), cc({}), line);
  },
);

t.test(
  'RFC 9110 §5.6.4: behind a quote that is never closed what restricts holds, and what permits does not',
  async (t) => {
    t.same(parseCacheControl(['max-age=60, x="abc, no-store']), cc({ maxAge: 60, noStore: true }));
    t.same(parseCacheControl(['x="a\\", private, No-Cache=c']), cc({ private: true, noCache: true }));
    t.same(parseCacheControl(['x="a, public, max-age=60, s-maxage=1']), cc({}));
    t.same(parseCacheControl(['x="a, no-store", max-age=1']), cc({ maxAge: 1 }), 'one that is closed quotes');
    t.same(parseCacheControl(['x="a\\", no-store", max-age=1']), cc({ maxAge: 1 }));
  },
);

t.test('RFC 9111 §5.2.3: what is unknown or no directive at all is ignored', async (t) => {
  for (const line of ['x', 'x=y', '"no-store"', 'no store', 'no_store', '=3600', '=', 'constructor', '__proto__=1'])
    t.same(parseCacheControl([line]), cc({}), line);
});

const seconds = fc.option(fc.integer({ min: 0, max: MAX_DELTA_SECONDS }), { nil: undefined });
const names = fc.option(fc.array(fc.stringMatching(/^[a-z][a-z0-9-]{0,12}$/), { minLength: 1, maxLength: 4 }), {
  nil: undefined,
});
const anyControl: fc.Arbitrary<CacheControl> = fc.record({
  maxAge: seconds,
  sMaxage: seconds,
  noStore: fc.boolean(),
  noCache: fc.boolean(),
  noCacheFields: names,
  private: fc.boolean(),
  privateFields: names,
  mustRevalidate: fc.boolean(),
  proxyRevalidate: fc.boolean(),
  mustUnderstand: fc.boolean(),
  public: fc.boolean(),
  immutable: fc.boolean(),
  noTransform: fc.boolean(),
  staleWhileRevalidate: seconds,
  staleIfError: seconds,
  minFresh: seconds,
  maxStale: fc.oneof(seconds, fc.constant(Number.POSITIVE_INFINITY)),
  onlyIfCached: fc.boolean(),
});

t.test('RFC 9111 §5.2: parse and print of Cache-Control round-trips, in one line or in many', async (t) => {
  fc.assert(
    fc.property(anyControl, (control) => {
      const text = formatCacheControl(control);
      t.same(parseCacheControl([text]), control);
      t.same(parseCacheControl([text.toUpperCase()]), control, 'in any case');
    }),
    { numRuns: 200 },
  );
});

t.test('RFC 9111 §5.2: any bytes at all are read without a throw, and print to what reads the same', async (t) => {
  const piece = fc.constantFrom('max-age', 'no-cache', 'private', 'max-stale', '=', '"', '\\', ',', ' ', '1', 'x', '-');
  fc.assert(
    fc.property(
      fc.array(
        fc.array(piece).map((pieces) => pieces.join('')),
        { maxLength: 3 },
      ),
      (lines) => {
        const control = parseCacheControl(lines);
        t.same(parseCacheControl([formatCacheControl(control)]), control);
      },
    ),
    { numRuns: 300 },
  );
});

t.test('RFC 9111 §5.2: of a field section all lines count, be there none, one or several', async (t) => {
  for (const lines of [[], ['max-age=5'], ['max-age=5', 'no-store'], ['private="a', 'public"']]) {
    const fields = Fields.of({ A: 'b', 'Cache-Control': lines });
    t.same(cacheControlOf(fields), parseCacheControl(lines), lines.join(' | '));
  }
});
