/**
 * What a client asks of caches, from Cache-Control and, for clients of old, Pragma.
 * Implements RFC 9111 §5.2.1, §5.4; RFC 5861 §4 (in requests).
 */
import { cacheControlOf, directiveMs } from '../http/cache-control.js';
import type { Fields } from '../http/fields.js';
import { splitList } from '../http/tokens.js';

export interface RequestDirectives {
  readonly noCache: boolean;
  readonly noStore: boolean;
  readonly maxAgeMs: number | undefined;
  readonly minFreshMs: number | undefined;
  /** Infinity where the client takes any staleness. */
  readonly maxStaleMs: number | undefined;
  readonly staleIfErrorMs: number | undefined;
  readonly onlyIfCached: boolean;
}

/** A request that asks for nothing. */
export const NO_DIRECTIVES: RequestDirectives = Object.freeze({
  noCache: false,
  noStore: false,
  maxAgeMs: undefined,
  minFreshMs: undefined,
  maxStaleMs: undefined,
  staleIfErrorMs: undefined,
  onlyIfCached: false,
});

const NO_CACHE_ALONE: RequestDirectives = Object.freeze({ ...NO_DIRECTIVES, noCache: true });

/** The directives of a request. Allocates nothing where it carries neither Cache-Control nor Pragma. */
export function requestDirectives(fields: Fields): RequestDirectives {
  if (!fields.has('cache-control')) {
    // RFC 9111 §5.4: Pragma is deprecated; it counts only where there is no Cache-Control beside it.
    const pragma = fields.get('pragma');
    return pragma !== undefined && isPragmaNoCache(pragma) ? NO_CACHE_ALONE : NO_DIRECTIVES;
  }
  const control = cacheControlOf(fields);
  return {
    // In a request the qualified form has no meaning; whoever sends it wants the origin asked.
    noCache: control.noCache || control.noCacheFields !== undefined,
    noStore: control.noStore,
    maxAgeMs: directiveMs(control.maxAge),
    minFreshMs: directiveMs(control.minFresh),
    maxStaleMs: directiveMs(control.maxStale),
    staleIfErrorMs: directiveMs(control.staleIfError),
    onlyIfCached: control.onlyIfCached,
  };
}

function isPragmaNoCache(value: string): boolean {
  return splitList(value).some((directive) => directive.toLowerCase() === 'no-cache');
}
