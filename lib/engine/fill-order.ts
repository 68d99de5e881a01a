/** What is asked of a fill, before it is known what is stored and which rules hold. */
import type { StoredResponse } from '../object/stored.js';
import type { AskedFor } from '../observe/events.js';
import type { ClientRequest } from './contract.js';
import type { Conditions, FillSpec, Waiter } from './fill-contract.js';
import type { EngineParts } from './parts.js';

export interface FillOrder {
  readonly key: string;
  /** Under which others may join; undefined: nobody may. */
  readonly collapseKey: string | undefined;
  readonly request: ClientRequest;
  readonly method: 'GET' | 'HEAD';
  readonly basis: StoredResponse | undefined;
  /** All that is stored under the key, where that was looked up just now. */
  readonly known?: readonly StoredResponse[] | undefined;
  readonly conditions: Conditions;
  readonly askedFor: AskedFor;
  readonly isUnasked?: boolean;
  readonly leader: Waiter | undefined;
}

const NONE_KNOWN: readonly StoredResponse[] = [];

/** What a visitor would ask for where nothing is stored, that nobody waits for and anybody may join. */
export function unledOrder(key: string, request: ClientRequest): FillOrder {
  return {
    key,
    collapseKey: key,
    request,
    method: 'GET',
    basis: undefined,
    conditions: 'stored',
    askedFor: 'fill',
    leader: undefined,
  };
}

/** The order as of now. */
export function specOf({ live, store }: EngineParts, order: FillOrder): FillSpec {
  const { key, method, request, basis, conditions, askedFor, isUnasked, collapseKey, leader } = order;
  // The list is the store's own.
  const known = order.known ?? store.known(key, true);
  return {
    key,
    method,
    request,
    rules: live.rules,
    basis,
    candidates: known.length === 0 ? NONE_KNOWN : known.slice(),
    conditions,
    askedFor,
    isUnasked: isUnasked === true,
    background: leader === undefined,
    collapseKey,
    markerKey: markerKeyOf(key, request),
  };
}

/** What is put behind a key to remember it as uncacheable: nobody's, with credentials, with cookies, with both. */
const MARKER_SUFFIXES = ['', ' a', ' c', ' ac'] as const;

/**
 * Under which a key is remembered as uncacheable. Answers to a request with credentials or cookies are often
 * uncacheable where the anonymous one is not, so these are remembered apart.
 */
export function markerKeyOf(key: string, { fields }: ClientRequest): string {
  const isAuthorized = fields.has('authorization');
  const hasCookie = fields.has('cookie');
  return `${key}${MARKER_SUFFIXES[(isAuthorized ? 1 : 0) + (hasCookie ? 2 : 0)]}`;
}

/** All under which it may be. */
export function markerKeysOf(key: string): readonly string[] {
  return MARKER_SUFFIXES.map((suffix) => `${key}${suffix}`);
}
