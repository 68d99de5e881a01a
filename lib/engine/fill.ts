/**
 * One exchange with the origin on behalf of one key, and all who wait on it.
 *
 * A fill goes opened -> streaming -> complete | failed. Its head decides what becomes of it: stored (waiters follow
 * the bytes as they arrive), freshened (a 304 was merged), alone (uncacheable: the leader gets it, the others are
 * turned away and go on their own), or failed. Implements RFC 9111 §3.3, §3.4, §4.3.3, §4.3.4 and the design,
 * sections 1 to 3.
 */
import { OriginError } from '../base/errors.js';
import { MARKER_TTL_MS, MAX_REPEATS_PER_FILL, MAX_RESUMES_PER_FILL } from '../base/limits.js';
import { Fields } from '../http/fields.js';
import type { StoredResponse } from '../object/stored.js';
import type { AskedEnd } from '../observe/events.js';
import type { OriginExchange, OriginListener, OriginResponseHead } from '../origin/contract.js';
import { receivedResponseFields, requestToOrigin } from '../policy/hygiene.js';
import { isBoundToRequest } from '../policy/storable.js';
import { conditionalFields, judgeNotModified, type SentValidators, unconditionalFields } from '../policy/validate.js';
import { chooseVariant } from '../policy/vary.js';
import type { Conditions, FillResult, FillSpec, Waiter } from './fill-contract.js';
import { Inflow } from './inflow.js';
import type { EngineParts } from './parts.js';
import {
  contentLength,
  freshenedResponse,
  isSameRepresentation,
  madeResponse,
  type Part,
  partRecord,
  type Receipt,
  retryAfterMs,
} from './response.js';
import { type Answer, isRestOf, judgeAnswer } from './verdict.js';

/** Reasons that lie in this answer or this moment, not in the key: the next request may well get a storable one. */
const REASONS_OF_ONE_ANSWER: ReadonlySet<string> = new Set([
  'no-room',
  'partial',
  'not-modified',
  'status-bound-to-request',
]);

interface Ending {
  readonly end: AskedEnd;
  readonly reason: string;
  readonly savedBytes: number;
}

export class Fill {
  state: 'opened' | 'streaming' | 'complete' | 'failed' = 'opened';
  /** What others may follow, once its head is here. */
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
  #exchange: OriginExchange | undefined;
  #sent: SentValidators | undefined;
  /** From which byte on the rest was asked for, while its answer is awaited. */
  #restFrom: number | undefined;
  /** Where the bytes of a 206 belong that is being stored as a part. */
  #part: Part | undefined;
  #inflow: Inflow | undefined;
  #requestAt = 0;
  #startedAt = 0;
  #status: number | undefined;
  #trailers = Fields.empty;
  /** What is told in the end, where it is known before. */
  #ending: Ending | undefined;
  #isFinished = false;

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
    const attempt = ++this.#attempts;
    const fields = this.#requestFields(conditions);
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
    const { method, request } = this.spec;
    this.#exchange = this.#parts.origin.fetch({ method, target: request.target, fields }, listener);
  }

  #requestFields(conditions: Conditions): Fields {
    const { request, basis, candidates } = this.spec;
    const fields = requestToOrigin(request, this.#parts.hygiene);
    this.#sent = undefined;
    this.#restFrom = undefined;
    switch (conditions) {
      case 'client':
        return fields;
      case 'none':
        return unconditionalFields(fields);
      case 'stored': {
        const made = conditionalFields(fields, candidates, basis);
        this.#sent = made.sent;
        return made.fields;
      }
      case 'rest': {
        const begun = this.response ?? basis;
        this.#restFrom = this.#inflow?.body.receivedBytes ?? begun?.partial?.prefixBytes ?? 0;
        const asked = unconditionalFields(fields).append('Range', `bytes=${this.#restFrom}-`);
        // RFC 9110 §13.1.5: of that representation, or the whole of the new one.
        const etag = begun?.fields.first('etag');
        const isStrong = begun !== undefined && isSameRepresentation(begun.fields, begun.fields);
        return isStrong && etag !== undefined ? asked.append('If-Range', etag) : asked;
      }
    }
  }

  #inform(status: number, fields: Fields): void {
    const endToEnd = receivedResponseFields(fields);
    this.#leader?.inform(status, endToEnd);
    for (const waiter of this.#waiters) waiter.inform(status, endToEnd);
  }

  #head(head: OriginResponseHead): void {
    if (this.state === 'streaming') {
      this.#resume(head);
      return;
    }
    const { clock, store } = this.#parts;
    this.#status = head.status;
    const receipt: Receipt = {
      status: head.status,
      reasonPhrase: head.reasonPhrase,
      fields: receivedResponseFields(head.fields),
      requestAt: this.#requestAt,
      responseAt: clock.now(),
      responseWall: clock.wall(),
    };
    this.#act(judgeAnswer(this.spec, receipt, this.#restFrom, store.maxObjectBytes), receipt);
  }

  #act(answer: Answer, receipt: Receipt): void {
    switch (answer.kind) {
      case 'not-modified':
        this.#notModified(receipt);
        return;
      case 'whole':
        this.#store(receipt, answer.fields);
        return;
      case 'part':
        this.#storePart(receipt, answer.part, answer.fields);
        return;
      case 'rest':
        this.#store(answer.receipt, answer.fields);
        for (const chunk of answer.begun) this.#data(chunk);
        return;
      case 'repeat':
        this.#repeat(answer.reason);
        return;
      case 'error-status':
        this.#errorStatus(receipt);
        return;
      case 'uncacheable':
        this.#uncacheable(receipt, answer.reason);
        return;
    }
  }

  /** To be stored: everyone follows its bytes as they arrive. */
  #store(receipt: Receipt, fields: Fields): void {
    const { spec } = this;
    const { store, failures, markers } = this.#parts;
    const isGet = spec.method === 'GET';
    const expectedBytes = this.#hasNoBody(receipt.status) ? 0 : contentLength(receipt.fields);
    const inflow = isGet ? Inflow.keep(store, expectedBytes, this.#source()) : Inflow.none(store, this.#source());
    if (inflow === undefined) {
      this.#uncacheable(receipt, 'no-room');
      return;
    }
    this.#opened(inflow, isGet ? 'stored' : 'uncacheable', isGet ? 'stored' : 'head-only');
    const response = madeResponse(spec, receipt, fields, inflow.body);
    this.response = response;
    failures.succeeded(spec.key);
    markers.unmark(spec.markerKey);
    const result = { kind: 'shared', response, revalidated: false, stored: inflow.isKept } as const;
    // What may not be stored (a stripped Set-Cookie, fields that a qualified private names) was still meant for the
    // one whose request this is.
    const suppliedCount = receipt.fields.has('date') ? 0 : 1;
    const isReduced = fields.count - suppliedCount < receipt.fields.without('age').count;
    const forLeader = isReduced ? madeResponse(spec, receipt, undefined, inflow.body) : response;
    this.#settle({ ...result, response: forLeader }, result);
  }

  /** RFC 9111 §3.3: a part is kept, for ranges that it covers. */
  #storePart(receipt: Receipt, part: Part, fields: Fields): void {
    const { spec } = this;
    const inflow = Inflow.keep(this.#parts.store, contentLength(receipt.fields), this.#source());
    if (inflow === undefined) {
      this.#uncacheable(receipt, 'no-room');
      return;
    }
    this.#opened(inflow, 'stored', 'partial');
    this.#part = part;
    this.#parts.failures.succeeded(spec.key);
    const response = madeResponse(spec, receipt, fields, inflow.body);
    this.response = response;
    this.#leaveTable(this);
    this.#alone(response, 'partial', false);
  }

  /** RFC 9111 §4.3.3, §4.3.4: a 304 freshens what it was asked about, unless a purge or an update came between. */
  #notModified(receipt: Receipt): void {
    const { spec } = this;
    const { store, failures, markers } = this.#parts;
    if (this.#superseded && !this.#isWanted()) {
      this.#finish('abandoned', 'superseded');
      return;
    }
    const sent = this.#superseded ? undefined : this.#sent;
    const verdict =
      sent === undefined
        ? ({ kind: 'refetch', reason: 'unsolicited-304' } as const)
        : judgeNotModified(receipt.fields, sent, spec.candidates, spec.basis, spec.request.fields);
    if (verdict.kind === 'refetch') {
      this.#repeat(verdict.reason);
      return;
    }
    const { response, variant, refused } = freshenedResponse(spec, verdict.target, receipt);
    failures.succeeded(spec.key);
    this.state = 'complete';
    const savedBytes = verdict.target.body.totalBytes ?? 0;
    this.#ending = { end: 'not-modified', reason: 'revalidated', savedBytes };
    if (refused !== undefined) {
      // The merged fields forbid sharing from now on: only the one who asked may have it. Where that lies in its
      // request alone, what is stored stays as it is, or one client could evict for all.
      if (!isBoundToRequest(refused)) {
        store.remove(verdict.target, 'replaced');
        markers.mark(spec.markerKey, MARKER_TTL_MS);
      }
      this.#alone(response, refused, true);
    } else {
      const current = this.#swapIn(verdict.target, response);
      if (variant !== undefined) store.put(variant);
      const result = { kind: 'shared', response: variant ?? current, revalidated: true, stored: true } as const;
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
   * An answer that does not fit what was asked, such as a 304 that concerns nothing we hold: ask once more without
   * conditions, within the same client request (design, section 2; PEERS scar 9).
   */
  #repeat(reason: string): void {
    this.#exchange?.abort();
    if (++this.#repeats > MAX_REPEATS_PER_FILL) {
      const sentence = `The answers of the origin do not fit what it was asked (${reason}).`;
      this.#fail(new OriginError('origin-malformed', sentence));
      return;
    }
    // What is asked from here on is newer than the purge or update.
    this.#superseded = false;
    this.#send('none');
  }

  #errorStatus(receipt: Receipt): void {
    const { spec } = this;
    const retryMs = retryAfterMs(receipt);
    this.#parts.failures.note(spec.key, retryMs, 'error-status');
    this.#leaveTable(this);
    const response = this.#openPassing(receipt, 'error', 'origin-error-status');
    const failed = {
      kind: 'failed',
      failure: 'error-status',
      status: receipt.status,
      retryAfterSec: retryMs === undefined ? undefined : retryMs / 1000,
    } as const;
    this.#settle({ ...failed, response }, { ...failed, response: undefined });
  }

  /** Not for the store: the leader alone gets the bytes; the others go on their own, all at once (design, section 3). */
  #uncacheable(receipt: Receipt, reason: string): void {
    const { spec } = this;
    const { store, failures, markers } = this.#parts;
    const isBound = isBoundToRequest(reason);
    // Requests with credentials or cookies are remembered apart, so those two reasons may be.
    const isLasting = !isBound || reason === 'authorization' || reason === 'cookie-heuristic';
    if (isLasting && !REASONS_OF_ONE_ANSWER.has(reason)) markers.mark(spec.markerKey, MARKER_TTL_MS);
    const { status } = receipt;
    const isNewTruth = (status < 400 && status !== 304) || status === 404 || status === 410;
    if (isNewTruth) failures.succeeded(spec.key);
    if (spec.basis !== undefined) {
      if (isNewTruth && !isBound) store.remove(spec.basis, 'replaced');
      else if (status >= 400) failures.note(spec.key, retryAfterMs(receipt), 'error-status');
    }
    this.#leaveTable(this);
    this.#alone(this.#openPassing(receipt, 'uncacheable', reason), reason, false);
  }

  #openPassing(receipt: Receipt, end: AskedEnd, reason: string): StoredResponse {
    const { store } = this.#parts;
    const expectedBytes = this.#hasNoBody(receipt.status) ? 0 : contentLength(receipt.fields);
    const inflow = Inflow.pass(store, expectedBytes, this.#source());
    this.#opened(inflow, end, reason);
    return madeResponse(this.spec, receipt, undefined, inflow.body);
  }

  #opened(inflow: Inflow, end: AskedEnd, reason: string): void {
    this.#inflow = inflow;
    this.state = 'streaming';
    this.#ending = { end, reason, savedBytes: 0 };
  }

  #hasNoBody(status: number): boolean {
    return this.spec.method === 'HEAD' || status === 204 || status === 304;
  }

  #source(): { pause(): void; resume(): void; abandoned(): void } {
    return {
      pause: () => this.#exchange?.pause(),
      resume: () => this.#exchange?.resume(),
      abandoned: () => this.#abandon('client-left'),
    };
  }

  #data(chunk: Buffer): void {
    const overflow = this.#inflow?.write(chunk);
    if (overflow === undefined) return;
    this.#leaveTable(this);
    this.#ending = { end: 'uncacheable', reason: overflow, savedBytes: 0 };
    if (overflow === 'too-large') this.#parts.markers.mark(this.spec.markerKey, MARKER_TTL_MS);
    this.#inflow?.body.stopRetaining();
  }

  #complete(trailers: Fields): void {
    const inflow = this.#inflow;
    if (inflow === undefined) return;
    this.#trailers = trailers;
    this.state = 'complete';
    inflow.complete();
    if (inflow.isKept) {
      if (this.#superseded) this.#ending = { end: 'abandoned', reason: 'superseded', savedBytes: 0 };
      else this.#put();
    }
    this.#finish('stored', 'stored');
  }

  /** Into the store, now that all of it is here. A part never takes the place of a whole. */
  #put(): void {
    const { store } = this.#parts;
    const { response, spec } = this;
    let record = response;
    if (response !== undefined && this.#part !== undefined) {
      const known = chooseVariant(store.peek(spec.key) ?? [], spec.request.fields);
      const isWholeKnown = known !== undefined && known.partial === undefined;
      record = isWholeKnown ? undefined : partRecord(response, this.#part, known);
    }
    if (record !== undefined && store.put(record, spec.basis)) return;
    // What was stored is older than what has just been seen, and must not be served once more for want of room.
    if (record !== undefined && spec.basis !== undefined) store.remove(spec.basis, 'replaced');
    const reason = record === undefined ? 'partial' : 'no-room';
    this.#ending = { end: 'uncacheable', reason, savedBytes: 0 };
  }

  /** An interrupted download goes on where it broke off, where the representation can be told to be the same. */
  #mayResume(): boolean {
    const { response } = this;
    if (this.state !== 'streaming' || this.#resumesLeft === 0 || this.#superseded || this.#part !== undefined) {
      return false;
    }
    if (response?.status !== 200 || this.#inflow?.isKept !== true || response.body.receivedBytes === 0) return false;
    return isSameRepresentation(response.fields, response.fields);
  }

  /** The answer to that: where it is the rest, no reader ever notices; where it is not, they see the break. */
  #resume(head: OriginResponseHead): void {
    if (this.response !== undefined && isRestOf(this.response, head.status, head.fields)) return;
    this.#exchange?.abort();
    this.#resumesLeft = 0;
    this.#fail(
      new OriginError('origin-truncated', 'The answer of the origin broke off, and it does not give the rest.'),
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
    this.#ending = { end: 'failed', reason: error.code, savedBytes: 0 };
    const retryMs = error.retryAfterSec === undefined ? undefined : error.retryAfterSec * 1000;
    this.#parts.failures.note(this.spec.key, retryMs, 'unreachable');
    if (wasOpened) {
      this.#leaveTable(this);
      const result: FillResult = { kind: 'failed', failure: 'unreachable', error };
      this.#settle(result, result);
    }
    // Readers see a body that breaks off, never a clean end; what was stored before stays stored.
    this.#inflow?.fail();
    this.#finish('failed', error.code);
  }

  #isWanted(): boolean {
    return this.#leader !== undefined || this.#waiters.size > 0;
  }

  #alone(response: StoredResponse, reason: string, revalidated: boolean): void {
    this.#settle({ kind: 'alone', response, reason, revalidated }, { kind: 'turned-away', reason });
  }

  /** Tells the leader and the waiters, once. Gives the exchange up where nobody reads and nothing is stored. */
  #settle(forLeader: FillResult, forWaiters: FillResult): void {
    const leader = this.#leader;
    this.#leader = undefined;
    const waiters = [...this.#waiters];
    this.#waiters.clear();
    leader?.settled(this, forLeader);
    for (const waiter of waiters) waiter.settled(this, forWaiters);
    const body = this.#inflow?.body;
    if (body?.mode === 'flow' && body.state === 'streaming' && body.readerCount === 0) this.#abandon('not-wanted');
  }

  #abandon(reason: string): void {
    this.#exchange?.abort();
    this.#inflow?.fail();
    this.#finish('abandoned', reason);
  }

  #finish(end: AskedEnd, reason: string): void {
    if (this.#isFinished) return;
    this.#isFinished = true;
    if (end === 'abandoned') this.state = 'failed';
    this.#leaveTable(this);
    const { clock, events } = this.#parts;
    const { key, askedFor, background } = this.spec;
    events.asked({
      ...(this.#ending ?? { end, reason, savedBytes: 0 }),
      askedFor,
      status: this.#status,
      key,
      durationMs: clock.now() - this.#startedAt,
      bodyBytes: this.#inflow?.body.receivedBytes ?? 0,
      background,
    });
  }
}
