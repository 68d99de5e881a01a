/** Goal: what is written in Cache-Status is what RFC 9211 allows; method: exact texts, and every entry read back by the structured-field library. */
import fc from 'fast-check';
import t from 'tap';
import { type CacheStatusEntry, formatCacheStatus } from '../../lib/http/cache-status.js';
import { parseCacheStatus } from '../../lib/http/structured.js';

t.test('RFC 9211 §2: each kind of answer has its member', async (t) => {
  const table: readonly [entry: CacheStatusEntry, text: string][] = [
    [{ kind: 'hit', ttlSec: 376, detail: 'fresh' }, 'patina; hit; ttl=376; detail=fresh'],
    [{ kind: 'hit', ttlSec: 0.9, detail: 'fresh' }, 'patina; hit; ttl=0; detail=fresh'],
    [
      { kind: 'hit', ttlSec: -412, detail: 'stale-while-revalidate' },
      'patina; hit; ttl=-412; detail=stale-while-revalidate',
    ],
    [{ kind: 'hit', ttlSec: -0.1, detail: 'max-stale' }, 'patina; hit; ttl=-1; detail=max-stale'],
    [{ kind: 'fwd', fwd: 'uri-miss', detail: 'no-store' }, 'patina; fwd=uri-miss; detail=no-store'],
    [
      { kind: 'fwd', fwd: 'stale', fwdStatus: 304, ttlSec: 60, stored: true, collapsed: true, detail: 'not-modified' },
      'patina; fwd=stale; fwd-status=304; ttl=60; stored; collapsed; detail=not-modified',
    ],
    [
      { kind: 'fwd', fwd: 'uri-miss', stored: false, collapsed: false, detail: 'private' },
      'patina; fwd=uri-miss; collapsed=?0; detail=private',
    ],
    [{ kind: 'none', detail: 'origin-refused' }, 'patina; detail=origin-refused'],
  ];
  for (const [entry, text] of table) t.equal(formatCacheStatus(entry), text);
});

t.test('what one miss says is not said of the next one that differs from it in one thing', async (t) => {
  const entry: CacheStatusEntry & { readonly kind: 'fwd' } = {
    kind: 'fwd',
    fwd: 'uri-miss',
    fwdStatus: 200,
    ttlSec: 60,
    stored: true,
    collapsed: undefined,
    detail: 'uri-miss',
  };
  const text = 'patina; fwd=uri-miss; fwd-status=200; ttl=60; stored; detail=uri-miss';
  const others: readonly [other: CacheStatusEntry, text: string][] = [
    [{ ...entry, fwd: 'stale' }, text.replace('fwd=uri-miss', 'fwd=stale')],
    [{ ...entry, fwdStatus: 404 }, text.replace('200', '404')],
    [{ ...entry, fwdStatus: undefined }, text.replace('; fwd-status=200', '')],
    [{ ...entry, ttlSec: 61 }, text.replace('60', '61')],
    [{ ...entry, stored: false }, text.replace('; stored', '')],
    [{ ...entry, collapsed: true }, text.replace('stored;', 'stored; collapsed;')],
    [{ ...entry, collapsed: false }, text.replace('stored;', 'stored; collapsed=?0;')],
    [{ ...entry, detail: 'expired' }, text.replace('detail=uri-miss', 'detail=expired')],
  ];
  for (const [other, otherText] of others) {
    t.equal(formatCacheStatus(entry), text);
    t.equal(formatCacheStatus({ ...entry }), text);
    t.equal(formatCacheStatus(other), otherText);
  }
});

const detail = fc.stringMatching(/^[a-z]{1,8}(-[a-z0-9]{1,8}){0,3}$/);
const seconds = fc.double({ min: -1e9, max: 1e9, noNaN: true });
const anyEntry: fc.Arbitrary<CacheStatusEntry> = fc.oneof(
  fc.record({ kind: fc.constant('hit' as const), ttlSec: seconds, detail }),
  fc.record({ kind: fc.constant('none' as const), detail }),
  fc.record({
    kind: fc.constant('fwd' as const),
    fwd: fc.constantFrom(
      ...(['bypass', 'method', 'uri-miss', 'vary-miss', 'miss', 'request', 'stale', 'partial'] as const),
    ),
    fwdStatus: fc.option(fc.integer({ min: 100, max: 599 }), { nil: undefined }),
    ttlSec: fc.option(seconds, { nil: undefined }),
    stored: fc.boolean(),
    collapsed: fc.option(fc.boolean(), { nil: undefined }),
    detail,
  }),
);

t.test('RFC 9211 §2.1: every entry is a valid structured field in which hit and fwd never meet', async (t) => {
  fc.assert(
    fc.property(anyEntry, (entry) => {
      const members = parseCacheStatus([formatCacheStatus(entry)]);
      const parameters = members?.[0]?.parameters;
      t.equal(members?.length, 1);
      t.equal(members?.[0]?.cache, 'patina');
      t.notOk(parameters?.has('hit') && parameters.has('fwd'));
      t.equal(parameters?.get('detail'), entry.detail);
      t.equal(parameters?.get('collapsed'), entry.kind === 'fwd' ? entry.collapsed : undefined);
      if (parameters?.has('ttl')) t.ok(Number.isInteger(parameters.get('ttl')));
    }),
    { numRuns: 200 },
  );
});
