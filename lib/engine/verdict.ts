/**
 * What an answer of the origin means for the fill that asked: a verdict without side effects, in the order in which the
 * questions decide. Implements RFC 9111 §3, §3.3, §3.4, §4.3.3 and the design, sections 1 and 2.
 */
import type { Rule } from '../config/rule.js';
import { CONTENT_SUMS } from '../http/content-sums.js';
import type { Fields } from '../http/fields.js';
import type { SafetyOverride, StoredResponse } from '../object/stored.js';
import type { Governing } from '../policy/lifetime.js';
import { judgeStorable } from '../policy/storable.js';
import { isInCodingOf, isSameRepresentation, type Part, partOf, updatedFields } from './combining.js';
import type { Conditions, FillSpec } from './fill-contract.js';
import { contentLength, type Receipt, ruleOf } from './receipt.js';
import type { JudgedBy } from './response.js';

export type Answer =
  /** A 304 to a condition of ours, or to none. */
  | { readonly kind: 'not-modified' }
  /** To be stored whole. */
  | {
      readonly kind: 'whole';
      readonly fields: Fields;
      readonly despite: readonly SafetyOverride[];
      /** The directives, and the rule, that it was judged by. */
      readonly by: Governing;
      readonly rule: Rule;
    }
  /** A part, to be stored as such. */
  | {
      readonly kind: 'part';
      readonly part: Part;
      readonly fields: Fields;
      readonly despite: readonly SafetyOverride[];
    }
  /** The rest of a response of which `begun` is at hand: together they are what `receipt` describes. */
  | {
      readonly kind: 'rest';
      readonly receipt: Receipt;
      readonly begun: readonly Buffer[];
      readonly fields: Fields;
      readonly despite: readonly SafetyOverride[];
    }
  /** It does not fit what was asked: ask again, without conditions. */
  | { readonly kind: 'repeat'; readonly reason: string }
  /** A failure of the origin. */
  | { readonly kind: 'error-status' }
  | { readonly kind: 'uncacheable'; readonly reason: string };

/** What is to be stored of an answer, and by which overrides of its rule. */
export type Storing = Pick<Answer & { readonly kind: 'whole' }, 'fields' | 'despite'> & Partial<JudgedBy>;

/** Those of the registry that say something else than that the origin has failed. */
const OTHER_SERVER_ERRORS: ReadonlySet<number> = new Set([501, 505, 506, 507, 508, 510, 511]);

/**
 * Statuses that count as a failure of the origin: 500, 502, 503, 504 (design, section 1; RFC 5861 §4), and what is to be taken
 * for a 500: an unknown one of its class, such as 522, and one beyond all classes (RFC 9110 §15).
 */
export function isFailureStatus(status: number): boolean {
  return status >= 500 && !OTHER_SERVER_ERRORS.has(status);
}

/** What the present request asked for: a repeat asks for less than the first. */
export interface Asked {
  readonly conditions: Conditions;
  /** From which byte on the rest of the basis was asked for, where it was. */
  readonly restFrom: number | undefined;
}

export function judgeAnswer(
  spec: FillSpec,
  receipt: Receipt,
  { conditions, restFrom }: Asked,
  maxObjectBytes: number,
): Answer {
  const { status } = receipt;
  const isClients = conditions === 'client';
  if (status === 304 && !(isClients && mayBeNotModified(spec.request.fields))) return { kind: 'not-modified' };
  if (restFrom !== undefined) {
    if (status === 206) return judgeRest(spec, receipt, restFrom);
    if (status === 416) return { kind: 'repeat', reason: 'rest-refused' };
  } else if (status === 206) {
    // RFC 9110 §15.3.7: a part is the answer to a request for a part, and to no other.
    if (!isClients || !spec.request.fields.has('range')) return { kind: 'repeat', reason: 'unsolicited-206' };
    if (spec.method === 'GET') return judgePart(spec, receipt, maxObjectBytes);
  }
  const rule = ruleOf(spec, receipt);
  const verdict = judgeStored(spec, receipt, rule);
  // An error answer never takes the place of what is stored (PEERS scar 3); on its own it goes by its own fields.
  if (isFailureStatus(receipt.status) && (spec.basis !== undefined || !verdict.store)) return { kind: 'error-status' };
  if (!verdict.store) return { kind: 'uncacheable', reason: verdict.reason };
  if (isEventStream(receipt.fields)) return { kind: 'uncacheable', reason: 'event-stream' };
  const expectedBytes = contentLength(receipt.fields) ?? 0;
  if (spec.method === 'GET' && expectedBytes > maxObjectBytes) return { kind: 'uncacheable', reason: 'too-large' };
  return { kind: 'whole', fields: verdict.fields, despite: verdict.despite, by: verdict.by, rule };
}

/** RFC 9110 §15.4.5: a 304 answers these two conditions, and no other. */
function mayBeNotModified(requestFields: Fields): boolean {
  return requestFields.has('if-none-match') || requestFields.has('if-modified-since');
}

const EVENT_STREAM_LENGTH = 'text/event-stream'.length;
const E_CODE = 0x65;

/** A stream of events has no end to wait for, and each reader wants it from now on. */
export function isEventStream(fields: Fields): boolean {
  const type = fields.first('content-type');
  if (type === undefined || type.length < EVENT_STREAM_LENGTH) return false;
  // Of nearly all others the sixth letter tells it.
  return (type.charCodeAt(5) | 0x20) === E_CODE && /^text\/event-stream\s*(;|$)/i.test(type);
}

function judgeStored(spec: FillSpec, receipt: Receipt, rule = ruleOf(spec, receipt)): ReturnType<typeof judgeStorable> {
  // A question with content is asked by POST, whatever is made of the answer here.
  const isCachedPost = spec.request.content !== undefined;
  return judgeStorable({
    method: isCachedPost ? 'POST' : spec.method,
    isCachedPost,
    requestFields: spec.request.fields,
    status: receipt.status,
    fields: receipt.fields,
    rule,
    receivedWall: receipt.responseWall,
  });
}

/** RFC 9111 §3.3: a part is stored where the whole that it belongs to might be. */
function judgePart(spec: FillSpec, receipt: Receipt, maxObjectBytes: number): Answer {
  const part = partOf(receipt.fields);
  const verdict = judgeStored(spec, { ...receipt, status: 200 });
  if (!verdict.store) return { kind: 'uncacheable', reason: verdict.reason };
  if (part === undefined) return { kind: 'uncacheable', reason: 'partial' };
  if (part.until - part.from > maxObjectBytes) return { kind: 'uncacheable', reason: 'too-large' };
  return { kind: 'part', part, fields: verdict.fields, despite: verdict.despite };
}

/** RFC 9111 §3.4: the missing rest of the same representation makes the basis whole; anything else starts anew. */
function judgeRest(spec: FillSpec, receipt: Receipt, from: number): Answer {
  const known = spec.basis?.partial;
  const part = partOf(receipt.fields);
  const begun = known?.read(0, from);
  const merged = spec.basis === undefined ? undefined : updatedFields(spec.basis, receipt.fields);
  if (
    spec.basis === undefined ||
    begun === undefined ||
    merged === undefined ||
    part?.totalBytes === undefined ||
    part.totalBytes !== known?.totalBytes ||
    !continues(part, from, receipt.fields, spec.basis)
  ) {
    return { kind: 'repeat', reason: 'rest-does-not-fit' };
  }
  const described = merged.without('content-length').withoutAny(CONTENT_SUMS);
  const sized = described.append('Content-Length', String(part.totalBytes));
  const age = receipt.fields.first('age');
  const fields = age === undefined ? sized : sized.append('Age', age);
  const whole: Receipt = { ...receipt, status: 200, reasonPhrase: 'OK', fields };
  const verdict = judgeStored(spec, whole);
  return verdict.store
    ? { kind: 'rest', receipt: whole, begun, fields: verdict.fields, despite: verdict.despite }
    : { kind: 'repeat', reason: verdict.reason };
}

/** Whether a part goes from `from` to the end of the very representation that `begun` is of. */
function continues(part: Part, from: number, fields: Fields, begun: StoredResponse): boolean {
  const isTheEnd = part.from === from && part.until === part.totalBytes;
  return isTheEnd && isSameRepresentation(begun.fields, fields) && isInCodingOf(begun, fields);
}

/** The length of the whole, where an answer is the rest of a body that broke off while it was received. */
export function wholeByRest(response: StoredResponse, status: number, fields: Fields): number | undefined {
  const { receivedBytes, totalBytes } = response.body;
  const part = status === 206 ? partOf(fields) : undefined;
  if (part === undefined || !continues(part, receivedBytes, fields, response)) return undefined;
  if (totalBytes !== undefined) return totalBytes === part.totalBytes ? part.totalBytes : undefined;
  // What is coded as it is sent has no length then, and ranges mostly in no coding, under the same tag: that they have the same is to be said.
  const isSameCoding = fields.get('content-encoding') === response.fields.get('content-encoding');
  return isSameCoding ? part.totalBytes : undefined;
}
