/**
 * When each failing key may be asked for again: a failing origin is asked by a clock, not by traffic.
 * The pause doubles from failure to failure; Retry-After is honoured (RFC 9110 §10.2.3) up to a bound.
 */
import type { Clock } from '../base/clock.js';
import {
  BACKOFF_FIRST_MS,
  BACKOFF_MAX_MS,
  COLD_FAILURES_BEFORE_BACKOFF,
  FAILURE_FORGOTTEN_AFTER_MS,
  MAX_FAILING_KEYS_BYTES,
  RETRY_AFTER_MAX_MS,
} from '../base/limits.js';
import { Remembered } from './remembered.js';

/** Share of a pause that is left to chance, so that keys which failed together are not retried together. */
const BACKOFF_JITTER_SHARE = 0.5;
/** Of a Retry-After, by which it is only ever made longer: the origin said no sooner. */
const RETRY_AFTER_JITTER_SHARE = 0.1;

/**
 * How the origin failed: it could not be asked, it answered 500, 502, 503 or 504, or it declined a refresh with another
 * error, which is no failure but no reason to ask again at every hit either.
 */
export type FailureKind = 'unreachable' | 'error-status' | 'declined';

/** A failing key whose time to be asked again has not come. */
export interface PendingRetry {
  readonly retryAt: number;
  /** How it failed the last time. */
  readonly kind: FailureKind;
  /** It failed so often in a row that not even a request with nothing to fall back on asks before the time. */
  readonly isPersistent: boolean;
}

export interface Failures {
  /** The origin failed on this key; `retryAfterMs` is what its Retry-After said, if it did. */
  note(key: string, retryAfterMs?: number, kind?: FailureKind): void;
  /** Undefined where the key does not fail, or may be asked for again. */
  pending(key: string): PendingRetry | undefined;
  /** The origin answered for this key. */
  succeeded(key: string): void;
  /** Forgets every key that begins so. */
  forgetUnder(prefix: string): void;
  /** From when on the key may be asked for again (it may have passed); undefined where it does not fail. */
  retryAt(key: string): number | undefined;
  /** Failures in a row. */
  count(key: string): number;
}

interface Failing {
  readonly count: number;
  readonly retryAt: number;
  readonly kind: FailureKind;
}

export interface FailuresOptions {
  readonly max: number;
  readonly clock: Clock;
  /** Numbers from 0 up to but not including 1. */
  readonly random: () => number;
}

/** The pause after so many failures in a row, `retryAfterMs` at least. `random`: from 0 to below 1. */
export function backoffMs(count: number, retryAfterMs: number, random: () => number): number {
  const fullMs = Math.min(BACKOFF_FIRST_MS * 2 ** (count - 1), BACKOFF_MAX_MS);
  const pauseMs = fullMs * (1 - BACKOFF_JITTER_SHARE * random());
  const askedMs = Math.min(retryAfterMs, RETRY_AFTER_MAX_MS) * (1 + RETRY_AFTER_JITTER_SHARE * random());
  return Math.max(pauseMs, askedMs);
}

export function createFailures(options: FailuresOptions): Failures {
  const { clock, random } = options;
  const failing = new Remembered<Failing>(options.max, MAX_FAILING_KEYS_BYTES);
  const current = (key: string): Failing | undefined => {
    const found = failing.get(key);
    // A failure of long ago says nothing about the next one.
    if (found === undefined || clock.now() < found.retryAt + FAILURE_FORGOTTEN_AFTER_MS) return found;
    failing.delete(key);
    return undefined;
  };
  return {
    note(key, retryAfterMs = 0, kind = 'unreachable') {
      const count = (current(key)?.count ?? 0) + 1;
      failing.set(key, { count, retryAt: clock.now() + backoffMs(count, retryAfterMs, random), kind });
    },
    succeeded(key) {
      failing.delete(key);
    },
    forgetUnder(prefix) {
      failing.deleteWhere((key) => key.startsWith(prefix));
    },
    pending(key) {
      const found = current(key);
      if (found === undefined || found.retryAt <= clock.now()) return undefined;
      const { retryAt, kind } = found;
      return { retryAt, kind, isPersistent: found.count >= COLD_FAILURES_BEFORE_BACKOFF };
    },
    retryAt: (key) => current(key)?.retryAt,
    count: (key) => current(key)?.count ?? 0,
  };
}
