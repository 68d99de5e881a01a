/**
 * Why Patina answers each check of the suite as it does, and why it does not pass the required and optimal tests that
 * it does not pass. Each reason names the section that it rests on; the page is made from this.
 */

export interface Reason {
  readonly section: string;
  readonly why: string;
}

export interface Departure extends Reason {
  /** What the suite's repository says of the test today. */
  readonly upstream: string;
}

type Row = readonly [id: string, section: string, why: string];

function reasonsOf(rows: readonly Row[]): ReadonlyMap<string, Reason> {
  return new Map(rows.map(([id, section, why]) => [id, { section, why }]));
}

function each(ids: readonly string[], section: string, why: string): Row[] {
  return ids.map((id) => [id, section, why]);
}

const AGE = 'RFC 9111 §5.1';
const LIFETIME = 'RFC 9111 §4.2.1';
const HEURISTIC = 'RFC 9111 §4.2.2';
const STALE = 'RFC 9111 §4.2.4';
const DATE = 'RFC 9111 §4.2';
const EXPIRES = 'RFC 9111 §5.3';
const FRESHEN = 'RFC 9111 §4.3.4';
const HEAD = 'RFC 9111 §4.3.5';
const ETAG = 'RFC 9110 §8.8.3';
const COMPARE = 'RFC 9110 §8.8.3.2';
const TARGETED = 'RFC 9213 §2.1';

const DELTAS = [5, 10, 30, 60, 300, 600, 1200, 1800, 3600, 43_200, 86_400];
const METHODS = ['POST', 'PUT', 'DELETE', 'M-SEARCH'];
const TWO_AGES = ['stale-fresh', 'fresh-stale'].flatMap((order) => [`${order}-sameline`, `${order}-sepline`]);
const BODY_FIELDS = ['Content-Encoding', 'Content-MD5', 'Content-Range'];
const OTHER_FIELDS = [
  ...['Content-Location', 'Content-Security-Policy', 'Content-Type', 'Clear-Site-Data', 'Expires', 'Public-Key-Pins'],
  ...['Set-Cookie', 'Set-Cookie2', 'X-Frame-Options', 'X-XSS-Protection'],
];

const FRESHNESS: readonly Row[] = [
  ['freshness-none', HEURISTIC, 'Without Last-Modified there is nothing to guess a lifetime from.'],
  [
    'freshness-max-age-date',
    'RFC 9111 §4.2.3',
    'The apparent age counts: what was generated two hours ago is that old.',
  ],
  ['freshness-max-age-quoted', 'RFC 9111 §5.2', 'A recipient takes the quoted form of an argument for the token.'],
  ...each(
    ['freshness-max-age-decimal-zero', 'freshness-max-age-decimal-five'],
    'RFC 9111 §1.2.2',
    'Seconds are digits alone. A lifetime that is no such number is invalid, and the response stale (§4.2.1).',
  ),
  ...each(
    ['freshness-max-age-space-before-equals', 'freshness-max-age-space-after-equals'],
    'RFC 9111 §5.2',
    'The grammar has no space there. The directive was meant and has no valid argument: stale (§4.2.1).',
  ),
  ...each(['freshness-max-age-a100', 'freshness-max-age-100a'], LIFETIME, 'Not a number, so the response is stale.'),
  ...each(
    ['freshness-max-age-multiple-line', 'freshness-max-age-multiple-directive'],
    LIFETIME,
    'Of two lifetimes the shorter holds, here 1800 s; that is never longer than the first.',
  ),
  ...each(
    TWO_AGES.map((order) => `freshness-max-age-two-${order}`),
    LIFETIME,
    'Of two lifetimes the shorter holds, whatever their order: a response that contradicts itself may count as stale.',
  ),
  ...each(
    ['age-parse-parameter', 'age-parse-numeric-parameter'],
    AGE,
    'A value with a parameter is no non-negative integer, and an invalid Age is ignored.',
  ),
  ...DELTAS.map((delta): Row => {
    const outcome = delta < 60 ? 'over before the second request, 3 s later' : 'still running at the second request';
    return [
      `heuristic-delta-${delta}`,
      HEURISTIC,
      `A tenth of the time since Last-Modified: ${delta / 10} s, ${outcome}.`,
    ];
  }),
];

const EXPIRES_ROWS: readonly Row[] = [
  ...each(
    ['freshness-expires-32bit', 'freshness-expires-far-future'],
    'RFC 9110 §5.6.7',
    'In this release the date has no comma, so it is none. With the comma, as upstream now asks, it is reused.',
  ),
  ...each(
    ['freshness-expires-rfc850', 'freshness-expires-ansi-c'],
    'RFC 9110 §5.6.7',
    'Recipients read the two obsolete forms as well.',
  ),
  ...each(
    ['weekday', 'month', 'tz'].map((part) => `freshness-expires-wrong-case-${part}`),
    DATE,
    'Caches read dates without regard to case.',
  ),
  ...each(
    ['freshness-expires-invalid-utc', 'freshness-expires-invalid-aest'],
    DATE,
    'A zone other than GMT makes the date invalid, and an invalid date is in the past (§5.3).',
  ),
  ...each(
    [
      ...['2-digit-year', 'no-comma', 'multiple-spaces', 'date-dashes', 'time-periods'],
      ...['1-digit-hour', 'multiple-lines'],
    ].map((fault) => `freshness-expires-invalid-${fault}`),
    EXPIRES,
    'Not a date of any of the three forms, so a time in the past.',
  ),
];

const REQUESTS: readonly Row[] = [
  ...each(['ccreq-ma0', 'ccreq-ma1'], 'RFC 9111 §5.2.1.1', 'Older than the client accepts: the origin is asked.'),
  ['ccreq-magreaterage', 'RFC 9111 §5.2.1.1', 'The age that caches upstream have added counts too.'],
  ...each(
    ['ccreq-max-stale', 'ccreq-max-stale-age'],
    'RFC 9111 §5.2.1.2',
    'The client accepts this staleness, and the origin does not forbid it.',
  ),
  ...each(
    ['ccreq-min-fresh', 'ccreq-min-fresh-age'],
    'RFC 9111 §5.2.1.3',
    'Not fresh for as long as the client wants: the origin is asked.',
  ),
  ['ccreq-no-cache', 'RFC 9111 §5.2.1.4', 'The client wants the origin to be asked.'],
  ...each(
    ['ccreq-no-cache-lm', 'ccreq-no-cache-etag'],
    'RFC 9111 §5.2.1.4',
    'The origin is asked by condition, so that its 304 suffices.',
  ),
  ['ccreq-no-store', 'RFC 9111 §5.2.1.5', 'It forbids to store the answer to this request, not to use what is stored.'],
  ['ccreq-oic', 'RFC 9111 §5.2.1.7', 'Nothing stored, and the origin may not be asked: 504.'],
  [
    'pragma-request-no-cache',
    'RFC 9111 §5.4',
    'Alone it is a no-cache, for that is all an old client can say; beside Cache-Control it is ignored. The release ' +
      'sends it alone, upstream beside Cache-Control.',
  ],
  ['pragma-request-extension', 'RFC 9111 §5.4', 'It has no meaning here.'],
  ...each(
    ['pragma-response-no-cache', 'pragma-response-no-cache-heuristic', 'pragma-response-extension'],
    'RFC 9111 §5.4',
    'Pragma was never defined for responses.',
  ),
];

const STALE_ROWS: readonly Row[] = [
  [
    'stale-close',
    STALE,
    'The origin cannot be reached and nothing forbids stale use; Age and Cache-Status tell of it.',
  ],
  [
    'stale-503',
    STALE,
    'The origin did answer. Stale in place of a 503 takes stale-if-error, from the origin or a rule.',
  ],
  ...each(
    ['stale-sie-close', 'stale-sie-503'],
    'RFC 5861 §4',
    'The origin allowed it with stale-if-error, within its time.',
  ),
  ...each(
    ['stale-warning-stored', 'stale-warning-become'],
    'RFC 9111 §5.5',
    'Warning is obsolete. Cache-Status tells it, with a ttl below zero.',
  ),
];

const CONDITIONS: readonly Row[] = [
  [
    'conditional-etag-strong-respond-obs-text',
    COMPARE,
    'Tags are compared byte by byte. On Node.js the origin of the test sends this one as UTF-8, its client as Latin-1.',
  ],
  ...each(
    ['conditional-etag-quoted-respond-unquoted', 'conditional-etag-unquoted-respond-quoted'],
    ETAG,
    'The quotes are part of a tag: with them and without are two tags.',
  ),
  ...each(
    ['unquoted-respond-unquoted', 'weak-respond-lowercase', 'weak-respond-backslash', 'weak-respond-omit-slash'].map(
      (form) => `conditional-etag-${form}`,
    ),
    COMPARE,
    'No entity-tag by the grammar, yet both sides sent the same bytes, and they identify what they identified.',
  ),
  [
    'conditional-etag-vary-headers-mismatch',
    'RFC 9111 §4.3.1',
    'The tags of all variants go along, so that the origin may say which of them answers this request.',
  ],
  [
    'conditional-etag-strong-generate-unquoted',
    'RFC 9111 §4.3.1',
    'A validator goes back byte for byte as it came: the origin compares it with its own.',
  ],
  [
    'conditional-etag-forward',
    'RFC 9110 §13.2.1',
    'With nothing stored the whole response is fetched, for all who wait; the condition of this client is answered from it.',
  ],
  [
    'conditional-etag-forward-unquoted',
    'RFC 9110 §13.2.1',
    "Not asked: the suite asks this where a client's condition is forwarded.",
  ],
];

const UPDATES: readonly Row[] = [
  ...each(
    ['no-cache-single', 'no-cache'].map((form) => `headers-omit-headers-listed-in-Cache-Control-${form}`),
    'RFC 9111 §5.2.2.4',
    'Fields that a qualified no-cache names do not go out without validation, so they are not stored.',
  ),
  ...each(
    BODY_FIELDS.map((name) => `304-etag-update-response-${name}`),
    'RFC 9111 §3.2',
    'It describes the stored body, which stays as it is.',
  ),
  ...each(
    OTHER_FIELDS.map((name) => `304-etag-update-response-${name}`),
    'RFC 9111 §3.2',
    'Each field of a 304 replaces the stored one, but for those that describe the body.',
  ),
  [
    '304-etag-update-response-ETag',
    FRESHEN,
    'Its strong tag is that of no stored response, so it may update none. The origin is asked again without ' +
      'conditions, which the suite calls a retry.',
  ],
  [
    'head-writethrough',
    HEAD,
    'HEAD is answered from the stored GET. Once stale, that is validated by GET, which can also replace it.',
  ],
  ...each(
    ['head-200-retain', 'head-200-freshness-update', 'head-200-update', 'head-410-update'],
    HEAD,
    'Not asked: the suite asks this where HEAD is forwarded.',
  ),
  ...each(
    METHODS.flatMap((method) => [`invalidate-${method}-location`, `invalidate-${method}-cl`]),
    'RFC 9111 §4.4',
    'The answer to an unsafe request names another resource of the same origin that it may have changed.',
  ),
  ['partial-use-stored-headers', 'RFC 9111 §3.4', 'A range from the store carries the stored fields.'],
];

const OTHERS: readonly Row[] = [
  ['other-age-delay', 'RFC 9111 §4.2.3', 'The time that the answer took counts as its age.'],
  ['other-date-update-expires-update', EXPIRES, 'Fields go out as they were stored.'],
  ...each(
    ['other-heuristic-content-disposition-attachment', 'other-fresh-content-disposition-attachment'],
    'RFC 9111 §3',
    'Content-Disposition has no bearing on caching.',
  ),
  ...each(
    ['cdn-max-age-space-before-equals', 'cdn-max-age-space-after-equals'],
    TARGETED,
    'Not a Dictionary, so the field counts as not sent and Cache-Control governs.',
  ),
  [
    'cdn-max-age-case-insensitive',
    TARGETED,
    'Keys of a Dictionary are in lower case (RFC 9651 §3.2). The field does not parse and counts as not sent.',
  ],
  ['cdn-remove-header', 'RFC 9213 §3', 'Other CDN caches between here and the client are its target as well.'],
  ['cdn-remove-age-exceed', AGE, 'Age is told on every answer from the store, whatever it makes of Cache-Control.'],
  ['cdn-date-update-exceed', 'RFC 9110 §6.6.1', 'Date is when the origin made the response.'],
  ['cdn-expires-update-exceed', EXPIRES, 'Fields go out as they were stored.'],
  ...each(
    ['surrogate-max-age-space-before-equals', 'surrogate-max-age-space-after-equals'],
    'none (W3C Note of 2001)',
    'Not asked: Surrogate-Control is no part of HTTP; RFC 9213 has taken its place.',
  ),
  ['surrogate-append-capabilities', 'none (W3C Note of 2001)', 'Surrogate-Capability belongs to Surrogate-Control.'],
  ['surrogate-remove-header', 'none (W3C Note of 2001)', 'Passed on like any field that has no meaning here.'],
];

/** By test id, for every test of kind check. */
export const REASONS: ReadonlyMap<string, Reason> = reasonsOf([
  ...FRESHNESS,
  ...EXPIRES_ROWS,
  ...REQUESTS,
  ...STALE_ROWS,
  ...CONDITIONS,
  ...UPDATES,
  ...OTHERS,
]);
