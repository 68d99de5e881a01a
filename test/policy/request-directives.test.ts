/** Goal: what a client asks of caches is read as RFC 9111 §5.2.1 and §5.4 say; method: tables of request fields. */
import t from 'tap';
import { Fields } from '../../lib/http/fields.js';
import { NO_DIRECTIVES, type RequestDirectives, requestDirectives } from '../../lib/policy/request-directives.js';

type Record = Readonly<{ [name: string]: string | readonly string[] }>;

function directives(record: Record): RequestDirectives {
  return requestDirectives(Fields.of(record));
}

t.test('RFC 9111 §5.2.1: a request without Cache-Control and Pragma gives one shared record', async (t) => {
  t.equal(directives({}), NO_DIRECTIVES);
  t.equal(directives({ accept: 'a', host: 'b' }), NO_DIRECTIVES);
  t.ok(Object.isFrozen(NO_DIRECTIVES));
});

t.test('RFC 9111 §5.2.1: each request directive is read, in milliseconds', async (t) => {
  const table: readonly [value: string, over: Partial<RequestDirectives>][] = [
    ['no-cache', { noCache: true }],
    ['no-store', { noStore: true }],
    ['max-age=0', { maxAgeMs: 0 }],
    ['max-age=600', { maxAgeMs: 600_000 }],
    ['min-fresh=20', { minFreshMs: 20_000 }],
    ['max-stale=10', { maxStaleMs: 10_000 }],
    ['max-stale', { maxStaleMs: Number.POSITIVE_INFINITY }],
    ['only-if-cached', { onlyIfCached: true }],
    ['max-age=5, max-stale=9, no-store', { maxAgeMs: 5000, maxStaleMs: 9000, noStore: true }],
    ['no-transform, foo=bar', {}],
    ['max-age=x', { maxAgeMs: 0 }],
    ['no-cache="a"', { noCache: true }],
  ];
  for (const [value, over] of table)
    t.same(directives({ 'Cache-Control': value }), { ...NO_DIRECTIVES, ...over }, value);
});

t.test('RFC 9110 §5.3: several Cache-Control lines of a request count together', async (t) => {
  t.same(directives({ 'cache-control': ['no-cache', 'max-stale=1'] }), {
    ...NO_DIRECTIVES,
    noCache: true,
    maxStaleMs: 1000,
  });
});

t.test('RFC 5861 §4: stale-if-error counts in a request too', async (t) => {
  t.same(directives({ 'cache-control': 'stale-if-error=60' }), { ...NO_DIRECTIVES, staleIfErrorMs: 60_000 });
});

t.test('RFC 9111 §5.4: Pragma: no-cache is no-cache where there is no Cache-Control, and only there', async (t) => {
  const table: readonly [record: Record, noCache: boolean][] = [
    [{ pragma: 'no-cache' }, true],
    [{ Pragma: 'No-Cache' }, true],
    [{ pragma: 'x, no-cache' }, true],
    [{ pragma: ['x', 'no-cache'] }, true],
    [{ pragma: 'unrecognised-extension' }, false],
    [{ pragma: '"no-cache"' }, false],
    [{ pragma: 'no-cache=1' }, false],
    [{ pragma: 'no-cache', 'cache-control': 'max-stale=1' }, false],
    [{ pragma: 'no-cache', 'cache-control': '' }, false],
  ];
  for (const [record, noCache] of table) t.equal(directives(record).noCache, noCache, JSON.stringify(record));
});
