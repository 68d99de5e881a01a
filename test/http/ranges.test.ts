/** Goal: Range and Content-Range mean what RFC 9110 §14 says; method: tables over one length, fast-check for bounds. */
import fc from 'fast-check';
import t from 'tap';
import { MAX_RANGES } from '../../lib/base/limits.js';
import { parseContentRange, parseRange } from '../../lib/http/ranges.js';

function rangesOf(value: string, total: number): unknown {
  const request = parseRange(value, total);
  return request.kind === 'ranges' ? request.ranges.map(({ from, until }) => [from, until]) : request.kind;
}

t.test('RFC 9110 §14.1.2: first-last, open and suffix ranges select these bytes of ten', async (t) => {
  const table: readonly [value: string, expected: unknown][] = [
    ['bytes=0-4', [[0, 5]]],
    ['bytes=9-9', [[9, 10]]],
    ['bytes=3-', [[3, 10]]],
    ['bytes=3-99', [[3, 10]]],
    ['bytes=3-99999999999999999999', [[3, 10]]],
    ['bytes=-3', [[7, 10]]],
    ['bytes=-99', [[0, 10]]],
    ['Bytes=0-0', [[0, 1]]],
    [
      'bytes=0-0, 4-5,-1',
      [
        [0, 1],
        [4, 6],
        [9, 10],
      ],
    ],
    [
      'bytes=-1,0-0',
      [
        [9, 10],
        [0, 1],
      ],
    ],
    [
      'bytes=0-0,,3-3,',
      [
        [0, 1],
        [3, 4],
      ],
    ],
    ['bytes=0-0,50-60', [[0, 1]]],
  ];
  for (const [value, expected] of table) t.same(rangesOf(value, 10), expected, value);
});

t.test('scar 12: an unknown unit or bad syntax is ignored, never a 416', async (t) => {
  const table = [
    'items=0-4',
    'bytes',
    'bytes=',
    'bytes=,',
    'bytes =0-1',
    'bytes=4-3',
    'bytes=a-b',
    'bytes=1',
    'bytes=--1',
    'bytes=0-1, 4-3',
    'bytes=0-1;2-3',
    'bytes=0-1, bytes=2-3',
    'bytes=+1-2',
    'bytes=1.0-2',
  ];
  for (const value of table) t.equal(rangesOf(value, 10), 'ignore', value);
});

t.test('RFC 9110 §14.1.2: ranges that all lie outside are unsatisfiable', async (t) => {
  for (const value of ['bytes=10-', 'bytes=10-20', 'bytes=-0', 'bytes=99-,-0']) {
    t.equal(rangesOf(value, 10), 'unsatisfiable', value);
  }
  t.equal(rangesOf('bytes=0-', 0), 'unsatisfiable');
  t.equal(rangesOf('bytes=-5', 0), 'ignore', 'no Content-Range can say the last five of nothing');
});

t.test('RFC 9110 §15.3.7.2: ranges that share bytes are joined, the others keep the order asked for', async (t) => {
  t.same(rangesOf('bytes=0-4,2-6', 10), [[0, 7]]);
  t.same(rangesOf('bytes=0-1,8-9,1-8', 10), [[0, 10]]);
  t.same(rangesOf('bytes=8-9,0-1,0-3', 10), [
    [8, 10],
    [0, 4],
  ]);
  t.same(
    rangesOf('bytes=0-1,2-3', 10),
    [
      [0, 2],
      [2, 4],
    ],
    'neighbours share nothing',
  );
});

t.test('RFC 9110 §17.15: more ranges than the limit get the whole', async (t) => {
  const many = (count: number) => `bytes=${Array.from({ length: count }, (_, i) => `${2 * i}-${2 * i}`).join(',')}`;
  t.equal(parseRange(many(MAX_RANGES), 1e6).kind, 'ranges');
  t.equal(parseRange(many(MAX_RANGES + 1), 1e6).kind, 'ignore');
});

t.test('property: ranges lie within the representation, are not empty and share no byte', async () => {
  const spec = fc.oneof(
    fc.tuple(fc.nat(60), fc.nat(60)).map(([a, b]) => `${Math.min(a, b)}-${Math.max(a, b)}`),
    fc.nat(60).map((n) => `${n}-`),
    fc.nat(60).map((n) => `-${n}`),
  );
  fc.assert(
    fc.property(fc.array(spec, { minLength: 1, maxLength: 20 }), fc.nat(50), (specs, total) => {
      const request = parseRange(`bytes=${specs.join(',')}`, total);
      if (request.kind !== 'ranges') return true;
      const covered = new Set<number>();
      for (const { from, until } of request.ranges) {
        if (from < 0 || until > total || from >= until) return false;
        for (let at = from; at < until; at++) {
          if (covered.has(at)) return false;
          covered.add(at);
        }
      }
      return true;
    }),
  );
});

t.test('RFC 9110 §14.4: Content-Range of a part, of an unknown length, of a 416', async (t) => {
  t.same(parseContentRange('bytes 0-4/10'), { kind: 'part', from: 0, until: 5, totalBytes: 10 });
  t.same(parseContentRange('bytes 0-4/*'), { kind: 'part', from: 0, until: 5, totalBytes: undefined });
  t.same(parseContentRange('bytes */10'), { kind: 'unsatisfied', totalBytes: 10 });
});

t.test('RFC 9110 §14.4: an invalid Content-Range is none', async (t) => {
  const table = [
    '',
    'bytes',
    'bytes 4-0/10',
    'bytes 0-10/10',
    'bytes */*',
    'items 0-4/10',
    'bytes=0-4/10',
    'bytes 0-4',
  ];
  table.push('bytes 0-99999999999999999999/*', 'bytes -4/10', 'bytes 0-4/10, bytes 5-9/10');
  for (const value of table) t.equal(parseContentRange(value), undefined, value);
});

t.test('a Content-Range whose length cannot be counted on from is none', async (t) => {
  t.equal(parseContentRange(`bytes 0-4/${Number.MAX_SAFE_INTEGER}`), undefined);
  t.equal(parseContentRange(`bytes */${Number.MAX_SAFE_INTEGER}`), undefined);
  t.match(parseContentRange(`bytes 0-4/${Number.MAX_SAFE_INTEGER - 1}`), { totalBytes: Number.MAX_SAFE_INTEGER - 1 });
});
