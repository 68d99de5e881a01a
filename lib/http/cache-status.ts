/**
 * Patina's own member of Cache-Status: how a request was answered, and why, in one line.
 * Implements RFC 9211 §2 (writing).
 */

/** Why a request went to the origin (RFC 9211 §2.2). */
export type ForwardReason = 'bypass' | 'method' | 'uri-miss' | 'vary-miss' | 'miss' | 'request' | 'stale' | 'partial';

/**
 * How a request was answered. That hit and fwd exclude each other (RFC 9211 §2.1) is held by the type.
 * `detail` is a reason code: a token in kebab-case that begins with a letter. A ttl is rounded down, so that a
 * stale answer never reads `ttl=0`.
 */
export type CacheStatusEntry =
  | { readonly kind: 'hit'; readonly ttlSec: number; readonly detail: string }
  | {
      readonly kind: 'fwd';
      readonly fwd: ForwardReason;
      /** Status of the origin's answer where it differs from the reply's, such as 304. */
      readonly fwdStatus?: number | undefined;
      readonly ttlSec?: number | undefined;
      readonly stored?: boolean | undefined;
      /** Another's exchange answered it; false: it waited on one in vain (RFC 9211 §2.6). */
      readonly collapsed?: boolean | undefined;
      readonly detail: string;
    }
  /** A reply made here that neither the store nor the origin had a part in. */
  | { readonly kind: 'none'; readonly detail: string };

/** Our name in Cache-Status. */
export const CACHE_NAME = 'patina';

/** The member for one reply. The caller puts it after the members that the origin's side sent (RFC 9211 §2). */
export function formatCacheStatus(entry: CacheStatusEntry): string {
  switch (entry.kind) {
    case 'hit':
      return `${CACHE_NAME}; hit; ttl=${Math.floor(entry.ttlSec)}; detail=${entry.detail}`;
    case 'none':
      return `${CACHE_NAME}; detail=${entry.detail}`;
    case 'fwd': {
      let text = `${CACHE_NAME}; fwd=${entry.fwd}`;
      if (entry.fwdStatus !== undefined) text += `; fwd-status=${entry.fwdStatus}`;
      if (entry.ttlSec !== undefined) text += `; ttl=${Math.floor(entry.ttlSec)}`;
      if (entry.stored === true) text += '; stored';
      if (entry.collapsed !== undefined) text += entry.collapsed ? '; collapsed' : '; collapsed=?0';
      return `${text}; detail=${entry.detail}`;
    }
  }
}
