/**
 * What the answers of the origin leave behind beside a stored response: markers, failure clocks, what is dropped.
 * One client's request must never do that to all others: only what speaks of the resource itself is noted.
 */
import type { OriginError } from '../base/errors.js';
import { MARKER_TTL_MS } from '../base/limits.js';
import type { Fields } from '../http/fields.js';
import { askedAt } from '../object/asked-at.js';
import type { StoredResponse } from '../object/stored.js';
import type { AskedEvent } from '../observe/events.js';
import { isBoundToRequest } from '../policy/storable.js';
import { isSelectedBy } from '../policy/vary.js';
import { isSameSelection } from '../store/variants.js';
import type { Ending, FillSpec } from './fill-contract.js';
import type { EngineParts } from './parts.js';
import { type Receipt, retryAfterMs } from './receipt.js';
import { isFailureStatus } from './verdict.js';

/** Reasons that lie in this answer or this moment, not in the key: the next request may well get a storable one. */
const REASONS_OF_ONE_ANSWER: ReadonlySet<string> = new Set([
  'no-room',
  'partial',
  'not-modified',
  'status-bound-to-request',
]);

/** What is not the origin's doing for this key: it was not asked at all. */
export const NOT_ASKED: ReadonlySet<string> = new Set(['origin-breaker-open', 'origin-queue-full', 'origin-aborted']);

/** Whether the answer tells what the resource is now, so that an older one is of no further use. */
function isNewTruth(status: number): boolean {
  return (status < 400 && status !== 304) || status === 404 || status === 410;
}

/** Remembers the key as uncacheable, where the reason lasts and is not a wish of this one client. */
export function markUncacheable(parts: EngineParts, spec: FillSpec, status: number, reason: string): void {
  // Requests with credentials or cookies are remembered apart, so those two reasons may be.
  const isLasting = !isBoundToRequest(reason) || reason === 'authorization' || reason === 'cookie-heuristic';
  if (!isLasting || REASONS_OF_ONE_ANSWER.has(reason)) return;
  // An error that one client's request earned says nothing of the others'.
  if (!isNewTruth(status) && !isFailureStatus(status)) return;
  parts.markers.mark(spec.markerKey, MARKER_TTL_MS);
}

/**
 * Whether an answer that may not be shared says so of the resource, and not of one client's credentials or cookies alone:
 * by these anyone could take from all others what is theirs.
 */
function concernsAll(spec: FillSpec, stored: StoredResponse, reason: string): boolean {
  if (isBoundToRequest(reason)) return false;
  if (spec.background || spec.markerKey === spec.key) return true;
  return stored.selection.names.some((name) => name === 'authorization' || name === 'cookie');
}

/** Drops what the answer to `spec` says is not to be shared any more. Returns whether it was still there. */
export function dropOutdated(parts: EngineParts, spec: FillSpec, stored: StoredResponse, reason: string): boolean {
  return concernsAll(spec, stored, reason) && parts.store.remove(stored, 'replaced');
}

/** Returns whether what was stored is outdated by it, and was dropped. */
export function noteUncacheable(parts: EngineParts, spec: FillSpec, receipt: Receipt, reason: string): boolean {
  const { failures } = parts;
  const { status } = receipt;
  markUncacheable(parts, spec, status, reason);
  if (isNewTruth(status)) {
    if (spec.method === 'GET') failures.succeeded(spec.key);
    return spec.basis !== undefined && dropOutdated(parts, spec, spec.basis, reason);
  }
  if (spec.background && status >= 400) {
    // Nobody's request but ours: the refresh is declined, and asked for again by the clock.
    failures.note(spec.key, retryAfterMs(receipt), 'declined');
  }
  return false;
}

/**
 * A failure of the origin counts against the key only where it concerns all: a refresh, a validation of what is shared,
 * or a request that anybody might have sent.
 */
export function countsForAll(spec: FillSpec): boolean {
  if (spec.method !== 'GET' || spec.collapseKey !== spec.key) return false;
  return spec.background || spec.basis !== undefined || spec.markerKey === spec.key;
}

export function noteErrorStatus(parts: EngineParts, spec: FillSpec, receipt: Receipt): void {
  if (countsForAll(spec)) parts.failures.note(spec.key, retryAfterMs(receipt), 'error-status');
}

export function noteUnreachable(parts: EngineParts, spec: FillSpec, error: OriginError): void {
  if (!countsForAll(spec) || NOT_ASKED.has(error.code)) return;
  const retryMs = error.retryAfterSec === undefined ? undefined : error.retryAfterSec * 1000;
  parts.failures.note(spec.key, retryMs, 'unreachable');
}

/**
 * Whether `record`, the answer to a request with these fields, is the newest truth about it beside what is known of its key: of
 * two answers the one that was asked for later is, and an error never takes the place of what is good.
 */
export function isNewest(known: readonly StoredResponse[], record: StoredResponse, requestFields: Fields): boolean {
  for (const stored of known) {
    // The origin may have changed its Vary between the two.
    const answersToo = isSelectedBy(stored.selection, requestFields);
    if (!answersToo && !isSameSelection(stored.selection, record.selection)) continue;
    if (askedAt(stored) > askedAt(record)) return false;
    if (isFailureStatus(record.status) && !isFailureStatus(stored.status)) return false;
  }
  return true;
}

/** An exchange is over: tells all who listen. */
export function noteEnd(
  parts: EngineParts,
  spec: FillSpec,
  told: Ending,
  facts: Pick<AskedEvent, 'status' | 'durationMs' | 'bodyBytes'>,
): void {
  const { key, askedFor, background, markerKey } = spec;
  // Who was told to come back for it must not be put off again and again.
  if (askedFor === 'fill' && background && told.end === 'uncacheable') parts.markers.mark(markerKey, MARKER_TTL_MS);
  const { end, reason, savedBytes } = told;
  const { status, durationMs, bodyBytes } = facts;
  parts.events.asked({ end, reason, savedBytes, status, durationMs, bodyBytes, askedFor, key, background });
}
