/** Goal: the client's conditions are evaluated in the order and by the rules of RFC 9110 §13; method: tables. */
import t from 'tap';
import { formatHttpDate } from '../../lib/http/dates.js';
import { Fields } from '../../lib/http/fields.js';
import {
  evaluatePreconditions,
  ifRangeHolds,
  isConditional,
  notModifiedFields,
} from '../../lib/policy/precondition.js';
import { type FieldRecord, NOW } from './stored.kit.js';

const LM = 'Wed, 31 Dec 2025 10:00:00 GMT';
const BEFORE_LM = 'Wed, 31 Dec 2025 09:59:59 GMT';
const AFTER_LM = 'Wed, 31 Dec 2025 10:00:01 GMT';
const LM_850 = 'Wednesday, 31-Dec-25 10:00:00 GMT';
const LM_ASCTIME = 'Wed Dec 31 10:00:00 2025';
const DATE = formatHttpDate(NOW);

const TAGGED: FieldRecord = { ETag: '"a"', 'Last-Modified': LM, Date: DATE };
const WEAK: FieldRecord = { ETag: 'W/"a"', Date: DATE };
const DATED: FieldRecord = { 'Last-Modified': LM, Date: DATE };
const BARE: FieldRecord = { Date: DATE };

const VERDICTS = { 200: 'proceed', 304: 'not-modified', 412: 'precondition-failed' } as const;
interface Asserts {
  equal(found: unknown, wanted: unknown, message: string): boolean;
}
type Row = readonly [stored: FieldRecord, request: FieldRecord, status: keyof typeof VERDICTS];

function check(t: Asserts, rows: readonly Row[], method = 'GET', status = 200): void {
  for (const [fields, request, expected] of rows) {
    const stored = { status, fields: Fields.of(fields), receivedWall: NOW + 400 };
    const verdict = evaluatePreconditions(method, Fields.of(request), stored);
    t.equal(verdict, VERDICTS[expected], `${method} ${JSON.stringify(request)} on ${JSON.stringify(fields)}`);
  }
}

t.test('scar 12: RFC 9110 §13.1.2: If-None-Match matches lists and * by weak comparison', async (t) => {
  check(t, [
    [TAGGED, { 'If-None-Match': '"a"' }, 304],
    [TAGGED, { 'If-None-Match': 'W/"a"' }, 304],
    [TAGGED, { 'If-None-Match': '"b"' }, 200],
    [TAGGED, { 'If-None-Match': '"a", "b", "c"' }, 304],
    [TAGGED, { 'If-None-Match': '"b", "a", "c"' }, 304],
    [TAGGED, { 'If-None-Match': ['"b"', '"c", W/"a"'] }, 304],
    [TAGGED, { 'If-None-Match': '"a,b"' }, 200],
    [TAGGED, { 'If-None-Match': '*' }, 304],
    [TAGGED, { 'If-None-Match': '' }, 200],
    [TAGGED, { 'If-None-Match': 'a' }, 200],
    [WEAK, { 'If-None-Match': 'W/"a"' }, 304],
    [WEAK, { 'If-None-Match': '"a"' }, 304],
    [DATED, { 'If-None-Match': '"a"' }, 200],
    [DATED, { 'If-None-Match': '*' }, 304],
    [{ ETag: 'a' }, { 'If-None-Match': 'a' }, 304],
    [{ ETag: 'a' }, { 'If-None-Match': '"a"' }, 200],
    [{ ETag: '"\xfc"' }, { 'If-None-Match': '"\xfc"' }, 304],
  ]);
});

t.test('RFC 9110 §13.1.3: If-Modified-Since compares with Last-Modified, in every date form', async (t) => {
  check(t, [
    [DATED, { 'If-Modified-Since': LM }, 304],
    [DATED, { 'If-Modified-Since': AFTER_LM }, 304],
    [DATED, { 'If-Modified-Since': BEFORE_LM }, 200],
    [DATED, { 'If-Modified-Since': LM_850 }, 304],
    [DATED, { 'If-Modified-Since': LM_ASCTIME }, 304],
    [DATED, { 'If-Modified-Since': 'yesterday' }, 200],
    [DATED, { 'If-Modified-Since': '' }, 200],
    [DATED, { 'If-Modified-Since': [LM, LM] }, 200],
    [DATED, { 'If-Modified-Since': `${LM}, ${LM}` }, 200],
  ]);
});

t.test('RFC 9111 §4.3.2: without Last-Modified the Date stands for it, without Date the time of receipt', async (t) => {
  const before = formatHttpDate(NOW - 1000);
  check(t, [
    [BARE, { 'If-Modified-Since': DATE }, 304],
    [BARE, { 'If-Modified-Since': before }, 200],
    [{}, { 'If-Modified-Since': DATE }, 304],
    [{}, { 'If-Modified-Since': before }, 200],
    [{ 'Last-Modified': 'soon', Date: DATE }, { 'If-Modified-Since': before }, 200],
  ]);
});

t.test('RFC 9110 §13.1.3: If-Modified-Since is ignored beside If-None-Match', async (t) => {
  check(t, [
    [TAGGED, { 'If-None-Match': '"b"', 'If-Modified-Since': AFTER_LM }, 200],
    [TAGGED, { 'If-None-Match': '"a"', 'If-Modified-Since': BEFORE_LM }, 304],
  ]);
});

t.test('scar 12: RFC 9110 §13.1.1: If-Match compares strongly, * is whatever is stored', async (t) => {
  check(t, [
    [TAGGED, { 'If-Match': '"a"' }, 200],
    [TAGGED, { 'If-Match': '"b", "a"' }, 200],
    [TAGGED, { 'If-Match': '*' }, 200],
    [TAGGED, { 'If-Match': '"b"' }, 412],
    [TAGGED, { 'If-Match': 'W/"a"' }, 412],
    [WEAK, { 'If-Match': 'W/"a"' }, 412],
    [WEAK, { 'If-Match': '"a"' }, 412],
    [DATED, { 'If-Match': '"a"' }, 412],
    [DATED, { 'If-Match': '*' }, 200],
  ]);
});

t.test('RFC 9110 §13.1.4: If-Unmodified-Since compares with Last-Modified, and is ignored without one', async (t) => {
  check(t, [
    [DATED, { 'If-Unmodified-Since': LM }, 200],
    [DATED, { 'If-Unmodified-Since': AFTER_LM }, 200],
    [DATED, { 'If-Unmodified-Since': BEFORE_LM }, 412],
    [DATED, { 'If-Unmodified-Since': 'never' }, 200],
    [BARE, { 'If-Unmodified-Since': BEFORE_LM }, 200],
    [TAGGED, { 'If-Match': '"a"', 'If-Unmodified-Since': BEFORE_LM }, 200],
  ]);
});

t.test(
  'RFC 9110 §13.2.2: If-Match and If-Unmodified-Since come before If-None-Match and If-Modified-Since',
  async (t) => {
    check(t, [
      [TAGGED, { 'If-Match': '"b"', 'If-None-Match': '"a"' }, 412],
      [TAGGED, { 'If-Match': '"a"', 'If-None-Match': '"a"' }, 304],
      [TAGGED, { 'If-Unmodified-Since': BEFORE_LM, 'If-None-Match': '"a"' }, 412],
      [TAGGED, { 'If-Unmodified-Since': LM, 'If-Modified-Since': LM }, 304],
    ]);
  },
);

t.test(
  'RFC 9110 §13.2.2: HEAD is answered like GET; other methods get 412 and know no If-Modified-Since',
  async (t) => {
    check(
      t,
      [
        [TAGGED, { 'If-None-Match': '"a"' }, 304],
        [DATED, { 'If-Modified-Since': LM }, 304],
      ],
      'HEAD',
    );
    check(
      t,
      [
        [TAGGED, { 'If-None-Match': '"a"' }, 412],
        [DATED, { 'If-Modified-Since': LM }, 200],
      ],
      'POST',
    );
  },
);

t.test('RFC 9110 §13.2.1: conditions count only where the answer would be a 2xx', async (t) => {
  const rows: Row[] = [
    [TAGGED, { 'If-None-Match': '"a"' }, 200],
    [TAGGED, { 'If-Match': '"b"' }, 200],
  ];
  for (const status of [301, 404, 410, 500]) check(t, rows, 'GET', status);
  check(t, [[TAGGED, { 'If-None-Match': '"a"' }, 304]], 'GET', 203);
});

t.test('a request without conditions proceeds, and is known to have none', async (t) => {
  check(t, [
    [TAGGED, {}, 200],
    [TAGGED, { 'If-Range': '"b"' }, 200],
  ]);
  t.notOk(isConditional(Fields.of({ 'If-Range': '"a"', Range: 'bytes=0-' })));
  for (const name of ['If-Match', 'If-None-Match', 'If-Modified-Since', 'If-Unmodified-Since']) {
    t.ok(isConditional(Fields.of({ [name]: '' })), name);
  }
});

t.test('RFC 9110 §15.4.5: a 304 has what a cache is updated by, and no metadata of the representation', async (t) => {
  const stored = Fields.of({
    Date: DATE,
    'Content-Type': 'text/html',
    'Content-Length': '5',
    'Content-Encoding': 'gzip',
    'Content-Language': 'de',
    'Content-Location': '/x',
    'Cache-Control': 'max-age=1',
    ETag: '"a"',
    Expires: DATE,
    'Last-Modified': LM,
    Vary: ['Foo', 'Bar'],
    'Accept-Ranges': 'bytes',
    'X-Other': '1',
  });
  t.same(
    [...notModifiedFields(stored)].map(([name]) => name),
    ['Date', 'Content-Location', 'Cache-Control', 'ETag', 'Expires', 'Vary', 'Vary', 'X-Other'],
  );
  t.same(notModifiedFields(Fields.of(DATED)).raw, ['Last-Modified', LM, 'Date', DATE], 'the only validator stays');
});

t.test('RFC 9110 §13.1.5: If-Range holds for the same strong tag, or exactly the same strong date', async (t) => {
  const table: readonly [stored: FieldRecord, ifRange: string | undefined, holds: boolean][] = [
    [TAGGED, undefined, true],
    [TAGGED, '"a"', true],
    [TAGGED, '"b"', false],
    [TAGGED, 'W/"a"', false],
    [WEAK, 'W/"a"', false],
    [WEAK, '"a"', false],
    [BARE, '"a"', false],
    [TAGGED, LM, true],
    [DATED, LM, true],
    [DATED, LM_850, false],
    [DATED, AFTER_LM, false],
    [DATED, BEFORE_LM, false],
    [{ 'Last-Modified': LM, Date: LM }, LM, false],
    [{ 'Last-Modified': LM, Date: AFTER_LM }, LM, true],
    [{ 'Last-Modified': LM }, LM, false],
    [{ 'Last-Modified': LM_850, Date: DATE }, LM_850, true],
    [{ 'Last-Modified': 'x', Date: DATE }, 'x', false],
    [BARE, DATE, false],
    [TAGGED, '', false],
  ];
  for (const [fields, ifRange, holds] of table) {
    const request = Fields.of(ifRange === undefined ? {} : { 'If-Range': ifRange });
    t.equal(
      ifRangeHolds(request, { fields: Fields.of(fields), receivedWall: NOW }),
      holds,
      JSON.stringify([fields, ifRange]),
    );
  }
});
