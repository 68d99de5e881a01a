/** Goal: each clause of RFC 9111 §3, and each safety of the design, decides what is stored, with its own reason; method: tables of requests, responses and rules. */
import t from 'tap';
import { ORIGIN_DECIDES, type Rule } from '../../lib/config/rule.js';
import { formatHttpDate } from '../../lib/http/dates.js';
import { Fields } from '../../lib/http/fields.js';
import { isBoundToRequest, judgeStorable, type StorableVerdict } from '../../lib/policy/storable.js';

const WALL = Date.UTC(2026, 0, 1);

type Record = Readonly<{ [name: string]: string | readonly string[] }>;

interface Setup {
  readonly method?: string;
  readonly request?: Record;
  readonly status?: number;
  readonly rule?: Partial<Rule>;
}

function date(offsetSec: number): string {
  return formatHttpDate(WALL + offsetSec * 1000);
}

function judge(record: Record, { method = 'GET', request = {}, status = 200, rule }: Setup = {}): StorableVerdict {
  return judgeStorable({
    method,
    requestFields: Fields.of(request),
    status,
    fields: Fields.of(record),
    rule: { ...ORIGIN_DECIDES, ...rule },
    receivedWall: WALL,
  });
}

/** `stored`, or the reason why not. */
function outcome(record: Record, setup?: Setup): string {
  const verdict = judge(record, setup);
  return verdict.store ? 'stored' : verdict.reason;
}

function storedFields(record: Record, setup?: Setup): readonly string[] {
  const verdict = judge(record, setup);
  return verdict.store ? verdict.fields.raw : [verdict.reason];
}

const FRESH = { 'Cache-Control': 'max-age=3600' };

t.test('RFC 9111 §3: the request method is one that this cache understands', async (t) => {
  t.equal(outcome(FRESH), 'stored');
  t.equal(outcome(FRESH, { method: 'HEAD' }), 'stored');
  for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS', 'TRACE', 'PATCH', 'QUERY', 'get'])
    t.equal(outcome(FRESH, { method }), 'method', method);
});

t.test('RFC 9110 §9.3.3: whether a POST is cached is for the rule that its request came by to say', async (t) => {
  const judged = (isCachedPost: boolean | undefined, methods: Rule['methods']) =>
    judgeStorable({
      method: 'POST',
      requestFields: Fields.empty,
      status: 200,
      fields: Fields.of(FRESH),
      rule: { ...ORIGIN_DECIDES, methods },
      ...(isCachedPost === undefined ? {} : { isCachedPost }),
      receivedWall: WALL,
    }).store;
  t.equal(judged(true, ['GET']), true);
  t.equal(judged(false, ['GET', 'POST']), false);
  t.equal(judged(undefined, ['GET', 'POST']), true);
  t.equal(judged(undefined, ['GET']), false);
});

t.test('RFC 9111 §3: only final statuses are stored, parts and 304 are not stored as they are', async (t) => {
  for (const status of [100, 101, 102, 103]) t.equal(outcome(FRESH, { status }), 'not-final', `${status}`);
  t.equal(outcome({ ...FRESH, 'Content-Range': 'bytes 0-1/2' }, { status: 206 }), 'partial');
  t.equal(outcome(FRESH, { status: 304 }), 'not-modified');
});

t.test('RFC 9111 §3: any other final status is stored with explicit freshness, known or not', async (t) => {
  const statuses = [200, 203, 204, 299, 301, 302, 303, 307, 308, 400, 404, 410, 499, 500, 502, 503, 504, 599];
  for (const status of statuses) {
    t.equal(outcome({ Expires: date(100_000), Date: date(0) }, { status }), 'stored', `${status}`);
    t.equal(outcome({ 'CDN-Cache-Control': 'max-age=10' }, { status }), 'stored', `${status}, CDN-Cache-Control`);
  }
});

t.test('RFC 6585 §3-6: a status that answers this one request is not stored for others', async (t) => {
  for (const status of [407, 412, 416, 417, 428, 429, 431, 511])
    t.equal(outcome({ 'Cache-Control': 'public, max-age=60' }, { status }), 'status-bound-to-request', `${status}`);
});

t.test('RFC 9111 §5.2.2.3: must-understand stores known statuses, even beside no-store, and no others', async (t) => {
  const both = { 'Cache-Control': 'max-age=3600, no-store, must-understand' };
  const alone = { 'Cache-Control': 'max-age=3600, must-understand' };
  for (const record of [both, alone]) {
    for (const status of [200, 301, 404, 503]) t.equal(outcome(record, { status }), 'stored', `${status}`);
    for (const status of [299, 499, 599]) t.equal(outcome(record, { status }), 'status-not-understood', `${status}`);
    t.equal(outcome(record, { status: 206 }), 'partial');
  }
  t.equal(outcome({ 'Cache-Control': 'must-understand, no-store, private, max-age=1' }), 'private');
});

t.test('RFC 9111 §5.2.2.5: no-store is not stored, whatever stands beside it', async (t) => {
  for (const value of ['no-store', 'No-StOrE', 'max-age=10000, no-store', 'public, no-store', 'no-store=1'])
    t.equal(outcome({ 'Cache-Control': value, Expires: date(10_000), ETag: '"a"' }), 'no-store', value);
});

t.test('RFC 9111 §5.2.1.5: a response to a request with no-store is not stored', async (t) => {
  t.equal(outcome(FRESH, { request: { 'Cache-Control': 'no-store' } }), 'request-no-store');
  t.equal(outcome(FRESH, { request: { 'Cache-Control': 'no-cache' } }), 'stored');
});

t.test('RFC 9111 §5.2.2.7: private is not stored; its qualified form stores the rest', async (t) => {
  t.equal(outcome({ 'Cache-Control': 'private, max-age=3600' }), 'private');
  t.equal(outcome({ 'Cache-Control': 'private, public, s-maxage=3600' }), 'private');
  t.equal(outcome({ 'Cache-Control': 'private="", max-age=3600' }), 'private');
  const record = { 'Cache-Control': 'private="X-User, x-plan", max-age=3600', 'x-user': 'ann', 'X-Plan': 'b', A: '1' };
  t.same(storedFields({ ...record, Date: date(0) }), [
    'Cache-Control',
    'private="X-User, x-plan", max-age=3600',
    'A',
    '1',
    'Date',
    date(0),
  ]);
});

t.test('RFC 9111 §5.2.2.4: the fields that a qualified no-cache names are not stored', async (t) => {
  const record = { 'Cache-Control': ['no-cache="a, b"', 'max-age=3600'], a: '1', b: '2', c: '3', Date: date(0) };
  t.same(storedFields(record), [
    'Cache-Control',
    'no-cache="a, b"',
    'Cache-Control',
    'max-age=3600',
    'c',
    '3',
    'Date',
    date(0),
  ]);
});

t.test(
  'promise 1: a response is not stored without a field that says to whom it may go or how it is to be read',
  async (t) => {
    for (const name of ['Vary', 'Content-Encoding', 'Content-Type', 'Cache-Control', 'CDN-Cache-Control']) {
      t.equal(outcome({ 'Cache-Control': `no-cache="${name}", max-age=9`, Vary: 'a' }), 'field-withheld', name);
      t.equal(outcome({ 'Cache-Control': `private="x, ${name}", max-age=9`, Vary: 'a' }), 'field-withheld', name);
    }
  },
);

t.test('RFC 9111 §3.5: with Authorization only public, must-revalidate and s-maxage allow sharing', async (t) => {
  const request = { Authorization: 'Basic Zm9v' };
  const table: readonly [record: Record, verdict: string][] = [
    [{ 'Cache-Control': 'max-age=3600' }, 'authorization'],
    [{ Expires: date(2_592_000), Date: date(0) }, 'authorization'],
    [{ ETag: '"a"' }, 'authorization'],
    [{ 'Cache-Control': 'max-age=3600, proxy-revalidate' }, 'authorization'],
    [{ 'Cache-Control': 'max-age=3600, public' }, 'stored'],
    [{ 'Cache-Control': 'max-age=3600, must-revalidate' }, 'stored'],
    [{ 'Cache-Control': 's-maxage=3600' }, 'stored'],
    [{ 'CDN-Cache-Control': 'max-age=3600', 'Cache-Control': 'public' }, 'authorization'],
    [{ 'CDN-Cache-Control': 'max-age=3600, public' }, 'stored'],
    [{ 'Cache-Control': 'private, s-maxage=3600' }, 'private'],
  ];
  for (const [record, verdict] of table) t.equal(outcome(record, { request }), verdict, JSON.stringify(record));
  t.equal(outcome(FRESH, { request, rule: { ttl: { kind: 'fixed', ms: 1000 } } }), 'authorization', 'no ttl lifts it');
});

t.test('RFC 9213 §2.2: a valid CDN-Cache-Control decides instead of Cache-Control', async (t) => {
  const table: readonly [record: Record, verdict: string][] = [
    [{ 'CDN-Cache-Control': 'max-age=10000', 'Cache-Control': 'no-store' }, 'stored'],
    [{ 'CDN-Cache-Control': 'max-age=10000', 'Cache-Control': 'private' }, 'stored'],
    [{ 'CDN-Cache-Control': 'no-store', 'Cache-Control': 'max-age=10000', Expires: date(10_000) }, 'no-store'],
    [{ 'CDN-Cache-Control': 'private', 'Cache-Control': 'max-age=10000', Expires: date(10_000) }, 'private'],
    [{ 'CDN-Cache-Control': 'max-age=10000, &&&&&', 'Cache-Control': 'no-store' }, 'no-store'],
    [{ 'CDN-Cache-Control': 'max-age="10000"', 'Cache-Control': 'no-store' }, 'no-freshness'],
    [{ 'CDN-Cache-Control': 'none', 'Cache-Control': 'max-age=10', Expires: date(10) }, 'no-freshness'],
    [{ 'CDN-Cache-Control': 'no-cache', 'Cache-Control': 'max-age=10', ETag: '"a"' }, 'stored'],
    [{ 'CDN-Cache-Control': '', 'Cache-Control': 'max-age=10' }, 'stored'],
  ];
  for (const [record, verdict] of table) t.equal(outcome(record), verdict, JSON.stringify(record));
});

t.test('RFC 9111 §3: without explicit freshness the status or public must allow it', async (t) => {
  const record = { 'Last-Modified': date(-86_400), Date: date(0) };
  for (const status of [200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501])
    t.equal(outcome(record, { status }), 'stored', `${status}`);
  for (const status of [201, 202, 302, 303, 307, 400, 403, 500, 502, 503, 504, 599]) {
    t.equal(outcome(record, { status }), 'not-cacheable', `${status}`);
    t.equal(outcome({ ...record, ETag: '"a"' }, { status }), 'not-cacheable', `${status}: a validator does not`);
    t.equal(outcome({ ...record, 'Cache-Control': 'public' }, { status }), 'stored', `${status} with public`);
  }
});

t.test('design §1: a rule makes cacheable what is no error', async (t) => {
  const fixed = { ttl: { kind: 'fixed', ms: 60_000 } } as const;
  const byDefault = { ttl: { kind: 'bounded', defaultMs: 5000, minMs: undefined, maxMs: undefined } } as const;
  for (const rule of [fixed, byDefault]) {
    for (const status of [200, 302, 307, 404]) t.equal(outcome({}, { status, rule }), 'stored', `${status}`);
    for (const status of [201, 403, 500, 503]) t.equal(outcome({}, { status, rule }), 'not-cacheable', `${status}`);
    t.equal(outcome({ 'Cache-Control': 'no-store' }, { rule }), 'no-store', 'and no ttl lifts no-store');
    t.equal(outcome({ 'Cache-Control': 'private' }, { rule }), 'private');
  }
});

t.test('scar 5: what is stale at birth is stored where it can be validated', async (t) => {
  for (const validator of [{ ETag: '"a"' }, { ETag: 'W/"a"' }, { 'Last-Modified': date(-10) }] as readonly Record[]) {
    for (const freshness of [{ 'Cache-Control': 'max-age=0' }, { 'Cache-Control': 'no-cache' }, { Expires: '0' }])
      t.equal(outcome({ ...freshness, ...validator }), 'stored', JSON.stringify({ ...freshness, ...validator }));
  }
  t.equal(outcome({ ETag: '"a"' }), 'stored', 'no freshness at all');
});

t.test('design §1: what is neither fresh nor to be validated is stored only where stale use is allowed', async (t) => {
  const table: readonly [value: string, verdict: string][] = [
    ['', 'no-freshness'],
    ['public', 'no-freshness'],
    ['max-age=0', 'no-freshness'],
    ['max-age=0, must-revalidate', 'no-freshness'],
    ['max-age=0, must-revalidate, stale-if-error=60', 'no-freshness'],
    ['max-age=0, stale-if-error=60', 'stored'],
    ['max-age=0, stale-while-revalidate=60', 'stored'],
    ['s-maxage=0, stale-while-revalidate=60', 'stored'],
    ['max-age=1', 'stored'],
    ['max-age=10, must-revalidate', 'stored'],
    ['max-age=10, no-cache', 'no-cache'],
  ];
  for (const [value, verdict] of table) t.equal(outcome({ 'Cache-Control': value }), verdict, value);
  const graced = { grace: { kind: 'fixed', ms: 1000 } } as const;
  t.equal(outcome({ 'Cache-Control': 'max-age=0' }, { rule: graced }), 'stored', 'grace of a rule');
  t.equal(outcome({}, { rule: graced }), 'no-freshness', 'silence of the origin is not made stale by grace');
  t.equal(outcome({ 'Last-Modified': '0', 'Cache-Control': 'max-age=0' }), 'no-freshness', 'an invalid validator');
});

t.test('RFC 9111 §4.1: Vary with * is not stored, since nothing selects it', async (t) => {
  for (const value of ['*', 'Accept, *', ['Accept', '*']]) t.equal(outcome({ ...FRESH, Vary: value }), 'vary-star');
  t.equal(outcome({ ...FRESH, Vary: 'Accept, Foo' }), 'stored');
});

t.test('design §7: Set-Cookie is refused, stripped or shared as the rule says', async (t) => {
  const record = { ...FRESH, 'Set-Cookie': ['a=b', 'c=d'], Date: date(0) };
  t.equal(outcome(record), 'set-cookie');
  t.equal(outcome(record, { rule: { ttl: { kind: 'fixed', ms: 1000 } } }), 'set-cookie', 'no ttl lifts it');
  t.same(storedFields(record, { rule: { setCookie: 'strip' } }), ['Cache-Control', 'max-age=3600', 'Date', date(0)]);
  t.ok(storedFields(record, { rule: { setCookie: 'share' } }).includes('c=d'));
});

t.test(
  'RFC 9111 §5.2.2.4, §5.2.2.7: a Set-Cookie that the origin itself keeps from sharing is no ground to refuse',
  async (t) => {
    for (const directive of ['no-cache', 'private']) {
      const record = { 'Cache-Control': `${directive}="Set-Cookie", max-age=9`, 'Set-Cookie': 'a=b', Date: date(0) };
      t.notOk(storedFields(record).includes('a=b'), directive);
      t.equal(outcome(record), 'stored', directive);
    }
  },
);

t.test(
  'promise 1: a response to a request with Cookie is shared only where the origin declared its freshness',
  async (t) => {
    const request = { Cookie: 'sid=1' };
    const lastModified = { 'Last-Modified': date(-86_400), Date: date(0) };
    const byDefault = { ttl: { kind: 'bounded', defaultMs: 5000, minMs: undefined, maxMs: 9000 } } as const;
    const table: readonly [record: Record, rule: Partial<Rule> | undefined, verdict: string][] = [
      [FRESH, undefined, 'stored'],
      [{ Expires: date(60) }, undefined, 'stored'],
      [{ 'CDN-Cache-Control': 'max-age=60' }, undefined, 'stored'],
      [{ 'Cache-Control': 'max-age=0', ETag: '"a"' }, undefined, 'stored'],
      [lastModified, undefined, 'cookie-heuristic'],
      [{ ...lastModified, 'Cache-Control': 'public' }, undefined, 'cookie-heuristic'],
      [{ ETag: '"a"' }, undefined, 'cookie-heuristic'],
      [{ ETag: '"a"', 'Cache-Control': 'no-cache' }, undefined, 'cookie-heuristic'],
      [{}, byDefault, 'cookie-heuristic'],
      [lastModified, byDefault, 'cookie-heuristic'],
      [FRESH, byDefault, 'stored'],
      [{}, { ttl: { kind: 'fixed', ms: 1000 } }, 'cookie-heuristic'],
      [{}, { ttl: { kind: 'fixed', ms: 1000 }, shareWithCookie: true }, 'stored'],
      [lastModified, { shareWithCookie: true }, 'stored'],
    ];
    for (const [record, rule, verdict] of table)
      t.equal(outcome(record, rule === undefined ? { request } : { request, rule }), verdict, JSON.stringify(record));
  },
);

t.test(
  'RFC 9111 §3.1: all fields are stored, unknown ones too, but for those of one client or one moment',
  async (t) => {
    const record = {
      'Cache-Control': 'max-age=9',
      'X-Unknown': ['1', '2'],
      Age: '5',
      'Proxy-Authenticate': 'Basic',
      'Proxy-Authentication-Info': 'x',
      'Proxy-Authorization': 'y',
      Date: date(0),
    };
    t.same(storedFields(record), ['Cache-Control', 'max-age=9', 'X-Unknown', '1', 'X-Unknown', '2', 'Date', date(0)]);
  },
);

t.test('RFC 9110 §6.6.1: a Date that is missing or invalid is supplied, one that is valid stays', async (t) => {
  t.same(storedFields(FRESH), ['Cache-Control', 'max-age=3600', 'Date', date(0)]);
  t.same(storedFields({ ...FRESH, Date: 'foo' }), ['Cache-Control', 'max-age=3600', 'Date', date(0)]);
  t.same(storedFields({ Date: date(-90), ...FRESH }), ['Date', date(-90), 'Cache-Control', 'max-age=3600']);
});

t.test('promise 1: a reason that lies in one request is told apart from one that lies in the response', async (t) => {
  for (const reason of ['method', 'request-no-store', 'authorization', 'cookie-heuristic', 'status-bound-to-request'])
    t.equal(isBoundToRequest(reason), true, reason);
  for (const reason of ['no-store', 'private', 'set-cookie', 'vary-star', 'no-freshness', 'not-cacheable', 'other'])
    t.equal(isBoundToRequest(reason), false, reason);
});

t.test('issue 4: each safety override lifts one refusal, and the verdict names it', async (t) => {
  const ttl = { kind: 'fixed', ms: 1000 } as const;
  const table: readonly [Record, Record | undefined, Partial<Rule>, string, readonly string[]][] = [
    [{ 'Cache-Control': 'private, max-age=9' }, undefined, {}, 'private', []],
    [{ 'Cache-Control': 'private, max-age=9' }, undefined, { sharePrivate: true }, 'stored', ['sharePrivate']],
    [
      { 'Cache-Control': 'private, max-age=9' },
      undefined,
      { shareAuthorized: true, shareWithCookie: true },
      'private',
      [],
    ],
    [FRESH, { Authorization: 'x' }, { sharePrivate: true }, 'authorization', []],
    [FRESH, { Authorization: 'x' }, { shareAuthorized: true }, 'stored', ['shareAuthorized']],
    [{ 'Cache-Control': 'public, max-age=9' }, { Authorization: 'x' }, { shareAuthorized: true }, 'stored', []],
    [{}, { Cookie: 'a=b' }, { ttl, shareWithCookie: true }, 'stored', ['shareWithCookie']],
    [FRESH, { Cookie: 'a=b' }, { shareWithCookie: true }, 'stored', []],
    [
      { 'Cache-Control': 'private' },
      { Cookie: 'a=b', Authorization: 'x' },
      { ttl, sharePrivate: true, shareAuthorized: true, shareWithCookie: true },
      'stored',
      ['sharePrivate', 'shareAuthorized', 'shareWithCookie'],
    ],
    [{ 'Cache-Control': 'no-store' }, undefined, { sharePrivate: true }, 'no-store', []],
  ];
  for (const [record, request, rule, expected, despite] of table) {
    const verdict = judge(record, request === undefined ? { rule } : { request, rule });
    t.equal(verdict.store ? 'stored' : verdict.reason, expected, JSON.stringify([record, request, rule]));
    t.same(verdict.store ? verdict.despite : [], despite);
  }
});
