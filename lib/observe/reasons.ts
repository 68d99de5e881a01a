/**
 * The closed table of reason codes: what Cache-Status gives as `detail`, the log as `reason` and the metrics as a
 * label, each with one sentence for people. A code that is not here is counted as `other`.
 * Implements RFC 9211 §2.8.
 */

/** Why a stored response was used, or could not be. */
const REUSE = {
  fresh: 'The stored response is fresh.',
  'stale-while-revalidate': 'The stored response is within its grace; it is served while one request refreshes it.',
  'max-stale': 'The client accepts a response that is this stale.',
  'past-grace': 'The stored response is past its grace and has to be validated before use.',
  'past-keep': 'The stored response is past its keep time and of no further use.',
  'no-cache': 'The origin demands that the stored response is validated before every use.',
  'must-revalidate': 'The origin forbids the use of the stored response once it is stale.',
  'request-no-cache': 'The client demands an answer that was just validated.',
  'request-max-age': 'The client wants a response younger than the stored one.',
  'request-min-fresh': 'The client wants a response that stays fresh for longer than the stored one.',
} as const;

/** How a request was met where nothing stored could simply be used. */
const LOOKUP = {
  'miss-cold': 'Nothing is stored for this URL.',
  'vary-miss': 'Responses are stored for this URL, but none for these request fields.',
  collapsed: 'The request waited on an exchange that another request had started.',
  'hit-for-miss': 'The response of this URL was not storable a moment ago, so nothing waits for it.',
  revalidated: 'The origin answered 304; the stored response was freshened and served.',
  'replaced-by-200': 'The origin sent a new response in place of the stored one.',
  'only-if-cached-miss': 'The client wants a stored response only, and none can be used.',
} as const;

/** Why an exchange went past the cache. */
const PASS = {
  'method-pass': 'Requests with this method go to the origin.',
  'body-pass': 'Requests with a body go to the origin.',
  'upgrade-pass': 'The connection is switched to another protocol.',
  'range-pass': 'The range goes to the origin, because the whole response is not stored.',
  'fills-full': 'Too many fills are in flight; this request goes to the origin alone.',
} as const;

/** What happened because the origin failed. */
const FAILURE = {
  'stale-if-error': 'The origin answered with an error, and the stored response may be served in that case.',
  'stale-origin-down': 'The origin cannot be reached, and the stored response may be served in that case.',
  'refresh-failed-backoff': 'The last refresh failed; the next is due after a pause.',
  'origin-error-status': 'The origin answered with an error, and nothing stored may be served in its place.',
  'origin-unresolvable': "The origin's name could not be resolved.",
  'origin-refused': 'The origin refused the connection.',
  'origin-reset': 'The origin closed the connection before it answered.',
  'origin-tls': 'The TLS handshake with the origin failed.',
  'origin-connect-timeout': 'The connection to the origin was not made in time.',
  'origin-headers-timeout': 'The origin did not begin its answer in time.',
  'origin-idle-timeout': 'The origin stopped sending in the middle of its answer.',
  'origin-malformed': "The origin's answer is not valid HTTP.",
  'origin-truncated': 'The origin closed the connection in the middle of its answer.',
  'origin-breaker-open': 'The origin has failed several times in a row and is not asked until it recovers.',
  'origin-queue-full': 'Too many requests wait for a connection to the origin.',
  'origin-aborted': 'The exchange with the origin was given up.',
  'waited-too-long': 'The request waited too long on the exchange of another.',
  'too-many-waiters': 'Too many requests wait on the same exchange.',
} as const;

/** Requests that are refused here. */
const REFUSAL = {
  'malformed-request': 'The request is not valid HTTP.',
  'url-too-long': 'The request target is too long.',
  'fields-too-large': 'The header fields of the request are too large.',
  'too-many-fields': 'The request has too many header fields.',
  'request-timeout': 'The request was not received in time.',
  'length-required': 'The request needs a Content-Length.',
  'content-too-large': 'The body of the request is too large.',
  'expectation-failed': 'The Expect field of the request names something that is not supported.',
  'not-implemented': 'The request uses a method or a transfer coding that is not supported.',
  'too-many-connections': 'Too many clients are connected.',
  'loop-detected': 'The request has been through this proxy before.',
  draining: 'The proxy is shutting down.',
  internal: 'The proxy failed on this request; its log says how.',
} as const;

/** What a reason code means, one sentence each. */
export const REASONS: Readonly<Record<string, string>> = { ...REUSE, ...LOOKUP, ...PASS, ...FAILURE, ...REFUSAL };

/** All codes, in the order of the table. */
export const REASON_CODES: readonly string[] = Object.keys(REASONS);

/** The sentence for a reason code; undefined where the code is not in the table. */
export function explainReason(code: string): string | undefined {
  return Object.hasOwn(REASONS, code) ? REASONS[code] : undefined;
}
