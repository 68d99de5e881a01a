/** What a fill is told, and what it tells those who wait on it. */
import type { OriginError } from '../base/errors.js';
import type { Rules } from '../config/rules.js';
import type { Fields } from '../http/fields.js';
import type { StoredResponse } from '../object/stored.js';
import type { AskedEnd, AskedFor } from '../observe/events.js';
import type { ClientRequest } from './contract.js';
import type { Fill } from './fill.js';

/**
 * `stored`: ask with the validators of what is stored. `client`: the client's own conditions and ranges. `none`: neither.
 * `rest`: ask for what is missing of the basis, a response of which the beginning is at hand (RFC 9111 §3.4).
 */
export type Conditions = 'stored' | 'client' | 'none' | 'rest';

export interface FillSpec {
  readonly key: string;
  readonly method: 'GET' | 'HEAD';
  readonly request: ClientRequest;
  /** Those that held when the fill began. */
  readonly rules: Rules;
  /** The stored response that is to be validated. */
  readonly basis: StoredResponse | undefined;
  /** All stored responses of the key: their validators are sent as well (RFC 9111 §4.3.1). */
  readonly candidates: readonly StoredResponse[];
  readonly conditions: Conditions;
  readonly askedFor: AskedFor;
  /** The origin is not to be asked: what others with a cache of their own have, or nothing. */
  readonly isUnasked: boolean;
  /** Nobody waits for it to begin with. */
  readonly background: boolean;
  /** Under which other requests may join; undefined: none may. */
  readonly collapseKey: string | undefined;
  /** Where the key is remembered as uncacheable. */
  readonly markerKey: string;
}

/** How a fill ended. `elsewhere`: the origin was not asked; another cache has, or had, the answer. */
export type FillEnd = AskedEnd | 'elsewhere';

/** How an exchange with the origin ended, as it is told. */
export interface Ending {
  readonly end: AskedEnd;
  readonly reason: string;
  readonly savedBytes: number;
}

export type FillResult =
  | {
      readonly kind: 'shared';
      readonly response: StoredResponse;
      readonly revalidated: boolean;
      readonly stored: boolean;
    }
  | {
      readonly kind: 'alone';
      readonly response: StoredResponse;
      readonly reason: string;
      readonly revalidated: boolean;
    }
  /** Nobody was asked, or somebody else was: it is stored, or arrives from a tier below, and is used by its phase. */
  | { readonly kind: 'found'; readonly response: StoredResponse }
  | { readonly kind: 'turned-away'; readonly reason: string }
  | { readonly kind: 'failed'; readonly failure: 'unreachable'; readonly error: OriginError }
  | {
      readonly kind: 'failed';
      readonly failure: 'error-status';
      readonly status: number;
      /** The origin's own error answer: for the leader alone, since it may be meant for it alone. */
      readonly response: StoredResponse | undefined;
      readonly retryAfterSec: number | undefined;
    };

export const SUPERSEDED: FillResult = { kind: 'turned-away', reason: 'superseded' };
/** Somebody else has it, and one other client takes what comes from there: it can be had from there again. */
export const NOT_KEPT: FillResult = { kind: 'turned-away', reason: 'not-kept' };
export const NOT_PUSHED: FillResult = { kind: 'turned-away', reason: 'not-pushed' };

/** A request that waits on a fill, or leads it. */
export interface Waiter {
  inform(status: number, fields: Fields): void;
  /** Told once. Opens a reader on the body of the response before it returns, if it wants that body. */
  settled(fill: Fill, result: FillResult): void;
  /** What it was told it could not deal with. Does not throw. */
  broke(error: unknown): void;
}
