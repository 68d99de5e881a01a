/**
 * The closed table of reason codes: what Cache-Status gives as `detail`, the log as `reason` and the metrics as a
 * label, each with one sentence for people. A code that is not here is counted as `other`.
 * Implements RFC 9211 §2.8.
 */
import type { OriginFailure } from '../base/errors.js';

/** Why a stored response was used, or had to be validated first. */
const REUSE = {
  fresh: 'The stored response is fresh.',
  'stale-while-revalidate': 'The stored response is within its grace; it is served while one request refreshes it.',
  'stale-while-offline':
    'The stored response is within the grace for an origin that cannot be reached; it is served without waiting.',
  'max-stale': 'The client accepts a response that is this stale.',
  'past-grace': 'The stored response is past its grace and has to be validated before use.',
  'max-staleness': 'The stored response is older than the rule ever allows, and has to be validated before use.',
  'past-keep': 'The stored response is past its keep time and of no further use.',
  'no-cache': 'The origin demands that the response is validated before every use.',
  'validate-always': 'The rule has the origin asked at every use.',
  'must-revalidate': 'The stored response is stale, and must-revalidate forbids its use without validation.',
  'proxy-revalidate': 'The stored response is stale, and proxy-revalidate forbids its use without validation.',
  's-maxage': 'The stored response is stale, and s-maxage forbids its use without validation.',
  'request-no-cache': 'The client demands an answer that was just validated.',
  'request-max-age': 'The client wants a younger response than the stored one.',
  'request-min-fresh': 'The client wants a response that stays fresh for longer than the stored one.',
  'request-max-stale': 'The client does not accept a response that is this stale.',
  'request-condition':
    'A condition of the client does not hold for the stored response, which is stale: what is current decides.',
} as const;

/** What became of a request that went to the origin. */
const LOOKUP = {
  'uri-miss': 'Nothing is stored for this URL.',
  'vary-miss': 'Responses are stored for this URL, but none for these request fields.',
  'cold-accepted': 'Nothing is stored yet; the origin is at work, and the client was told to come back.',
  'cold-ready': 'The origin has done its work; the client is sent to the content.',
  'cold-failed': 'The origin failed at the work that the client was told to come back for.',
  'status-unknown': 'No work is known by this name.',
  stored: 'The response was stored.',
  unchanged: 'The response was stored; its body is the one that was stored before.',
  revalidated: 'The origin answered 304, and the stored response was freshened.',
  elsewhere: 'The origin was not asked: another cache has, or had, the answer.',
  superseded: 'A purge or an update came while the origin was asked, and wins.',
  'not-kept': 'Another worker sends it and this one keeps no copy of it, so each client has it sent anew.',
  'only-if-cached': 'The client wants a stored response only, and none can be used.',
} as const;

/** What became of a PURGE or REFRESH on the main listener. */
const OPERATORS = {
  'operator-purged': 'An operator purged what was stored for this URL.',
  'operator-purging': 'An operator purged it, and a tier that cannot be reached for now may still have it.',
  'operator-refreshing': 'An operator has what is stored for this URL refreshed.',
  'operator-nothing': 'An operator named a URL for which nothing is stored.',
  'operator-busy': 'Too many refreshes of operators are under way.',
  'operator-address': 'PURGE and REFRESH are not for the address of this client.',
  'operator-token': 'PURGE and REFRESH need the token of the operators, and the request does not show it.',
  'operator-no-token': 'PURGE and REFRESH need the token of the operators, and none is configured.',
} as const;

/** Why a response was not stored, or a request went past the cache. */
const UNCACHEABLE = {
  'conditional-post': 'A POST with a condition or a range goes to the origin, which knows what it means.',
  'content-too-large': 'The content of this POST is too large to be part of a key.',
  method: 'Requests with this method go to the origin, and their responses are not stored.',
  'rule-pass': 'The rule lets requests go past the cache.',
  'query-not-exact': 'The rule caches one exact request alone, and this one has other parameters.',
  'key-too-long': 'What the rule puts into the key of this request is too long.',
  'not-pushed': 'The rule serves only what was pushed, and nothing was.',
  'max-forwards': 'The request was not to be forwarded any further, and was answered here.',
  upgrade: 'The request switches the connection to another protocol.',
  'request-body': 'The request has a body and goes to the origin.',
  'not-final': 'The response is an interim one.',
  partial: 'The response is only a part.',
  'not-modified': 'The origin answered 304 to the conditions of the client.',
  'status-bound-to-request': 'A response with this status concerns one request only.',
  'status-not-understood': 'The origin allows storing only where the status is understood, and it is not.',
  'no-store': 'The origin forbids storing the response.',
  'request-no-store': 'The client forbids storing the response.',
  private: 'The response is for one user.',
  'field-withheld': 'A directive withholds a field without which the response cannot be stored.',
  authorization: 'The request is authorised, and the origin does not allow sharing its response.',
  'not-cacheable': 'Nothing in the response allows storing it.',
  'no-freshness': 'The response has no lifetime and no validator, so it could never be used.',
  'vary-star': 'Vary: * says that the response suits no other request.',
  'set-cookie': 'The response sets a cookie.',
  'cookie-heuristic': 'The request has a cookie, and the origin did not declare how long the response is fresh.',
  'too-large': 'The response is too large to be stored.',
  'event-stream': 'The response is a stream of events, which has no end to wait for.',
  'no-room': 'There is no room to store the response.',
} as const;

/** How the origin failed, by the codes of base/errors. */
const ORIGIN = {
  'origin-unresolvable': "The origin's name could not be resolved.",
  'origin-refused': 'The origin refused the connection.',
  'origin-reset': 'The origin closed the connection before it answered.',
  'origin-tls': 'The TLS handshake with the origin failed.',
  'origin-connect-timeout': 'The connection to the origin was not made in time.',
  'origin-headers-timeout': 'The origin did not begin its answer in time.',
  'origin-idle-timeout': 'The origin stopped sending in the middle of its answer.',
  'origin-malformed': "The origin's answer is not valid HTTP.",
  'origin-truncated': 'The origin closed the connection in the middle of its answer.',
  'origin-breaker-open': 'The origin failed several times in a row and is not asked until it recovers.',
  'origin-queue-full': 'Too many requests wait for a connection to the origin.',
  'origin-aborted': 'The exchange with the origin was given up.',
} as const satisfies Readonly<Record<OriginFailure, string>>;

/** Everything after which a stale response may be served: each has a twin that begins with `stale-`. */
const FAILURES = {
  ...ORIGIN,
  'origin-error-status': 'The origin answered with an error.',
  'origin-backoff': 'The origin failed for this URL a moment ago; it is asked again later.',
  'waited-too-long': 'The request waited too long on the exchange of another.',
  'too-many-waiters': 'Too many requests wait on the same exchange.',
} as const;

/** The prefix of a reason to serve something stale because of the failure that follows it. */
const STALE_PREFIX = 'stale-';

const STALE_ON_FAILURE = Object.fromEntries(
  Object.entries(FAILURES).map(([code, sentence]) => [
    `${STALE_PREFIX}${code}`,
    `${sentence.replace(/\.$/, '')}, so the stored response is served stale.`,
  ]),
);

/** How an exchange or a request ended early. */
const ENDINGS = {
  'origin-error-shared': 'The origin answered with an error to the request that this one waited on.',
  'client-left': 'The client left before the end.',
  'client-slow':
    'The response is not stored, its client took it slowly, and others waited for a connection to the origin.',
  'not-wanted': 'Nobody wanted the response any more.',
  'head-only': 'The request was for the fields alone, which are shared but not stored.',
  'unsolicited-304': 'The origin answered 304 to no condition of ours; it is asked again without conditions.',
  'unsolicited-206': 'The origin answered with a part to a request for the whole; it is asked again.',
  'rest-refused': 'The origin does not give the rest of what is at hand; the whole is asked for.',
  'rest-does-not-fit': 'The rest that the origin gave is of another representation; the whole is asked for.',
} as const;

/** Requests that are refused here. */
const REFUSALS = {
  'malformed-request': 'The request is not valid HTTP.',
  'target-invalid': 'The target of the request is not valid.',
  'host-invalid': 'The Host of the request is missing, repeated or not valid.',
  'framing-invalid': 'The length of the request is declared in a way that is not valid.',
  'request-cut-off': 'The request ended before it was complete.',
  'request-timeout': 'The request was not received in time.',
  'extensions-too-large': 'The chunk extensions of the request are too large.',
  'url-too-long': 'The target of the request is too long.',
  'expectation-failed': 'The Expect field of the request names something that is not supported.',
  'fields-too-large': 'The header fields of the request are too large.',
  'too-many-fields': 'The request has too many header fields.',
  'not-implemented': 'The request uses a method, a coding or a protocol switch that is not supported.',
  'too-many-requests-in-line': 'Too many requests of this connection are in work.',
  'too-many-connections': 'Too many clients are connected.',
  'loop-detected': 'The request has been through this proxy before.',
  internal: 'The proxy failed on this request; its log says how.',
} as const;

/** What a reason code means, one sentence each. */
export const REASONS: Readonly<Record<string, string>> = {
  ...REUSE,
  ...LOOKUP,
  ...OPERATORS,
  ...UNCACHEABLE,
  ...FAILURES,
  ...STALE_ON_FAILURE,
  ...ENDINGS,
  ...REFUSALS,
};

/** All codes, in the order of the table. */
export const REASON_CODES: readonly string[] = Object.keys(REASONS);

/** The sentence for a reason code; undefined where the code is not in the table. */
export function explainReason(code: string): string | undefined {
  return Object.hasOwn(REASONS, code) ? REASONS[code] : undefined;
}

/** The failure that made a stale response good enough: `origin-refused` for `stale-origin-refused`. Undefined where there was none. */
export function failureBehind(code: string): string | undefined {
  const failure = code.startsWith(STALE_PREFIX) ? code.slice(STALE_PREFIX.length) : '';
  return Object.hasOwn(FAILURES, failure) ? failure : undefined;
}
