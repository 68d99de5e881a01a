/**
 * May a stored response answer this request now: the phase it is in, and what the client says about that.
 * Implements RFC 9111 §4, §4.2.4, §5.2.1; RFC 5861 §3-4. On the path of every hit: allocates nothing.
 */
import type { Life, StaleForbiddance } from '../object/stored.js';
import type { RequestDirectives } from './request-directives.js';

export type Phase = 'fresh' | 'grace' | 'keep' | 'gone';

/** Why a stored response is served. */
export type ServeReason = 'fresh' | 'stale-while-revalidate' | 'stale-while-offline' | 'max-stale';
/** Why it is not served before the origin was asked. Those that begin with `request-` are the client's wish. */
export type ValidateReason =
  | StaleForbiddance
  | 'past-grace'
  | 'validate-always'
  | 'max-staleness'
  | 'request-no-cache'
  | 'request-max-age'
  | 'request-min-fresh'
  | 'request-max-stale';

export type ReuseVerdict =
  | {
      readonly kind: 'serve';
      readonly phase: 'fresh' | 'grace';
      readonly refresh: boolean;
      readonly reason: ServeReason;
    }
  | { readonly kind: 'validate'; readonly reason: ValidateReason }
  | { readonly kind: 'gone'; readonly reason: 'past-keep' };

const FRESH: ReuseVerdict = Object.freeze({ kind: 'serve', phase: 'fresh', refresh: false, reason: 'fresh' });
const GRACE: ReuseVerdict = Object.freeze({
  kind: 'serve',
  phase: 'grace',
  refresh: true,
  reason: 'stale-while-revalidate',
});
const OFFLINE: ReuseVerdict = Object.freeze({
  kind: 'serve',
  phase: 'grace',
  refresh: true,
  reason: 'stale-while-offline',
});
const MAX_STALE: ReuseVerdict = Object.freeze({ kind: 'serve', phase: 'grace', refresh: true, reason: 'max-stale' });
const GONE: ReuseVerdict = Object.freeze({ kind: 'gone', reason: 'past-keep' });

function validate(reason: ValidateReason): ReuseVerdict {
  return Object.freeze({ kind: 'validate', reason });
}

const VALIDATE: Readonly<Record<ValidateReason, ReuseVerdict>> = Object.freeze({
  'no-cache': validate('no-cache'),
  'must-revalidate': validate('must-revalidate'),
  'proxy-revalidate': validate('proxy-revalidate'),
  's-maxage': validate('s-maxage'),
  'past-grace': validate('past-grace'),
  'validate-always': validate('validate-always'),
  'max-staleness': validate('max-staleness'),
  'request-no-cache': validate('request-no-cache'),
  'request-max-age': validate('request-max-age'),
  'request-min-fresh': validate('request-min-fresh'),
  'request-max-stale': validate('request-max-stale'),
});

/** The one phase that `life` is in at `now`: each begins at its instant and ends before the next one's. */
export function phaseAt(life: Life, now: number): Phase {
  if (now < life.staleAt) return 'fresh';
  if (now < life.graceUntil) return 'grace';
  return now < life.keepUntil ? 'keep' : 'gone';
}

/** `isOffline`: the origin cannot be reached, as far as is known. */
export function judgeReuse(life: Life, directives: RequestDirectives, now: number, isOffline = false): ReuseVerdict {
  if (now >= life.keepUntil) return GONE;
  // RFC 9111 §5.2.1.4.
  if (directives.noCache) return VALIDATE['request-no-cache'];
  // RFC 9111 §5.2.2.4: not without a successful validation, however fresh.
  if (life.alwaysValidate) return VALIDATE['no-cache'];
  if (life.validateByRule) return VALIDATE['validate-always'];
  // RFC 9111 §5.2.1.1: fresh enough for the origin is not fresh enough for this client.
  if (directives.maxAgeMs !== undefined && now - life.bornAt > directives.maxAgeMs) return VALIDATE['request-max-age'];
  // RFC 9111 §5.2.1.3: it must stay fresh for a while, which a stale response cannot.
  if (directives.minFreshMs !== undefined && life.staleAt - now < directives.minFreshMs)
    return VALIDATE['request-min-fresh'];
  return now < life.staleAt ? FRESH : judgeStale(life, directives, now, isOffline);
}

function judgeStale(life: Life, directives: RequestDirectives, now: number, isOffline: boolean): ReuseVerdict {
  const { maxStaleMs, maxAgeMs } = directives;
  const isInGrace = now < (isOffline ? life.offlineGraceUntil : life.graceUntil);
  const inGrace = isOffline && now >= life.graceUntil ? OFFLINE : GRACE;
  // The operator's ceiling holds whatever anybody else allows.
  if (now >= life.ceilingAt) return VALIDATE['max-staleness'];
  if (maxStaleMs === undefined) {
    // RFC 9111 §5.2.1.1: with max-age and no max-stale, the client does not want a stale response at all.
    if (maxAgeMs !== undefined) return VALIDATE['request-max-age'];
    return isInGrace ? inGrace : VALIDATE[life.staleForbiddenBy ?? 'past-grace'];
  }
  // RFC 9111 §5.2.1.2: so far and no further, also where the origin would allow more.
  if (now - life.staleAt > maxStaleMs) return VALIDATE['request-max-stale'];
  if (isInGrace) return inGrace;
  // RFC 9111 §4.2.4: the client's leave does not lift what the origin forbids.
  return life.staleForbiddenBy === undefined ? MAX_STALE : VALIDATE[life.staleForbiddenBy];
}

/** How the origin failed: it could not be asked, or it answered 500, 502, 503 or 504. */
export type FailureKind = 'unreachable' | 'error-status';

/**
 * Whether a stored response may stand in for an origin that failed to validate or replace it (RFC 9111 §4.2.4,
 * RFC 5861 §4). A client's no-cache is final; its other wishes are preferences (RFC 9111 §5.2.1) for something
 * better than what is stored, and there is nothing better now.
 */
export function mayServeOnFailure(
  life: Life,
  failure: FailureKind,
  directives: RequestDirectives,
  now: number,
): boolean {
  if (now >= life.keepUntil || now >= life.ceilingAt || directives.noCache || life.alwaysValidate) return false;
  // Still fresh: the origin was asked because the client wished it.
  if (now < life.staleAt) return true;
  if (now < (failure === 'unreachable' ? life.offlineGraceUntil : life.graceUntil)) return true;
  if (now < (failure === 'unreachable' ? life.unreachableUntil : life.errorUntil)) return true;
  // RFC 5861 §4: the client may allow it too, for its own request, and cannot lift what the origin forbids.
  const { staleIfErrorMs } = directives;
  return staleIfErrorMs !== undefined && life.staleForbiddenBy === undefined && now - life.staleAt < staleIfErrorMs;
}
