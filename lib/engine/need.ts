/** What a request needs that the store alone could not give it. */
import type { StoredResponse } from '../object/stored.js';
import type { ClientRequest } from './contract.js';

/** Why the store alone could not answer. */
export interface Need {
  /** A servable or validatable stored response, where one was selected. */
  readonly stale: StoredResponse | undefined;
  /** A partial response of which the rest is wanted. */
  readonly begun?: StoredResponse | undefined;
  readonly fwd: 'uri-miss' | 'vary-miss' | 'stale' | 'request' | 'partial';
  /** Reason code. */
  readonly reason: string;
}

/**
 * Requests that one answer can serve. A HEAD or a range for which nothing is stored goes out as it is, together with
 * its like.
 */
export function collapseKeyOf({ stale, begun }: Need, { method, fields }: ClientRequest, key: string): string {
  if (stale !== undefined || begun !== undefined) return key;
  if (method === 'HEAD') return `HEAD ${key}`;
  const range = fields.get('range');
  return range === undefined ? key : `RANGE ${range} ${fields.get('if-range') ?? ''} ${key}`;
}

/**
 * A part that does not cover what is asked for. Where the beginning of the whole is wanted and at hand, the rest is
 * asked for; else the request goes on as if nothing were stored.
 */
export function partialNeed(chosen: StoredResponse, request: ClientRequest, isUsable: boolean): Need {
  const mayComplete =
    isUsable && request.method === 'GET' && !request.fields.has('range') && (chosen.partial?.prefixBytes ?? 0) > 0;
  return { stale: undefined, begun: mayComplete ? chosen : undefined, fwd: 'partial', reason: 'partial' };
}
