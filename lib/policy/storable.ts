/**
 * May a response be stored and shared, and which of its fields with it. Every "no" says why.
 * Implements RFC 9111 §3, §3.1, §3.5, §5.2.2.3-5.2.2.9; RFC 9213 §2.2; RFC 6585 §3-6; and the safety of the design, section 7.
 */
import type { Rule } from '../config/rule.js';
import { formatHttpDate, parseHttpDate } from '../http/dates.js';
import type { Fields } from '../http/fields.js';
import { NameSet } from '../http/name-set.js';
import { SAFETY_OVERRIDES, type SafetyOverride } from '../object/stored.js';
import { explicitTtl, type Governing, governing, isHeuristicallyCacheable, lifeOf, mayMakeFresh } from './lifetime.js';
import { requestDirectives } from './request-directives.js';
import { settingFor } from './settings.js';
import { hasValidator } from './validate.js';
import { varyNames } from './vary.js';

/** Why a response is not stored: each is the reason code of one way. */
export type UncacheableReason =
  | 'method'
  | 'not-final'
  | 'partial'
  | 'not-modified'
  | 'status-bound-to-request'
  | 'status-not-understood'
  | 'no-store'
  | 'request-no-store'
  | 'private'
  | 'field-withheld'
  | 'authorization'
  | 'not-cacheable'
  | 'no-cache'
  | 'no-freshness'
  | 'vary-star'
  | 'set-cookie'
  | 'cookie-heuristic';

export type StorableVerdict =
  | {
      readonly store: true;
      /** What is to be stored of the fields. */
      readonly fields: Fields;
      /** The overrides of the rule that this rests on: without any one of them it would not be stored. */
      readonly despite: readonly SafetyOverride[];
      /** The directives that this was judged by. */
      readonly by: Governing;
    }
  | { readonly store: false; readonly reason: UncacheableReason };

export interface StorableInput {
  readonly method: string;
  /** Of the client's request. */
  readonly requestFields: Fields;
  readonly status: number;
  /** End-to-end fields of the response; after a 304, the merged ones. */
  readonly fields: Fields;
  readonly rule: Rule;
  /** Whether the rule that the request came by caches its POST: not for the rule of the response to say. Default: that rule's word. */
  readonly isCachedPost?: boolean;
  readonly receivedWall: number;
}

/** Final statuses of RFC 9110 §15 whose requirements on caches are met here: all but 206 and 304. */
const UNDERSTOOD_STATUSES: ReadonlySet<number> = new Set([
  200, 201, 202, 203, 204, 205, 300, 301, 302, 303, 305, 307, 308, 400, 401, 402, 403, 404, 405, 406, 407, 408, 409,
  410, 411, 412, 413, 414, 415, 416, 417, 421, 422, 426, 500, 501, 502, 503, 504, 505,
]);

/**
 * Statuses that answer something in one request that the key does not hold (credentials for this hop, conditions,
 * ranges, expectations, its rate, its size), so that another request must not get them. RFC 6585 §3-6 forbids
 * storing 428, 429, 431 and 511 in so many words.
 */
const REQUEST_BOUND_STATUSES: ReadonlySet<number> = new Set([407, 412, 416, 417, 428, 429, 431, 511]);

/** RFC 9111 §3.1: these belong to one client's way through proxies. Age is computed anew for every reply. */
const NEVER_STORED_FIELDS = new NameSet([
  'age',
  'proxy-authenticate',
  'proxy-authentication-info',
  'proxy-authorization',
]);

/** Fields without which the rest cannot be stored safely: they say to whom it may be given, and how its body is to be read. */
const NEEDED_FIELDS: ReadonlySet<string> = new Set([
  'cache-control',
  'cdn-cache-control',
  'content-encoding',
  'content-type',
  'vary',
]);

/** Reasons that lie in the one request, not in the response: another request for the same key may well be answered from the store. */
const REQUEST_BOUND_REASONS: ReadonlySet<string> = new Set<UncacheableReason>([
  'method',
  'request-no-store',
  'authorization',
  'cookie-heuristic',
  'status-bound-to-request',
]);

/**
 * Whether `reason` says something of the request alone. Such a "no" is no ground to drop what is stored already, nor
 * to remember the key as uncacheable: one client could do that to all others.
 */
export function isBoundToRequest(reason: string): boolean {
  return REQUEST_BOUND_REASONS.has(reason);
}

/** RFC 9111 §3, in the order of its list; then what the design adds. */
export function judgeStorable(input: StorableInput): StorableVerdict {
  const by = governing(input.fields, input.rule.targetedFields);
  const reason = prohibition(input, by) ?? uselessness(input) ?? leak(input, by);
  if (reason !== undefined) return { store: false, reason };
  return { store: true, fields: fieldsToStore(input, by), despite: overridesUsed(input, by), by };
}

const NO_OVERRIDES: readonly SafetyOverride[] = [];

/** Which of the rule's overrides made the difference, each taken away by itself. */
function overridesUsed(input: StorableInput, by: Governing): readonly SafetyOverride[] {
  const { rule } = input;
  if (!hasOverride(rule)) return NO_OVERRIDES;
  return SAFETY_OVERRIDES.filter((name) => {
    const careful = { ...input, rule: { ...rule, [name]: false } };
    return rule[name] && (prohibition(careful, by) ?? leak(careful, by)) !== undefined;
  });
}

function hasOverride(rule: Rule): boolean {
  if (rule !== lastLooked) {
    lastLooked = rule;
    lastHasOverride = SAFETY_OVERRIDES.some((name) => rule[name]);
  }
  return lastHasOverride;
}

/** Most answers fall under the rule of the one before. */
let lastLooked: Rule | undefined;
let lastHasOverride = false;

/** What RFC 9111 §3 prohibits, clause by clause. */
function prohibition(input: StorableInput, by: Governing): UncacheableReason | undefined {
  const { method, requestFields, status, fields, rule, receivedWall } = input;
  const { control } = by;
  // The request method is understood by the cache. Who stores a HEAD must not give it out as a GET; a POST is a
  // question, with its content in the key, only where the rule says so.
  const isPost = method === 'POST' && (input.isCachedPost ?? rule.methods.includes('POST'));
  if (method !== 'GET' && method !== 'HEAD' && !isPost) return 'method';
  // The status is final.
  if (status < 200) return 'not-final';
  // 206 and 304 must be understood: a part is not combined with others here, a 304 is merged and never stored itself.
  if (status === 206) return 'partial';
  if (status === 304) return 'not-modified';
  if (REQUEST_BOUND_STATUSES.has(status)) return 'status-bound-to-request';
  const isUnderstood = UNDERSTOOD_STATUSES.has(status);
  if (control.mustUnderstand && !isUnderstood) return 'status-not-understood';
  // RFC 9111 §5.2.2.3: no-store beside must-understand is for caches that do not know that directive.
  if (control.noStore && !control.mustUnderstand) return 'no-store';
  // RFC 9111 §5.2.1.5.
  if (requestDirectives(requestFields).noStore) return 'request-no-store';
  // RFC 9111 §5.2.2.7: the qualified form allows a shared cache to store the rest.
  if (control.private && !rule.sharePrivate) return 'private';
  if (namesNeededField(by)) return 'field-withheld';
  // RFC 9111 §3.5.
  const isForAll = control.public || control.mustRevalidate || control.sMaxage !== undefined;
  if (requestFields.has('authorization') && !isForAll && !rule.shareAuthorized) return 'authorization';
  // The origin, the status or the operator allows storing.
  const isAllowed =
    // RFC 9110 §9.3.3: the answer to a POST is stored only where somebody said how long it is fresh.
    (!isPost && isHeuristicallyCacheable(status, control)) ||
    explicitTtl(fields, by, receivedWall) !== undefined ||
    isFreshByRule(input);
  return isAllowed ? undefined : 'not-cacheable';
}

/** Whether a qualified no-cache or private withholds a field that the stored response depends on. */
function namesNeededField(by: Governing): boolean {
  const { noCacheFields, privateFields } = by.control;
  const isNeeded = (name: string) => NEEDED_FIELDS.has(name);
  return noCacheFields?.some(isNeeded) === true || privateFields?.some(isNeeded) === true;
}

function isFreshByRule(input: StorableInput): boolean {
  const ttl = settingFor(input.rule.ttl, input.status);
  if (!mayMakeFresh(input.rule, input.status)) return false;
  return ttl.kind === 'fixed' || (ttl.kind === 'bounded' && ttl.defaultMs !== undefined);
}

/** What could be stored, but never be used: not fresh, nothing to ask the origin by, no leave to serve it stale. */
function uselessness(input: StorableInput): UncacheableReason | undefined {
  const { status, fields, rule, receivedWall } = input;
  // RFC 9111 §4.1: `*` never matches, so no request could select it.
  if (varyNames(fields) === '*') return 'vary-star';
  if (hasValidator(fields)) return undefined;
  const life = lifeOf({ status, fields, rule, initialAgeMs: 0, receivedAt: 0, receivedWall, hasValidator: false });
  if (life.ttlSource === 'none') return 'no-freshness';
  // That it could be served while the origin is out of reach is not enough to spend room on every answer of it.
  if (life.alwaysValidate) return 'no-cache';
  // Without a validator to ask by, all that is left is to stand in for an origin that fails.
  if (life.validateByRule) return life.errorUntil > 0 ? undefined : 'no-freshness';
  const isUsable = life.graceUntil > 0 || life.offlineGraceUntil > 0 || life.errorUntil > 0;
  return isUsable ? undefined : 'no-freshness';
}

/** What RFC 9111 would allow, and a shared cache should not do unasked (promise 1 of the design). */
function leak(input: StorableInput, by: Governing): UncacheableReason | undefined {
  const { fields, requestFields, rule, receivedWall } = input;
  if (rule.setCookie === 'refuse' && fields.has('set-cookie') && !isExcluded('set-cookie', by)) return 'set-cookie';
  // A cookie may have made this response one user's own. The origin that gave it a lifetime says that it did not;
  // a guess, a rule's ttl, or silence says nothing: the operator has to say it in so many words.
  if (rule.shareWithCookie || !requestFields.has('cookie')) return undefined;
  return explicitTtl(fields, by, receivedWall) === undefined ? 'cookie-heuristic' : undefined;
}

/**
 * RFC 9111 §3.1: all fields, unknown ones too, but for those that must not be stored. A field that a qualified
 * no-cache names is left out of every reply without validation (RFC 9111 §5.2.2.4), so it is not kept at all.
 */
function fieldsToStore(input: StorableInput, by: Governing): Fields {
  const { fields, rule, receivedWall } = input;
  const { noCacheFields, privateFields } = by.control;
  let kept = fields.withoutAny(NEVER_STORED_FIELDS);
  if (noCacheFields !== undefined || privateFields !== undefined) kept = kept.filter((name) => !isExcluded(name, by));
  if (rule.setCookie === 'strip') kept = kept.without('set-cookie');
  const date = kept.first('date');
  if (date !== undefined && parseHttpDate(date, receivedWall) !== undefined) return kept;
  // RFC 9110 §6.6.1: a recipient with a clock supplies a Date that is missing, and may replace one that is invalid.
  return kept.set('Date', formatHttpDate(receivedWall));
}

function isExcluded(name: string, by: Governing): boolean {
  const { noCacheFields, privateFields } = by.control;
  return noCacheFields?.includes(name) === true || privateFields?.includes(name) === true;
}
