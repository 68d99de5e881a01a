/**
 * What goes into the store when an answer is complete: a new response, a part, or a freshened record around the body that
 * is there already. Implements RFC 9111 §3.3, §3.4, §4.3.4.
 */
import { PROMOTE_BODY_BYTES } from '../base/disk-limits.js';
import { FRESHEN_HEADROOM_SHARE } from '../base/limits.js';
import type { Fields } from '../http/fields.js';
import { askedAt } from '../object/asked-at.js';
import { Body } from '../object/body.js';
import { isSameAnswer, type StoredResponse, storedBytes } from '../object/stored.js';
import { expiredResponse } from '../policy/expire.js';
import { chooseVariant, isSelectedBy } from '../policy/vary.js';
import type { RemovalReason, Store, Writer } from '../store/contract.js';
import { isSameSelection } from '../store/variants.js';
import { dropOutdated, isNewest, markUncacheable } from './bookkeeping.js';
import { isSameRepresentation, type Part, partRecord, updatedRecord } from './combining.js';
import type { Ending, FillResult, FillSpec } from './fill-contract.js';
import type { EngineParts } from './parts.js';
import { type Receipt, ruleOf } from './receipt.js';
import { freshenedResponse } from './response.js';

/** Whether an entity-tag is to be made of the body: for a whole response whose origin sends none. */
export function wantsTag(spec: FillSpec, receipt: Receipt, rule = ruleOf(spec, receipt)): boolean {
  return rule.etag === 'make' && receipt.status === 200 && !receipt.fields.has('etag');
}

/** Whether a new response is sure to find room in memory, without anything being evicted for it. */
export function hasRoomFor({ stats, maxObjectBytes }: Store, response: StoredResponse): boolean {
  const bytes = storedBytes(response);
  const usedBytes = stats.bytes + stats.reservedBytes + stats.heldBytes;
  return bytes <= maxObjectBytes && usedBytes + bytes <= stats.budgetBytes * (1 - FRESHEN_HEADROOM_SHARE);
}

/** putWhole(), unless a purge or an update came while it arrived. What is not stored gives its room below memory back. */
export function keepWhole(
  parts: EngineParts,
  spec: FillSpec,
  response: StoredResponse,
  part: Part | undefined,
  writer: Writer,
  isSuperseded: boolean,
): Ending {
  const ending = isSuperseded ? notStored('superseded') : putWhole(parts, spec, response, part, writer);
  if (ending.end !== 'stored' || ending.reason === 'unchanged') parts.store.giveUp(response);
  return ending;
}

export function notStored(reason: string): Ending {
  return { end: 'uncacheable', reason, savedBytes: 0 };
}

/**
 * Puts a complete answer into the store. A part never takes the place of a whole, nor an older answer of a newer.
 * Returns how that ended.
 */
function putWhole(
  parts: EngineParts,
  spec: FillSpec,
  response: StoredResponse,
  part: Part | undefined,
  writer: Writer,
): Ending {
  const { store } = parts;
  // The part of a response must not take the place of a whole that another process has just stored.
  const variants = store.known(spec.key, part === undefined);
  const known = chooseVariant(variants, spec.request.fields);
  let record: StoredResponse | undefined = response;
  if (part !== undefined) {
    if (known !== undefined && known.partial === undefined) return notStored('partial');
    record = partRecord(spec, response, part, known);
    if (record === undefined) return notStored('partial');
    if ((record.partial?.heldBytes ?? 0) > store.maxObjectBytes) return notStored('too-large');
    record = wholeOf(record);
  } else record = withFieldsOf(spec, known, record);
  if (!isNewest(variants, record, spec.request.fields)) return notStored('superseded');
  // The same bytes once more: those that are held go on, so that nothing is held twice while clients read them.
  const isUnchanged = record.madeTag !== undefined && record.madeTag === known?.madeTag;
  if (isUnchanged) record = { ...record, body: known.body, fetchedAt: known.fetchedAt };
  if (store.put(record, spec.basis, writer)) {
    if (record.partial === undefined) dropPassedOver(store, spec, variants, record, writer);
    return { end: 'stored', reason: isUnchanged ? 'unchanged' : 'stored', savedBytes: 0 };
  }
  // What was stored is older than what has just been seen, and must not be served once more for want of room.
  if (spec.basis !== undefined) store.remove(spec.basis, outdatedBy(writer));
  return notStored('no-room');
}

/**
 * What else was stored for this request is older: a part, with a Vary that the whole does not have, would be chosen before it
 * for the next range (RFC 9111 §4.1).
 */
function dropPassedOver(
  store: Store,
  { request, basis }: FillSpec,
  known: readonly StoredResponse[],
  record: StoredResponse,
  writer: Writer,
): void {
  for (const stored of known) {
    // What has no Vary is for other requests too, and is chosen before this one for none that both are for.
    if (stored === basis || stored.selection.names.length === 0) continue;
    if (isSameSelection(stored.selection, record.selection)) continue;
    if (isSelectedBy(stored.selection, request.fields)) store.remove(stored, outdatedBy(writer));
  }
}

/** Why what is older leaves: below, who writes puts the newer one in its place. */
export function outdatedBy(writer: Writer): RemovalReason {
  return writer === 'here' ? 'replaced' : 'evicted';
}

/**
 * RFC 9111 §3.4: a part that was asked for while the whole arrived has newer header fields, and is of the same body. The whole by
 * itself would count for older than the part: who seeks in a large body that still arrives would have it thrown away.
 */
function withFieldsOf(spec: FillSpec, known: StoredResponse | undefined, whole: StoredResponse): StoredResponse {
  if (known?.partial === undefined || askedAt(known) <= askedAt(whole)) return whole;
  const { totalBytes } = known.partial;
  const isSame =
    known.status === whole.status &&
    (totalBytes === undefined || totalBytes === whole.body.totalBytes) &&
    isSameSelection(known.selection, whole.selection) &&
    isSameRepresentation(known.fields, whole.fields);
  const updated = isSame ? updatedRecord(spec, whole, known) : undefined;
  if (updated === undefined) return whole;
  return { ...updated, body: whole.body, partial: undefined, fetchedAt: whole.fetchedAt };
}

/** RFC 9111 §3.4: parts that together are the whole are a complete response from now on. */
function wholeOf(record: StoredResponse): StoredResponse {
  const { partial } = record;
  const total = partial?.totalBytes;
  if (partial === undefined || total === undefined || partial.prefixBytes !== total) return record;
  return { ...record, body: Body.of(partial.read(0, total) ?? []), partial: undefined };
}

/**
 * What a 304 is about, with bytes that its clients can count on: of a small body that was found on disk the chunks may go
 * at any moment. Undefined where they have gone.
 */
export function withBytes(store: Store, target: StoredResponse, isForNobody: boolean): StoredResponse | undefined {
  const { body, key, partial } = target;
  // A larger one can be read for a while after it was given up.
  const isLarge = body.receivedBytes > PROMOTE_BODY_BYTES;
  if (isForNobody || isLarge || body.below === undefined || partial !== undefined) return target;
  const isSame = (found: StoredResponse): boolean => isAround(found, target);
  return store.peek(key)?.find(isSame) ?? store.recall(key, (found) => found.find(isSame));
}

/** Whether both records of a key are around one body, whatever 304s made of its fields. */
function isAround(one: StoredResponse, other: StoredResponse): boolean {
  return one.fetchedAt === other.fetchedAt && isSameSelection(one.selection, other.selection);
}

/**
 * RFC 9111 §4.3.4: merges a 304 into `target`; the results for the one who asked and for those who wait. `isExpired`: it
 * was asked for before an operator made what is stored stale, and so it stays.
 */
export function freshen(
  parts: EngineParts,
  spec: FillSpec,
  target: StoredResponse,
  receipt: Receipt,
  isExpired = false,
): { readonly forLeader: FillResult; readonly forWaiters: FillResult } {
  const { store, failures, markers } = parts;
  const { fields } = spec.request;
  const made = freshenedResponse(spec, target, receipt);
  const { response, forLeader, refused: reason } = made;
  const asKept = (record: StoredResponse): StoredResponse =>
    isExpired ? expiredResponse(record, parts.clock.now()) : record;
  failures.succeeded(spec.key);
  if (reason !== undefined) {
    // The merged fields forbid sharing from now on: only the one who asked may have it. Where that lies in its request
    // alone, what is stored stays as it is, or one client could evict for all.
    dropOutdated(parts, spec, target, reason);
    markUncacheable(parts, spec, target.status, reason);
    return {
      forLeader: { kind: 'alone', response: forLeader ?? response, reason, revalidated: true },
      forWaiters: { kind: 'turned-away', reason },
    };
  }
  const current = swapIn(parts, spec, target, asKept(response));
  const variant = made.variant === undefined ? undefined : asKept(made.variant);
  if (variant !== undefined && isNewest(store.known(variant.key), variant, fields)) store.put(variant);
  if (isPassedOver(spec.basis, target, fields)) store.remove(spec.basis, 'replaced');
  markers.unmark(spec.markerKey);
  const forWaiters = { kind: 'shared', response: variant ?? current, revalidated: true, stored: true } as const;
  return { forLeader: forLeader === undefined ? forWaiters : { ...forWaiters, response: forLeader }, forWaiters };
}

/**
 * Whether a 304 named another for a request than what stood there for its very values: that would be chosen for the next such
 * request, before a response without Vary. What was chosen for its language alone, or has no Vary, is for other requests too.
 */
function isPassedOver(
  basis: StoredResponse | undefined,
  named: StoredResponse,
  fields: Fields,
): basis is StoredResponse {
  if (basis === undefined || isAround(basis, named)) return false;
  return basis.selection.names.length > 0 && isSelectedBy(basis.selection, fields);
}

/** Puts the freshened record in place of the old one. It may have been evicted or replaced during the round trip. */
function swapIn(parts: EngineParts, spec: FillSpec, target: StoredResponse, next: StoredResponse): StoredResponse {
  const { store } = parts;
  if (store.swap(target, next)) return next;
  const current = takenItsPlace(store.known(spec.key), spec, target, next);
  // An operator or another rule changed its life meanwhile: the body is the one that the 304 is about.
  if (current !== undefined && isSameAnswer(current, target) && store.swap(current, next)) return next;
  const other = current === undefined || current.partial !== undefined ? undefined : withBytes(store, current, false);
  if (other !== undefined) return other;
  // Evicted, not purged: the body is still at hand, so nothing has to be fetched again. What came meanwhile in its place stays.
  if (isNewest(store.known(spec.key), next, spec.request.fields)) store.put(next);
  return next;
}

/**
 * What stands where `target` was: its body under a newer record, as by a 304 to a request with other selecting fields, or what
 * came for this request since the origin was asked. What was there before, the 304 is not about (RFC 9111 §4.3.3).
 */
function takenItsPlace(
  known: readonly StoredResponse[],
  { request }: FillSpec,
  target: StoredResponse,
  { requestedAt = 0 }: StoredResponse,
): StoredResponse | undefined {
  const renewed = known.find((stored) => isAround(stored, target));
  if (renewed !== undefined) return renewed;
  const chosen = chooseVariant(known, request.fields);
  return chosen !== undefined && (chosen.receivedAt ?? chosen.fetchedAt) >= requestedAt ? chosen : undefined;
}

/** Puts a newer record around the body that is stored here already, or one whose body is at hand. Returns what is stored now. */
export function keepFound(
  { store }: EngineParts,
  response: StoredResponse,
  known: StoredResponse | undefined,
  writer: Writer,
): StoredResponse {
  if (known === undefined || !store.swap(known, response, writer)) store.put(response, known, writer);
  return response;
}
