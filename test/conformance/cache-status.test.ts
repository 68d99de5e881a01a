// Goal: a run notices an answer whose Cache-Status does not explain it. Method: a table of fields.
import t from 'tap';
import { cacheStatusFault, checkCacheStatus } from './cache-status.js';

const VALID = [
  'patina; hit; ttl=10; detail=fresh',
  'patina; hit; ttl=-3; detail=grace',
  'patina; fwd=stale; fwd-status=304; ttl=60; stored; collapsed; detail=revalidated',
  'patina; detail=only-if-cached',
  'OriginCache; hit, patina; fwd=uri-miss; detail=uri-miss',
];

const INVALID: readonly (readonly [line: string, fault: RegExp])[] = [
  ['patina; hit; fwd=stale; detail=x', /^hit and fwd together/],
  ['patina; fwd=stale; detail=x, Other; hit', /^the last member is Other/],
  ['patina; fwd=because; detail=x', /^fwd=because is no reason/],
  ['patina; hit; ttl=1.5; detail=x', /^ttl=1.5 is no integer/],
  ['patina; hit; fwd-status=304; detail=x', /^fwd-status without fwd/],
  ['patina; hit; stored; detail=x', /^stored without fwd/],
  ['patina; hit=?0; detail=x', /^hit is false/],
  ['patina; hit; ttl=1', /^no detail/],
  ['patina; hit; ; detail', /^not a list/],
  ['patina; hit "x"', /^not a list/],
  ['17; hit; detail=x', /^not a list/],
];

t.test('RFC 9211 §2: an allowed list with our member last has no fault', async (t) => {
  for (const line of VALID) t.equal(cacheStatusFault([['Cache-Status', line]]), undefined, line);
  t.equal(
    cacheStatusFault([
      ['cache-status', 'OriginCache; hit'],
      ['Cache-Status', 'patina; fwd=uri-miss; detail=uri-miss'],
    ]),
    undefined,
    'lines are one list',
  );
});

t.test(
  'RFC 9211 §2.1, §2.2: hit beside fwd, what belongs to fwd beside hit, and what does not parse are faults',
  async (t) => {
    for (const [line, fault] of INVALID) t.match(cacheStatusFault([['Cache-Status', line]]), fault, line);
    t.match(cacheStatusFault([['Age', '1']]), 'no Cache-Status');
  },
);

t.test('every answer is counted, and a request without one is not', async (t) => {
  const base = { method: 'GET', url: 'http://127.0.0.1/test/1', requestFields: [] };
  const report = checkCacheStatus({
    good: [{ ...base, status: 200, responseFields: [['Cache-Status', 'patina; hit; ttl=1; detail=fresh']] }],
    bad: [
      { ...base, status: 200, responseFields: [] },
      { ...base, error: 'no answer' },
    ],
  });
  t.same(report, { answerCount: 2, faults: ['bad: GET /test/1: no Cache-Status'] });
});
