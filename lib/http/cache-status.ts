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
    case 'fwd':
      if (lastForwarded === undefined || !isSameForward(entry, lastForwarded)) {
        lastForwarded = entry;
        lastText = formatForward(entry);
      }
      return lastText;
  }
}

type Forward = CacheStatusEntry & { readonly kind: 'fwd' };

/** One miss says mostly what the one before said. */
let lastForwarded: Forward | undefined;
let lastText = '';

function isSameForward(one: Forward, other: Forward): boolean {
  return (
    one.ttlSec === other.ttlSec &&
    one.fwd === other.fwd &&
    one.fwdStatus === other.fwdStatus &&
    one.stored === other.stored &&
    one.collapsed === other.collapsed &&
    one.detail === other.detail
  );
}

function formatForward({ fwd, fwdStatus, ttlSec, stored, collapsed, detail }: Forward): string {
  let text = `${CACHE_NAME}; fwd=${fwd}`;
  if (fwdStatus !== undefined) text += `; fwd-status=${fwdStatus}`;
  if (ttlSec !== undefined) text += `; ttl=${Math.floor(ttlSec)}`;
  if (stored === true) text += '; stored';
  if (collapsed !== undefined) text += collapsed ? '; collapsed' : '; collapsed=?0';
  return `${text}; detail=${detail}`;
}
