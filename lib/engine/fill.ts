/**
 * One exchange with the origin on behalf of one key, and all who wait on it.
 *
 * A fill goes opened -> streaming -> complete | failed. Its head decides what becomes of it: stored (waiters follow
 * the bytes as they arrive), freshened (a 304 was merged), alone (uncacheable: the leader gets it, the others are
 * turned away and go on their own), or failed. Implements RFC 9111 §3.3, §4.3.3, §4.3.4 and the design, sections 1 to 3.
 */
import { OriginError } from '../base/errors.js';
import {
  FLOW_WINDOW_BYTES,
  JOIN_BODY_BYTES,
  MARKER_TTL_MS,
  MAX_REPEATS_PER_FILL,
  MAX_RESUMES_PER_FILL,
  RESERVE_STEP_BYTES,
} from '../base/limits.js';
import type { Rule } from '../config/rule.js';
import { Fields } from '../http/fields.js';
import { Body } from '../object/body.js';
import type { StoredResponse } from '../object/stored.js';
import type { AskedEnd, AskedFor } from '../observe/events.js';
import type { OriginExchange, OriginListener, OriginResponseHead } from '../origin/contract.js';
import { receivedResponseFields, requestToOrigin } from '../policy/hygiene.js';
import { mergeFields } from '../policy/merge.js';
import { isBoundToRequest, judgeStorable } from '../policy/storable.js';
import { conditionalFields, judgeNotModified, type SentValidators, unconditionalFields } from '../policy/validate.js';
import { chooseVariant } from '../policy/vary.js';
import type { ClientRequest } from './contract.js';
import type { EngineParts } from './parts.js';
import {
  contentLength,
  freshenedResponse,
  isSameRepresentation,
  madeResponse,
  type Part,
  partOf,
  partRecord,
  type Receipt,
  retryAfterMs,
} from './response.js';

/**
 * `stored`: ask with the validators of what is stored. `client`: the client's own conditions and ranges. `none`: neither.
 * `rest`: ask for what is missing of the basis, a response of which the beginning is at hand (RFC 9111 §3.4).
 */
export type Conditions = 'stored' | 'client' | 'none' | 'rest';

export interface FillSpec {
  readonly key: string;
  readonly method: 'GET' | 'HEAD';
  readonly request: ClientRequest;
  readonly rule: Rule;
  /** The stored response that is to be validated. */
  readonly basis: StoredResponse | undefined;
  /** All stored responses of the key: their validators are sent as well (RFC 9111 §4.3.1). */
  readonly candidates: readonly StoredResponse[];
  readonly conditions: Conditions;
  readonly askedFor: AskedFor;
  readonly background: boolean;
  /** Where the key is remembered as uncacheable. */
  readonly markerKey: string;
}

export type FillResult =
  | {
      readonly kind: 'shared';
      readonly response: StoredResponse;
      readonly revalidated: boolean;
      readonly stored: boolean;
    }
  | {
      readonly kind: 'alone';
      readonly response: StoredResponse;
      readonly reason: string;
      readonly revalidated: boolean;
    }
  | { readonly kind: 'turned-away'; readonly reason: string }
  | { readonly kind: 'failed'; readonly failure: 'unreachable'; readonly error: OriginError }
  | {
      readonly kind: 'failed';
      readonly failure: 'error-status';
      readonly status: number;
      /** The origin's own error answer: for the leader alone, since it may be meant for it alone. */
      readonly response: StoredResponse | undefined;
      readonly retryAfterSec: number | undefined;
    };

/** A request that waits on a fill, or leads it. */
export interface Waiter {
  readonly request: ClientRequest;
  inform(status: number, fields: Fields): void;
  /** Told once. Opens a reader on the body of the response before it returns, if it wants that body. */
  settled(fill: Fill, result: FillResult): void;
}

/** Asks for the bytes from `from` on, and only of the representation that is at hand (RFC 9110 §13.1.5, §14.2). */
function restFields(requestFields: Fields, from: number, basis: StoredResponse): Fields {
  const asked = unconditionalFields(requestFields).append('Range', `bytes=${from}-`);
  const etag = basis.fields.first('etag');
  return etag !== undefined && isSameRepresentation(basis.fields, basis.fields)
    ? asked.append('If-Range', etag)
    : asked;
}

/** Statuses that count as a failure of the origin (design, section 1). */
export function isFailureStatus(status: number): boolean {
  return status === 500 || status === 502 || status === 503 || status === 504;
}

/** Reasons that lie in this answer or this moment, not in the key: the next request may well get a storable one. */
const REASONS_OF_ONE_ANSWER: ReadonlySet<string> = new Set([
  'no-room',
  'partial',
  'not-modified',
  'status-bound-to-request',
]);

export class Fill {
  state: 'opened' | 'streaming' | 'complete' | 'failed' = 'opened';
  /** What is being stored, once its head is here. */
  response: StoredResponse | undefined;
  readonly spec: FillSpec;
  readonly #parts: EngineParts;
  /** Leaves the collapse table: no further request may join. */
  readonly #leaveTable: (fill: Fill) => void;
  #leader: Waiter | undefined;
  readonly #waiters = new Set<Waiter>();
  #superseded = false;
  #attempts = 0;
  #repeats = 0;
  #resumesLeft = MAX_RESUMES_PER_FILL;
  /** From which byte on the rest was asked for, while its answer is awaited. */
  #restFrom: number | undefined;
  /** Where the bytes of a 206 belong that is being stored as a part. */
  #part: Part | undefined;
  #exchange: OriginExchange | undefined;
  #sent: SentValidators | undefined;
  #requestAt = 0;
  #startedAt = 0;
  #status: number | undefined;
  #reservedBytes = 0;
  #storing = false;
  #trailers = Fields.empty;
  #end: { end: AskedEnd; reason: string; savedBytes: number } | undefined;

  constructor(parts: EngineParts, spec: FillSpec, leader: Waiter | undefined, leaveTable: (fill: Fill) => void) {
    this.#parts = parts;
    this.spec = spec;
    this.#leader = leader;
    this.#leaveTable = leaveTable;
  }

  get waiterCount(): number {
    return this.#waiters.size;
  }

  /** Trailers of the origin's answer, once it is complete. */
  get trailers(): Fields {
    return this.#trailers;
  }

  start(): void {
    this.#startedAt = this.#parts.clock.now();
    this.#send(this.spec.conditions);
  }

  join(waiter: Waiter): void {
    this.#waiters.add(waiter);
  }

  /** The waiter's client left, or it waited too long. The fill goes on where others, or the store, still want it. */
  leave(waiter: Waiter): void {
    this.#waiters.delete(waiter);
    if (this.#leader !== waiter) return;
    this.#leader = undefined;
    if (this.spec.conditions === 'client' && this.state === 'opened' && this.#waiters.size === 0) {
      this.#exchange?.abort();
      this.#finish('abandoned', 'client-left');
    }
  }

  /** A purge or an update came while this was in flight: it wins, nothing of this answer is stored. */
  supersede(): void {
    this.#superseded = true;
    this.#leaveTable(this);
  }

  #send(conditions: Conditions): void {
    const { spec } = this;
    const attempt = ++this.#attempts;
    let fields = requestToOrigin(spec.request, this.#parts.hygiene);
    this.#sent = undefined;
    const basis = this.response ?? spec.basis;
    if (conditions === 'rest' && basis !== undefined) {
      this.#restFrom = this.#body?.receivedBytes ?? basis.partial?.prefixBytes ?? 0;
      fields = restFields(fields, this.#restFrom, basis);
    } else if (conditions !== 'client') {
      const useStored = conditions === 'stored';
      const made = conditionalFields(fields, useStored ? spec.candidates : [], useStored ? spec.basis : undefined);
      fields = made.fields;
      if (useStored) this.#sent = made.sent;
    }
    this.#requestAt = this.#parts.clock.now();
    // What an earlier attempt still has to say concerns nobody any more.
    const isCurrent = (): boolean => attempt === this.#attempts && this.state !== 'failed';
    const listener: OriginListener = {
      inform: (status, informed) => {
        if (isCurrent()) this.#inform(status, informed);
      },
      head: (head) => {
        if (isCurrent()) this.#head(head);
      },
      data: (chunk) => {
        if (isCurrent()) this.#data(chunk);
      },
      end: (trailers) => {
        if (isCurrent()) this.#complete(trailers);
      },
      fail: (error) => {
        if (isCurrent()) this.#fail(error);
      },
    };
    this.#exchange = this.#parts.origin.fetch({ method: spec.method, target: spec.request.target, fields }, listener);
  }

  #inform(status: number, fields: Fields): void {
    const endToEnd = receivedResponseFields(fields);
    this.#leader?.inform(status, endToEnd);
    for (const waiter of this.#waiters) waiter.inform(status, endToEnd);
  }

  #head(head: OriginResponseHead): void {
    const { spec } = this;
    const { clock } = this.#parts;
    if (this.#restFrom !== undefined && this.#isResumed(head)) return;
    this.#status = head.status;
    const receipt: Receipt = {
      status: head.status,
      reasonPhrase: head.reasonPhrase,
      fields: receivedResponseFields(head.fields),
      requestAt: this.#requestAt,
      responseAt: clock.now(),
      responseWall: clock.wall(),
    };
    if (head.status === 304 && spec.conditions !== 'client') {
      this.#notModified(receipt);
      return;
    }
    if (head.status === 206 && this.#restFrom !== undefined) {
      this.#completeBasis(receipt, this.#restFrom);
      return;
    }
    if (head.status === 206 && spec.method === 'GET' && this.#storePart(receipt)) return;
    if (head.status === 416 && this.#restFrom !== undefined) {
      this.#repeat('rest-refused');
      return;
    }
    this.#admit(receipt);
  }

  /** What becomes of an answer with content of its own. */
  #admit(receipt: Receipt): void {
    const { spec } = this;
    const verdict = judgeStorable({
      method: spec.method,
      requestFields: spec.request.fields,
      status: receipt.status,
      fields: receipt.fields,
      rule: spec.rule,
      receivedWall: receipt.responseWall,
    });
    if (isFailureStatus(receipt.status) && (spec.basis !== undefined || !verdict.store)) this.#errorStatus(receipt);
    else if (!verdict.store) this.#uncacheable(receipt, verdict.reason);
    else this.#store(receipt, verdict.fields);
  }

  /** A complete response may be stored: everyone follows its bytes as they arrive. */
  #store(receipt: Receipt, fields: Fields): void {
    const { spec } = this;
    const { store, failures, markers } = this.#parts;
    const expectedBytes = contentLength(receipt.fields);
    if (spec.method === 'GET') {
      if (expectedBytes !== undefined && expectedBytes > store.maxObjectBytes) {
        this.#uncacheable(receipt, 'too-large');
        return;
      }
      if (!this.#reserve(expectedBytes ?? RESERVE_STEP_BYTES)) {
        this.#uncacheable(receipt, 'no-room');
        return;
      }
      this.#storing = true;
    }
    const body = this.#openBody('retain', expectedBytes);
    this.response = madeResponse(spec, receipt, fields, body);
    this.state = 'streaming';
    failures.succeeded(spec.key);
    markers.unmark(spec.markerKey);
    this.#end = { end: spec.method === 'GET' ? 'stored' : 'uncacheable', reason: 'stored', savedBytes: 0 };
    const result = { kind: 'shared', response: this.response, revalidated: false, stored: this.#storing } as const;
    // What may not be stored (a stripped Set-Cookie, fields that a qualified private names) was still meant for the
    // one whose request this is.
    const suppliedCount = receipt.fields.has('date') ? 0 : 1;
    const isReduced = fields.count - suppliedCount < receipt.fields.without('age').count;
    const forLeader = isReduced ? madeResponse(spec, receipt, undefined, body) : this.response;
    this.#settle({ ...result, response: forLeader }, result);
  }

  /** RFC 9111 §3.3: a part that came by itself is kept, for ranges that it covers. False: it may not be stored. */
  #storePart(receipt: Receipt): boolean {
    const { spec } = this;
    const part = partOf(receipt.fields);
    const verdict = judgeStorable({
      method: spec.method,
      requestFields: spec.request.fields,
      status: 200,
      fields: receipt.fields,
      rule: spec.rule,
      receivedWall: receipt.responseWall,
    });
    const bytes = part === undefined ? 0 : part.until - part.from;
    if (part === undefined || !verdict.store || bytes > this.#parts.store.maxObjectBytes || !this.#reserve(bytes)) {
      return false;
    }
    this.#storing = true;
    this.#part = part;
    this.#parts.failures.succeeded(spec.key);
    this.response = madeResponse(
      spec,
      receipt,
      verdict.fields,
      this.#openBody('retain', contentLength(receipt.fields)),
    );
    this.state = 'streaming';
    this.#leaveTable(this);
    this.#end = { end: 'stored', reason: 'partial', savedBytes: 0 };
    const { response } = this;
    this.#settle(
      { kind: 'alone', response, reason: 'partial', revalidated: false },
      { kind: 'turned-away', reason: 'partial' },
    );
    return true;
  }

  /** RFC 9111 §3.4: the missing rest of the same representation makes the basis whole; anything else starts anew. */
  #completeBasis(receipt: Receipt, from: number): void {
    const { spec } = this;
    const known = spec.basis?.partial;
    const part = partOf(receipt.fields);
    const isRest =
      spec.basis !== undefined &&
      known !== undefined &&
      part?.from === from &&
      part.until === part.totalBytes &&
      part.totalBytes === known.totalBytes &&
      isSameRepresentation(spec.basis.fields, receipt.fields);
    const begun = known?.read(0, from);
    if (!isRest || begun === undefined || part.totalBytes === undefined) {
      this.#repeat('rest-does-not-fit');
      return;
    }
    const whole: Receipt = {
      ...receipt,
      status: 200,
      reasonPhrase: 'OK',
      fields: mergeFields(spec.basis.fields, receipt.fields)
        .without('content-length')
        .append('Content-Length', String(part.totalBytes)),
    };
    this.#status = 200;
    this.#restFrom = undefined;
    this.#admit(whole);
    for (const chunk of begun) this.#data(chunk);
    this.#status = receipt.status;
  }

  /**
   * The body broke off and the origin was asked for the rest: where this is it, the readers never notice. Where it is
   * not, they see the break.
   */
  #isResumed(head: OriginResponseHead): boolean {
    if (this.state !== 'streaming' || this.response === undefined || this.#body === undefined) return false;
    const part = partOf(head.fields);
    const total = this.#body.totalBytes;
    const fits =
      head.status === 206 &&
      part?.from === this.#body.receivedBytes &&
      part.until === part.totalBytes &&
      (total === undefined || total === part.totalBytes) &&
      isSameRepresentation(this.response.fields, head.fields);
    if (fits) {
      this.#restFrom = undefined;
    } else {
      this.#exchange?.abort();
      this.#resumesLeft = 0;
      this.#fail(
        new OriginError('origin-truncated', 'The answer of the origin broke off, and it does not give the rest.'),
      );
    }
    return true;
  }

  /** RFC 9111 §4.3.3, §4.3.4: a 304 freshens what it was asked about, unless a purge or an update came between. */
  #notModified(receipt: Receipt): void {
    const { spec } = this;
    const { store, failures, markers } = this.#parts;
    if (this.#sent === undefined || (this.#superseded && this.#isWanted())) {
      this.#repeat('unexpected-not-modified');
      return;
    }
    if (this.#superseded) {
      this.#finish('abandoned', 'superseded');
      return;
    }
    const verdict = judgeNotModified(receipt.fields, this.#sent, spec.candidates, spec.basis, spec.request.fields);
    if (verdict.kind === 'refetch') {
      this.#repeat(verdict.reason);
      return;
    }
    const freshened = freshenedResponse(spec, verdict.target, receipt);
    failures.succeeded(spec.key);
    this.state = 'complete';
    const savedBytes = verdict.target.body.totalBytes ?? 0;
    this.#end = { end: 'not-modified', reason: 'revalidated', savedBytes };
    if (freshened.refused !== undefined) {
      // The merged fields forbid sharing from now on: only the one who asked may have it. Where that lies in its
      // request alone, what is stored stays as it is, or one client could evict for all.
      if (!isBoundToRequest(freshened.refused)) {
        store.remove(verdict.target, 'replaced');
        markers.mark(spec.markerKey, MARKER_TTL_MS);
      }
      const { refused: reason, response } = freshened;
      this.#settle({ kind: 'alone', response, reason, revalidated: true }, { kind: 'turned-away', reason });
    } else {
      const response = this.#swapIn(verdict.target, freshened.response);
      if (freshened.variant !== undefined) store.put(freshened.variant);
      const shared = freshened.variant ?? response;
      const result: FillResult = { kind: 'shared', response: shared, revalidated: true, stored: true };
      this.#settle(result, result);
    }
    this.#finish('not-modified', 'revalidated');
  }

  /** Puts the freshened record in place of the old one. It may have been evicted or replaced during the round trip. */
  #swapIn(target: StoredResponse, next: StoredResponse): StoredResponse {
    const { store } = this.#parts;
    if (store.swap(target, next)) return next;
    const current = chooseVariant(store.peek(this.spec.key) ?? [], this.spec.request.fields);
    if (current !== undefined) return current;
    // Evicted, not purged: the body is still at hand, so nothing has to be fetched again.
    store.put(next);
    return next;
  }

  /**
   * A 304 that concerns nothing we hold: ask once more without conditions, within the same client request
   * (design, section 2; PEERS scar 9).
   */
  #repeat(reason: string): void {
    if (++this.#repeats > MAX_REPEATS_PER_FILL) {
      this.#fail(
        new OriginError('origin-malformed', `The origin answers 304 to a request without conditions (${reason}).`),
      );
      return;
    }
    // What is asked from here on is newer than the purge or update.
    this.#superseded = false;
    this.#restFrom = undefined;
    this.#exchange?.abort();
    this.#send('none');
  }

  #errorStatus(receipt: Receipt): void {
    const { spec } = this;
    const retryMs = retryAfterMs(receipt);
    this.#parts.failures.note(spec.key, retryMs, 'error-status');
    this.#leaveTable(this);
    this.#end = { end: 'error', reason: 'origin-error-status', savedBytes: 0 };
    this.state = 'streaming';
    const failed = {
      kind: 'failed',
      failure: 'error-status',
      status: receipt.status,
      retryAfterSec: retryMs === undefined ? undefined : retryMs / 1000,
    } as const;
    const body = this.#openBody('flow', contentLength(receipt.fields));
    const response = madeResponse(spec, receipt, undefined, body);
    this.#settle({ ...failed, response }, { ...failed, response: undefined });
  }

  /** Not for the store: the leader alone gets the bytes; the others go on their own, all at once (design, section 3). */
  #uncacheable(receipt: Receipt, reason: string): void {
    const { spec } = this;
    const { store, failures, markers } = this.#parts;
    if (!isFailureStatus(receipt.status)) failures.succeeded(spec.key);
    const isBound = isBoundToRequest(reason);
    // Requests with credentials or cookies are remembered apart, so those two reasons may be.
    const isLasting = !isBound || reason === 'authorization' || reason === 'cookie-heuristic';
    if (isLasting && !REASONS_OF_ONE_ANSWER.has(reason)) markers.mark(spec.markerKey, MARKER_TTL_MS);
    const replaces = receipt.status < 400 || receipt.status === 404 || receipt.status === 410;
    if (spec.basis !== undefined && replaces && receipt.status !== 304 && !isBound) {
      store.remove(spec.basis, 'replaced');
    } else if (spec.basis !== undefined && receipt.status >= 400) {
      failures.note(spec.key, retryAfterMs(receipt), 'error-status');
    }
    this.#leaveTable(this);
    this.#end = { end: 'uncacheable', reason, savedBytes: 0 };
    this.state = 'streaming';
    const body = this.#openBody('flow', contentLength(receipt.fields));
    const response = madeResponse(spec, receipt, undefined, body);
    this.#settle({ kind: 'alone', response, reason, revalidated: false }, { kind: 'turned-away', reason });
  }

  #body: Body | undefined;

  #openBody(mode: 'retain' | 'flow', expectedBytes: number | undefined): Body {
    const hasBody = this.spec.method === 'GET' && this.#status !== 204 && this.#status !== 304;
    const body = new Body({ mode, expectedBytes: hasBody ? expectedBytes : 0, highWaterBytes: FLOW_WINDOW_BYTES });
    body.attach({
      pause: () => this.#exchange?.pause(),
      resume: () => this.#exchange?.resume(),
      abandoned: () => {
        this.#exchange?.abort();
        body.fail();
        this.#finish('abandoned', 'client-left');
      },
    });
    this.#body = body;
    return body;
  }

  #data(chunk: Buffer): void {
    const body = this.#body;
    if (body === undefined) return;
    body.write(chunk);
    if (!this.#storing || body.receivedBytes <= this.#reservedBytes) return;
    const tooLarge = body.receivedBytes > this.#parts.store.maxObjectBytes;
    if (!tooLarge && this.#reserve(Math.max(RESERVE_STEP_BYTES, body.receivedBytes >> 2))) return;
    // A response too large for the budget streams through: whoever reads it goes on reading, the store forgets it.
    this.#storing = false;
    this.#releaseAll();
    this.#leaveTable(this);
    this.#end = { end: 'uncacheable', reason: tooLarge ? 'too-large' : 'no-room', savedBytes: 0 };
    if (tooLarge) this.#parts.markers.mark(this.spec.markerKey, MARKER_TTL_MS);
    body.stopRetaining();
  }

  #complete(trailers: Fields): void {
    const body = this.#body;
    if (body === undefined) return;
    this.#trailers = trailers;
    this.state = 'complete';
    this.#releaseAll();
    body.complete(JOIN_BODY_BYTES);
    const record = this.#recordToPut();
    if (record !== undefined && !this.#superseded) {
      const fits = this.#parts.store.put(record, this.spec.basis);
      if (!fits) this.#end = { end: 'uncacheable', reason: 'no-room', savedBytes: 0 };
    } else if (this.#storing && this.#superseded) {
      this.#end = { end: 'abandoned', reason: 'superseded', savedBytes: 0 };
    }
    this.#finish('stored', 'stored');
  }

  /** What goes into the store, once all of it is here. A part never takes the place of a whole. */
  #recordToPut(): StoredResponse | undefined {
    const { response, spec } = this;
    if (!this.#storing || response === undefined) return undefined;
    if (this.#part === undefined) return response;
    const known = chooseVariant(this.#parts.store.peek(spec.key) ?? [], spec.request.fields);
    if (known !== undefined && known.partial === undefined) return undefined;
    return partRecord(response, this.#part, known);
  }

  /** An interrupted download goes on where it broke off, where the representation can be told to be the same. */
  #mayResume(): boolean {
    if (this.state !== 'streaming' || !this.#storing || this.#part !== undefined || this.#resumesLeft === 0)
      return false;
    const { response } = this;
    const received = this.#body?.receivedBytes ?? 0;
    return (
      response?.status === 200 &&
      received > 0 &&
      !this.#superseded &&
      isSameRepresentation(response.fields, response.fields)
    );
  }

  #fail(error: OriginError): void {
    if (this.#mayResume()) {
      this.#resumesLeft--;
      this.#send('rest');
      return;
    }
    const wasOpened = this.state === 'opened';
    this.state = 'failed';
    this.#end = { end: 'failed', reason: error.code, savedBytes: 0 };
    this.#releaseAll();
    const retryMs = error.retryAfterSec === undefined ? undefined : error.retryAfterSec * 1000;
    this.#parts.failures.note(this.spec.key, retryMs, 'unreachable');
    if (wasOpened) {
      this.#leaveTable(this);
      const result: FillResult = { kind: 'failed', failure: 'unreachable', error };
      this.#settle(result, result);
    }
    // Readers see a body that breaks off, never a clean end; what was stored before stays stored.
    this.#body?.fail();
    this.#finish('failed', error.code);
  }

  #isWanted(): boolean {
    return this.#leader !== undefined || this.#waiters.size > 0;
  }

  /** Tells the leader and the waiters, once. Aborts the exchange where nobody reads and nothing is stored. */
  #settle(forLeader: FillResult, forWaiters: FillResult): void {
    const leader = this.#leader;
    this.#leader = undefined;
    const waiters = [...this.#waiters];
    this.#waiters.clear();
    leader?.settled(this, forLeader);
    for (const waiter of waiters) waiter.settled(this, forWaiters);
    const body = this.#body;
    if (body === undefined || body.mode !== 'flow' || body.state !== 'streaming' || body.readerCount > 0) return;
    this.#exchange?.abort();
    body.fail();
    this.#finish('abandoned', 'not-wanted');
  }

  #reserve(bytes: number): boolean {
    if (!this.#parts.store.reserve(bytes)) return false;
    this.#reservedBytes += bytes;
    return true;
  }

  #releaseAll(): void {
    if (this.#reservedBytes > 0) this.#parts.store.release(this.#reservedBytes);
    this.#reservedBytes = 0;
  }

  #finished = false;

  #finish(end: AskedEnd, reason: string): void {
    if (this.#finished) return;
    this.#finished = true;
    if (end === 'abandoned') this.state = 'failed';
    this.#releaseAll();
    this.#leaveTable(this);
    const told = this.#end ?? { end, reason, savedBytes: 0 };
    this.#parts.events.asked({
      askedFor: this.spec.askedFor,
      end: told.end,
      status: this.#status,
      reason: told.reason,
      key: this.spec.key,
      durationMs: this.#parts.clock.now() - this.#startedAt,
      bodyBytes: this.#body?.receivedBytes ?? 0,
      background: this.spec.background,
      savedBytes: told.savedBytes,
    });
  }
}
