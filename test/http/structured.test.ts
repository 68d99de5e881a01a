/** Goal: targeted fields are read as structured fields and as nothing else; method: tables from the examples and the errors of RFC 9213. */
import t from 'tap';
import { type CacheControl, NO_CACHE_CONTROL } from '../../lib/http/cache-control.js';
import { parseCacheStatus, parseTargetedCacheControl } from '../../lib/http/structured.js';

function cc(over: Partial<CacheControl>): CacheControl {
  return { ...NO_CACHE_CONTROL, ...over };
}

t.test('RFC 9213 §2.1: each member of the Dictionary is a directive', async (t) => {
  const table: readonly [line: string, over: Partial<CacheControl>][] = [
    ['max-age=3600', { maxAge: 3600 }],
    ['max-age=2147483648', { maxAge: 2147483648 }],
    ['max-age=99999999999', { maxAge: 2147483648 }],
    ['foobar, max-age=3600', { maxAge: 3600 }],
    ['max-age=60, s-maxage=120', { maxAge: 60, sMaxage: 120 }],
    ['no-store', { noStore: true }],
    ['no-store=?1', { noStore: true }],
    ['no-store=?0, max-age=1', { maxAge: 1 }],
    ['no-cache', { noCache: true }],
    ['no-cache="Set-Cookie, x"', { noCacheFields: ['set-cookie', 'x'] }],
    ['private', { private: true }],
    ['private="x-user"', { privateFields: ['x-user'] }],
    ['must-revalidate, proxy-revalidate', { mustRevalidate: true, proxyRevalidate: true }],
    [
      'public, immutable, must-understand, no-transform',
      { public: true, immutable: true, mustUnderstand: true, noTransform: true },
    ],
    ['stale-while-revalidate=5, stale-if-error=6', { staleWhileRevalidate: 5, staleIfError: 6 }],
    ['max-age=1, max-age=5', { maxAge: 5 }],
    ['none', {}],
  ];
  for (const [line, over] of table) t.same(parseTargetedCacheControl([line]), cc(over), line);
});

t.test('RFC 9213 §2.1: parameters are ignored', async (t) => {
  t.same(parseTargetedCacheControl(['max-age=60;x=1;y, no-store;z']), cc({ maxAge: 60, noStore: true }));
});

t.test('RFC 9213 §2.1: several lines are one Dictionary', async (t) => {
  t.same(parseTargetedCacheControl(['max-age=60', 'no-cache']), cc({ maxAge: 60, noCache: true }));
});

t.test('RFC 9213 §2.1: a field that is absent, empty or does not parse is not there', async (t) => {
  t.equal(parseTargetedCacheControl([]), undefined);
  for (const line of [
    '',
    ' ',
    'max-age=10000, &&&&&',
    'max-age =100',
    'max-age= 100',
    'MaX-aGe=3600',
    'max-age=3600,',
    ', max-age=3600',
    'max-age=',
    'max-age=1.',
    'max-age="1',
    'max-age=1 no-store',
    'max-age=9999999999999999',
    'no-store=?2',
    'max-age=\u00e4',
    '"max-age"=1',
  ])
    t.equal(parseTargetedCacheControl([line]), undefined, JSON.stringify(line));
});

t.test('RFC 9213 §2.1: a lifetime of another type is not coerced to one', async (t) => {
  for (const value of ['"10000"', '3600.0', '3600.5', '-1', 'token', ':MTA=:', '@1', '(1 2)', '?1'])
    t.same(parseTargetedCacheControl([`max-age=${value}`]), cc({ maxAge: 0 }), value);
  t.same(parseTargetedCacheControl(['x=1.5, max-age=60']), cc({ maxAge: 60 }), 'a decimal elsewhere is no concern');
});

t.test('RFC 9213 §2.1: of a value of another type, what restricts holds and what permits does not', async (t) => {
  t.same(parseTargetedCacheControl(['private=("a" "b")']), cc({ private: true }));
  t.same(parseTargetedCacheControl(['private=x-user']), cc({ private: true }));
  t.same(parseTargetedCacheControl(['no-cache=1']), cc({ noCache: true }));
  t.same(parseTargetedCacheControl(['no-store="x"']), cc({ noStore: true }));
  t.same(parseTargetedCacheControl(['public=1, immutable="x"']), cc({}));
});

t.test('RFC 9213 §2: request directives mean nothing in a response', async (t) => {
  t.same(parseTargetedCacheControl(['only-if-cached, max-stale=5, min-fresh=5']), cc({}));
});

t.test('RFC 9211 §2: Cache-Status is read member by member', async (t) => {
  t.same(parseCacheStatus(['Origin; hit; ttl=1100', '"CDN Company Here"; fwd=uri-miss; collapsed=?0']), [
    {
      cache: 'Origin',
      parameters: new Map<string, unknown>([
        ['hit', true],
        ['ttl', 1100],
      ]),
    },
    {
      cache: 'CDN Company Here',
      parameters: new Map<string, unknown>([
        ['fwd', 'uri-miss'],
        ['collapsed', false],
      ]),
    },
  ]);
  for (const line of ['a; hit,', '1; hit', '(a b); hit', 'a; t=@1', 'a; b=;'])
    t.equal(parseCacheStatus([line]), undefined, line);
});
