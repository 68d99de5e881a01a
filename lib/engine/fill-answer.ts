/**
 * What a fill makes of an answer of the origin, once it is judged: it is stored, at once or as it arrives; it freshens
 * what is stored; or it goes to the one who leads alone. Implements RFC 9111 §3.3, §4.3.3, §4.3.4 and the design,
 * sections 1 to 3.
 */
import { STORE_AT_ONCE_BYTES } from '../base/limits.js';
import { MAX_IN_SLAB_BYTES } from '../base/slab.js';
import type { Fields } from '../http/fields.js';
import { Body } from '../object/body.js';
import { copied } from '../object/chunks.js';
import type { StoredResponse } from '../object/stored.js';
import type { AskedEnd } from '../observe/events.js';
import { expiredResponse } from '../policy/expire.js';
import { judgeNotModified } from '../policy/validate.js';
import type { Store } from '../store/contract.js';
import { noteErrorStatus, noteUncacheable } from './bookkeeping.js';
import type { Fill } from './fill.js';
import { type Ending, SUPERSEDED } from './fill-contract.js';
import { Inflow } from './inflow.js';
import { freshen, hasRoomFor, keepWhole, wantsTag, withBytes } from './keeping.js';
import { bodyLength, type Receipt, retryAfterSec } from './receipt.js';
import { isReduced, madeResponse } from './response.js';
import type { Storing } from './verdict.js';

/**
 * All of it is here, and small: it is stored, or not, and whoever waits gets its body in one piece. Before anybody is told of it; but for one
 * who is alone and whose answer is sure to be stored: what that takes comes behind its reply. False, and nobody has heard anything, where it
 * has to take the longer way.
 */
export function storeAtOnce(fill: Fill, receipt: Receipt, storing: Storing, content: Buffer): boolean {
  const { fields, despite } = storing;
  const { parts, spec, course } = fill;
  // Other processes follow a body as it arrives, and a tag is made of it then.
  if (spec.method !== 'GET' || content.length > STORE_AT_ONCE_BYTES || course.leasing !== undefined) return false;
  if (wantsTag(spec, receipt, storing.rule)) return false;
  const response = madeResponse(spec, receipt, fields, bodyOf(parts.store, content), despite, storing);
  if (isSureToBeStored(fill, response)) {
    // Whoever joins until it is stored is answered with this.
    fill.response = response;
    settleShared(fill, receipt, fields, response, true);
    complete(fill, response, keepNow(fill, response));
  } else {
    const ending = keepNow(fill, response);
    if (ending.reason === 'no-room') return false;
    // Before anybody is told, or one who looks again would find and join what is over.
    complete(fill, response, ending);
    settleShared(fill, receipt, fields, response, ending.end === 'stored');
  }
  course.finish('stored', 'stored');
  return true;
}

/** With what purges, updates and expiries have made of it until now. */
function keepNow({ parts, spec, fate }: Fill, response: StoredResponse): Ending {
  const kept = fate.isExpired ? expiredResponse(response, parts.clock.now()) : response;
  return keepWhole(parts, spec, kept, undefined, 'here', fate.isSuperseded);
}

function complete(fill: Fill, response: StoredResponse, ending: Ending): void {
  const { parts, spec, course } = fill;
  course.state = 'complete';
  course.ending = ending;
  course.bodyBytes = response.body.receivedBytes;
  fill.response = response;
  fill.table.close(fill);
  parts.failures.succeeded(spec.key);
  parts.markers.unmark(spec.markerKey);
}

/** Nothing is stored that it would have to give way to, nor need anything give way to it. Only of what is small, and copied for its clients. */
function isSureToBeStored({ parts, spec, fate, course }: Fill, response: StoredResponse): boolean {
  if (fate.isSuperseded || response.body.slab === undefined || !course.audience.isLeaderAlone) return false;
  const { store } = parts;
  return hasRoomFor(store, response) && spec.candidates.length === 0 && store.known(spec.key, true).length === 0;
}

/** To be stored, whole or as a part: everyone follows its bytes as they arrive. */
export function storeArriving(fill: Fill, receipt: Receipt, { fields, despite }: Storing): void {
  const { spec, course, parts } = fill;
  const { store, failures, markers } = parts;
  const isGet = spec.method === 'GET';
  const expectedBytes = bodyLength(spec.method, receipt);
  const inflow = isGet
    ? Inflow.keep(store, expectedBytes, course, { isHashed: wantsTag(spec, receipt), isPart: fill.part !== undefined })
    : Inflow.none(store, course);
  if (inflow === undefined) {
    uncacheable(fill, receipt, 'no-room');
    return;
  }
  course.opened(inflow, isGet ? 'stored' : 'uncacheable', isGet ? 'stored' : 'head-only');
  const response = madeResponse(spec, receipt, fields, inflow.body, despite);
  fill.response = response;
  if (inflow.isKept) course.leasing?.opened(response);
  if (isGet) failures.succeeded(spec.key);
  markers.unmark(spec.markerKey);
  settleShared(fill, receipt, fields, response, inflow.isKept);
}

/** The bytes are good for this call alone: what is small is copied to the place where it is to be stored. */
function bodyOf(store: Store, content: Buffer): Body {
  return content.length > MAX_IN_SLAB_BYTES ? Body.of([copied(content)]) : store.lay(content);
}

/** `fields`: what may be stored of those that came. */
function settleShared(
  { spec, course, fate }: Fill,
  receipt: Receipt,
  fields: Fields,
  response: StoredResponse,
  stored: boolean,
): void {
  const result = { kind: 'shared', response, revalidated: false, stored } as const;
  const forLeader = isReduced(fields, receipt)
    ? { ...result, response: madeResponse(spec, receipt, undefined, response.body) }
    : result;
  // Who came after the purge of a tag that this carries must not have it; who leads came before.
  course.settle(forLeader, fate.isCaught ? SUPERSEDED : result);
}

/**
 * RFC 9111 §4.3.3, §4.3.4: a 304 freshens what it was asked about, unless a purge or an update came between. Returns why it
 * does not fit what was asked, where it does not.
 */
export function notModified(fill: Fill, receipt: Receipt): string | undefined {
  const { parts, spec, fate, course } = fill;
  const isForNobody = course.audience.isEmpty;
  if (fate.isSuperseded && isForNobody) {
    course.abandon('superseded');
    return undefined;
  }
  const { sent } = fill.asking;
  if (sent === undefined || fate.isSuperseded) return 'unsolicited-304';
  const verdict = judgeNotModified(receipt.fields, sent, spec.candidates, spec.basis, spec.request.fields);
  if (verdict.kind === 'refetch') return verdict.reason;
  const target = withBytes(parts.store, verdict.target, isForNobody);
  if (target === undefined) return 'body-lost';
  course.state = 'complete';
  course.ending = { end: 'not-modified', reason: 'revalidated', savedBytes: target.body.totalBytes ?? 0 };
  // Before anybody is told, or one who looks again would find and join what is over.
  fill.table.close(fill);
  const { forLeader, forWaiters } = freshen(parts, spec, target, receipt, fate.isExpired);
  if (forLeader.kind === 'alone' && !parts.store.holds(target)) fill.table.supersedeOlder(fill);
  course.settle(forLeader, forWaiters);
  course.finish('not-modified', 'revalidated');
  return undefined;
}

export function errorStatus(fill: Fill, receipt: Receipt): void {
  noteErrorStatus(fill.parts, fill.spec, receipt);
  fill.table.close(fill);
  const { status } = receipt;
  fill.course.leasing?.failed(status);
  const response = openPassing(fill, receipt, 'error', 'origin-error-status');
  const failed = { kind: 'failed', failure: 'error-status', status, retryAfterSec: retryAfterSec(receipt) } as const;
  fill.course.settle({ ...failed, response }, { ...failed, response: undefined });
}

/** Not for the store: the leader alone gets the bytes; the others go on their own, all at once (design, section 3). */
export function uncacheable(fill: Fill, receipt: Receipt, reason: string): void {
  fill.table.close(fill);
  const hasOutdated = !fill.fate.isSuperseded && noteUncacheable(fill.parts, fill.spec, receipt, reason);
  if (hasOutdated) fill.table.supersedeOlder(fill);
  fill.course.leasing?.uncacheable(reason);
  const response = openPassing(fill, receipt, 'uncacheable', reason);
  fill.course.settle({ kind: 'alone', response, reason, revalidated: false }, { kind: 'turned-away', reason });
}

function openPassing({ parts, spec, course }: Fill, receipt: Receipt, end: AskedEnd, reason: string): StoredResponse {
  const inflow = Inflow.pass(parts.store, bodyLength(spec.method, receipt), course);
  course.opened(inflow, end, reason);
  return madeResponse(spec, receipt, undefined, inflow.body);
}
