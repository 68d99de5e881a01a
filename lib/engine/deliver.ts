/**
 * Makes the reply to one request from one stored response: conditions first, then ranges, then the body
 * (the order of RFC 9110 §13.2.2). Implements RFC 9111 §4 (the fields of a reply made from the store).
 */
import assert from 'node:assert/strict';
import { type CacheStatusEntry, formatCacheStatus } from '../http/cache-status.js';
import { CONTENT_SUMS } from '../http/content-sums.js';
import { Fields } from '../http/fields.js';
import type { ByteRange } from '../http/ranges.js';
import type { Segments } from '../object/segments.js';
import { sliceChunks } from '../object/slice.js';
import { type StoredResponse, takenOf } from '../object/stored.js';
import type { Taken } from '../object/taken.js';
import type { Outcome } from '../observe/events.js';
import { ageSecAt } from '../policy/age.js';
import { evaluatePreconditions, notModifiedFields } from '../policy/precondition.js';
import {
  contentRange,
  multipartByteranges,
  PARTIAL_CONTENT,
  type RangeVerdict,
  selectRanges,
  unsatisfiedRange,
} from '../policy/range.js';
import type { ClientRequest, Payload, Reply, TrailerSource } from './contract.js';
import { PartsReader } from './parts-reader.js';

/** How a reply came about, as far as the stored response alone does not tell. */
export interface Delivery {
  readonly outcome: Outcome;
  readonly status: CacheStatusEntry;
  readonly rule: string;
  readonly collapsed: boolean;
  /** Whether Age is told even where it is 0: always on an answer from the store (RFC 9111 §5.1), not on one that just came. */
  readonly fromStore: boolean;
  /** Trailers that came with the body, asked for once it has been read. */
  readonly trailers?: TrailerSource | undefined;
}

const NO_PAYLOAD: Payload = { kind: 'none' };

/** RFC 9110 §7.6.3: our member of Via says the version of the message that was received. `own`: for one of 1.1. */
export function viaOf(receivedVersion: '1.0' | undefined, own: string): string {
  return receivedVersion === undefined ? own : `${receivedVersion}${own.slice(own.indexOf(' '))}`;
}

/** What a reply says behind what is stored: Age, Via and Cache-Status. */
export function toldBehind(ageSec: number | undefined, delivery: Delivery, via: string): string[] {
  const status = formatCacheStatus(delivery.status);
  if (ageSec === undefined) return ['Via', via, 'Cache-Status', status];
  return ['Age', String(ageSec), 'Via', via, 'Cache-Status', status];
}

export function deliver(
  stored: StoredResponse,
  request: ClientRequest,
  now: number,
  delivery: Delivery,
  via: string,
): Reply {
  const age = ageSecAt(stored.life, now);
  const ageSec = delivery.fromStore || age > 0 ? age : undefined;
  const note = {
    outcome: delivery.outcome,
    reason: delivery.status.detail,
    rule: delivery.rule,
    ageSec,
    collapsed: delivery.collapsed,
  };
  const behind = toldBehind(ageSec, delivery, viaOf(stored.receivedVersion, via));
  const precondition = evaluatePreconditions(request.method, request.fields, stored);
  if (precondition === 'not-modified') {
    const fields = notModifiedFields(stored.fields).followedBy(behind);
    return { status: 304, reasonPhrase: 'Not Modified', fields, payload: NO_PAYLOAD, note };
  }
  if (precondition === 'precondition-failed') {
    const raw = ['Content-Type', 'text/plain; charset=utf-8'];
    const date = stored.fields.first('date');
    if (date !== undefined) raw.unshift('Date', date);
    const body = Buffer.from('A condition of the request does not hold for the stored response.\n');
    const fields = new Fields([...raw, ...behind]);
    const payload: Payload =
      request.method === 'HEAD' ? NO_PAYLOAD : { kind: 'bytes', chunks: [body], length: body.length };
    return { status: 412, reasonPhrase: 'Precondition Failed', fields, payload, note };
  }
  const total = totalBytes(stored);
  if (request.method === 'HEAD') {
    // RFC 9110 §9.3.2: the fields that a GET would have got, length included where it is known.
    if (total !== undefined && stored.status !== 204 && !stored.fields.has('content-length')) {
      behind.push('Content-Length', String(total));
    }
    return {
      status: stored.status,
      reasonPhrase: stored.reasonPhrase,
      fields: stored.fields.followedBy(behind),
      payload: NO_PAYLOAD,
      note,
    };
  }
  const ranges = selectRanges(request.fields, stored, total);
  if (ranges.kind !== 'whole' && total !== undefined) {
    const partial = deliverRanges(stored, ranges, total, behind);
    if (partial !== undefined) return { ...partial, note };
  }
  return {
    status: stored.status,
    reasonPhrase: stored.reasonPhrase,
    fields: stored.fields.followedBy(behind),
    payload: payloadOf(stored, 0, total, delivery.trailers),
    note,
  };
}

/** Length of the whole body, as far as it is known. */
export function totalBytes(stored: StoredResponse): number | undefined {
  return stored.partial === undefined ? stored.body.totalBytes : stored.partial.totalBytes;
}

/**
 * Whether what is at hand of a partial response answers this request: each byte of the ranges that it asks for
 * (RFC 9111 §3.3).
 */
export function coversRanges(stored: StoredResponse, request: ClientRequest): boolean {
  const { partial } = stored;
  if (partial === undefined) return true;
  if (request.method !== 'GET') return false;
  const ranges = selectRanges(request.fields, stored, partial.totalBytes);
  switch (ranges.kind) {
    case 'whole':
      return false;
    case 'unsatisfiable':
      return true;
    case 'single':
      return partial.read(ranges.from, ranges.until) !== undefined;
    case 'multiple':
      return ranges.ranges.every(({ from, until }) => partial.read(from, until) !== undefined);
  }
}

/** Whether a body that still arrives has come to where what is asked for begins: there is nothing to wait for before it. */
export function hasReachedRanges(stored: StoredResponse, request: ClientRequest): boolean {
  if (request.method !== 'GET') return true;
  const { receivedBytes } = stored.body;
  const ranges = selectRanges(request.fields, stored, totalBytes(stored));
  if (ranges.kind === 'single') return ranges.from <= receivedBytes;
  return ranges.kind !== 'multiple' || ranges.ranges.every(({ from }) => from <= receivedBytes);
}

function payloadOf(
  stored: StoredResponse,
  from: number,
  until: number | undefined,
  trailers?: TrailerSource | undefined,
): Payload {
  const { body, partial } = stored;
  if (partial !== undefined) return bytesOf(heldRange(partial, from, until), partial);
  const chunks = body.wholeChunks;
  if (chunks !== undefined) {
    const end = until ?? body.receivedBytes;
    // What lies in a slab is copied for each client.
    const taken = body.slab === undefined ? body : undefined;
    if (from === 0 && end === body.receivedBytes) return { kind: 'bytes', chunks, length: end, taken };
    return { kind: 'bytes', chunks: sliceChunks(chunks, from, end), length: end - from, taken };
  }
  const length = until === undefined ? undefined : until - from;
  const reader = body.open(from, from === 0 && until === body.totalBytes ? undefined : until);
  return { kind: 'reader', reader, length, trailers, taken: body };
}

/** Bytes of a partial response that coversRanges has found to be there. */
function heldRange(partial: Segments, from: number, until: number | undefined): Buffer[] {
  const bytes = until === undefined ? undefined : partial.read(from, until);
  assert(bytes !== undefined, 'a part is served for what it covers, and for nothing else');
  return bytes;
}

/** Fields that give a lifetime, to all caches or to some (RFC 9213). */
const LIFETIME = /^(?:(?:.+-)?cache-control|surrogate-control|expires|pragma)$/;

/** RFC 9110 §14: 206 with one range or several, or 416. Undefined: answer with the whole. */
function deliverRanges(
  stored: StoredResponse,
  ranges: Exclude<RangeVerdict, { kind: 'whole' }>,
  total: number,
  behind: readonly string[],
): Pick<Reply, 'status' | 'reasonPhrase' | 'fields' | 'payload'> | undefined {
  if (ranges.kind === 'unsatisfiable') {
    // The stored fields describe a body that is not sent: Content-Type and the like stay away. So does what says how long it is fresh:
    // the next cache would keep the 416 for so long, and give it to those who ask for the whole (RFC 9111 §3).
    const others = stored.fields.filter((name) => !name.startsWith('content-') && !LIFETIME.test(name));
    const fields = others.followedBy([...behind, 'Content-Range', unsatisfiedRange(total)]);
    return { status: 416, reasonPhrase: 'Range Not Satisfiable', fields, payload: bytesOf([]) };
  }
  // RFC 9530 §2: that of a 206 would be over its own bytes.
  const kept = stored.fields.withoutAny(CONTENT_SUMS);
  if (ranges.kind === 'single') {
    return {
      status: 206,
      reasonPhrase: PARTIAL_CONTENT,
      fields: kept.followedBy([...behind, 'Content-Range', contentRange(ranges.from, ranges.until, total)]),
      payload: payloadOf(stored, ranges.from, ranges.until),
    };
  }
  const several = severalOf(stored, ranges.ranges, total);
  if (several === undefined) return undefined;
  return {
    status: 206,
    reasonPhrase: PARTIAL_CONTENT,
    fields: kept.without('content-type').followedBy([...behind, 'Content-Type', several.contentType]),
    payload: several.payload,
  };
}

/** Several ranges, wrapped (RFC 9110 §14.6). Undefined: answer with the whole. */
function severalOf(
  stored: StoredResponse,
  ranges: readonly ByteRange[],
  total: number,
): { readonly contentType: string; readonly payload: Payload } | undefined {
  const { body, partial } = stored;
  const chunks = body.wholeChunks;
  const isBelow = body.isWhole && body.heldBytes === 0;
  // A body that still arrives is sent whole: RFC 9110 §14.2 lets a server ignore Range.
  if (chunks === undefined && !isBelow) return undefined;
  const wrapped = multipartByteranges(ranges, stored.fields.get('content-type'), total, makeBoundary());
  const { contentType, parts, tail, totalBytes: length } = wrapped;
  if (chunks === undefined) {
    return { contentType, payload: { kind: 'reader', reader: new PartsReader(body, wrapped), length } };
  }
  const read = (from: number, until: number): Buffer[] =>
    partial === undefined ? sliceChunks(chunks, from, until) : heldRange(partial, from, until);
  const out: Buffer[] = [];
  for (const part of parts) out.push(part.head, ...read(part.range.from, part.range.until));
  out.push(tail);
  return { contentType, payload: bytesOf(out, takenOf(stored)) };
}

function bytesOf(chunks: readonly Buffer[], taken?: Taken): Payload {
  let length = 0;
  for (const chunk of chunks) length += chunk.length;
  return { kind: 'bytes', chunks, length, taken };
}

let boundaryCount = 0;

/** Different for each reply, so that no stored body can foresee it. */
function makeBoundary(): string {
  boundaryCount = (boundaryCount + 1) % Number.MAX_SAFE_INTEGER;
  return `patina-${Math.random().toString(36).slice(2)}${boundaryCount.toString(36)}`;
}
