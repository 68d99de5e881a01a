/**
 * One exchange with the origin on behalf of one key, and all who wait on it.
 *
 * A fill goes opened -> streaming -> complete | failed. Its head decides what becomes of it: stored (waiters follow
 * the bytes as they arrive), freshened (a 304 was merged), alone (uncacheable: the leader gets it, the others are
 * turned away and go on their own), or failed. Implements RFC 9111 §3.3, §3.4, §4.3.3, §4.3.4 and the design,
 * sections 1 to 3.
 */
import { OriginError } from '../base/errors.js';
import { MARKER_TTL_MS, MAX_REPEATS_PER_FILL, MAX_RESUMES_PER_FILL, UNREAD_BODY_MAX_MS } from '../base/limits.js';
import { Fields } from '../http/fields.js';
import type { BodySource } from '../object/body.js';
import type { StoredResponse } from '../object/stored.js';
import type { AskedEnd } from '../observe/events.js';
import type { OriginListener, OriginResponseHead } from '../origin/contract.js';
import { expiredResponse } from '../policy/expire.js';
import { receivedResponseFields } from '../policy/hygiene.js';
import { tagsOf } from '../policy/tags.js';
import { judgeNotModified } from '../policy/validate.js';
import { Asking } from './asking.js';
import { noteEnd, noteErrorStatus, noteUncacheable, noteUnreachable } from './bookkeeping.js';
import type { CollapseTable } from './collapse.js';
import { type Effect, Fate } from './fate.js';
import type { Ending, FillResult, FillSpec, Waiter } from './fill-contract.js';
import { Inflow } from './inflow.js';
import { freshen, notStored, putWhole, wantsTag } from './keeping.js';
import type { EngineParts } from './parts.js';
import {
  bodyLength,
  isReduced,
  isSameRepresentation,
  madeResponse,
  type Part,
  type Receipt,
  retryAfterSec,
  ruleOf,
} from './response.js';
import { judgeAnswer, type Storing, wholeByRest } from './verdict.js';

export class Fill implements OriginListener {
  state: 'opened' | 'streaming' | 'complete' | 'failed' = 'opened';
  /** What others may follow, once its head is here. */
  response: StoredResponse | undefined;
  /** What purges, updates and expiries that came meanwhile make of the answer. */
  readonly fate = new Fate();
  readonly spec: FillSpec;
  readonly #parts: EngineParts;
  readonly #table: CollapseTable;
  readonly #asking: Asking;
  #leader: Waiter | undefined;
  readonly #waiters = new Set<Waiter>();
  #repeats = 0;
  #resumesLeft = MAX_RESUMES_PER_FILL;
  /** What a resumed body has to come to. */
  #resumedTotalBytes: number | undefined;
  /** Where the bytes of a 206 belong that is being stored as a part. */
  #part: Part | undefined;
  #inflow: Inflow | undefined;
  #startedAt = 0;
  #status: number | undefined;
  #trailers = Fields.empty;
  /** What is told in the end, where it is known before. */
  #ending: Ending | undefined;
  #isFinished = false;

  constructor(parts: EngineParts, table: CollapseTable, spec: FillSpec, leader: Waiter | undefined) {
    this.#parts = parts;
    this.#table = table;
    this.spec = spec;
    this.#leader = leader;
    this.#asking = new Asking(parts, spec, this);
  }

  get waiterCount(): number {
    return this.#waiters.size;
  }

  /** Trailers of the origin's answer, once it is complete. */
  get trailers(): Fields {
    return this.#trailers;
  }

  /** When the present request was sent. */
  get requestedAt(): number {
    return this.#asking.requestAt;
  }

  start(): void {
    this.#startedAt = this.#parts.clock.now();
    this.#table.add(this);
    const { basis, conditions } = this.spec;
    const begun = basis === undefined ? undefined : { response: basis, bytes: basis.partial?.prefixBytes ?? 0 };
    this.#asking.send(conditions, begun);
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
      this.#abandon('client-left');
    }
  }

  /**
   * What was done to the key while the answer is on its way; a purge or an update wins over it: nothing of it is stored.
   * Nobody who comes later may join.
   */
  supersede(effect: Effect = 'purge'): void {
    this.fate.apply(effect);
    this.#table.close(this);
  }

  /** RFC 9110 §15.2. To the one whose request it answers, alone: it may be meant for nobody else. */
  inform(status: number, fields: Fields): void {
    this.#leader?.inform(status, receivedResponseFields(fields));
  }

  head(head: OriginResponseHead): void {
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
      requestAt: this.#asking.requestAt,
      responseAt: clock.now(),
      responseWall: clock.wall(),
      chance: this.#parts.random(),
    };
    if (this.fate.read(() => tagsOf(receipt.fields, ruleOf(this.spec, receipt).tagsFrom))) this.#table.close(this);
    const answer = judgeAnswer(this.spec, receipt, this.#asking, store.maxObjectBytes);
    switch (answer.kind) {
      case 'not-modified':
        this.#notModified(receipt);
        return;
      case 'whole':
        this.#store(receipt, answer);
        return;
      case 'part':
        this.#part = answer.part;
        this.#store(receipt, answer);
        return;
      case 'rest':
        this.#store(answer.receipt, answer);
        for (const chunk of answer.begun) this.data(chunk);
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

  /** To be stored, whole or as a part: everyone follows its bytes as they arrive. */
  #store(receipt: Receipt, { fields, despite }: Storing): void {
    const { spec } = this;
    const { store, failures, markers } = this.#parts;
    const isGet = spec.method === 'GET';
    const expectedBytes = bodyLength(spec.method, receipt);
    const source = this.#source();
    const inflow = isGet
      ? Inflow.keep(store, expectedBytes, source, wantsTag(spec, receipt))
      : Inflow.none(store, source);
    if (inflow === undefined) {
      this.#uncacheable(receipt, 'no-room');
      return;
    }
    this.#opened(inflow, isGet ? 'stored' : 'uncacheable', isGet ? 'stored' : 'head-only');
    const response = madeResponse(spec, receipt, fields, inflow.body, despite);
    this.response = response;
    if (isGet) failures.succeeded(spec.key);
    markers.unmark(spec.markerKey);
    const result = { kind: 'shared', response, revalidated: false, stored: inflow.isKept } as const;
    const forLeader = isReduced(fields, receipt) ? madeResponse(spec, receipt, undefined, inflow.body) : response;
    // Who came after the purge of a tag that this carries must not have it; who leads came before.
    const forWaiters = this.fate.isCaught ? ({ kind: 'turned-away', reason: 'superseded' } as const) : result;
    this.#settle({ ...result, response: forLeader }, forWaiters);
  }

  /** RFC 9111 §4.3.3, §4.3.4: a 304 freshens what it was asked about, unless a purge or an update came between. */
  #notModified(receipt: Receipt): void {
    const { spec } = this;
    if (this.fate.isSuperseded && this.#leader === undefined && this.#waiters.size === 0) {
      this.#abandon('superseded');
      return;
    }
    const { sent } = this.#asking;
    const verdict =
      sent === undefined || this.fate.isSuperseded
        ? ({ kind: 'refetch', reason: 'unsolicited-304' } as const)
        : judgeNotModified(receipt.fields, sent, spec.candidates, spec.basis, spec.request.fields);
    if (verdict.kind === 'refetch') {
      this.#repeat(verdict.reason);
      return;
    }
    this.state = 'complete';
    const savedBytes = verdict.target.body.totalBytes ?? 0;
    this.#ending = { end: 'not-modified', reason: 'revalidated', savedBytes };
    // Before anybody is told, or one who looks again would find and join what is over.
    this.#table.close(this);
    const { isExpired } = this.fate;
    const { forLeader, forWaiters } = freshen(this.#parts, spec, verdict.target, receipt, isExpired);
    if (forLeader.kind === 'alone' && !this.#parts.store.holds(verdict.target)) this.#table.supersedeOlder(this);
    this.#settle(forLeader, forWaiters);
    this.#finish('not-modified', 'revalidated');
  }

  /**
   * An answer that does not fit what was asked, such as a 304 that concerns nothing we hold: ask once more without
   * conditions, within the same client request (design, section 2; PEERS scar 9).
   */
  #repeat(reason: string): void {
    this.#asking.abort();
    if (++this.#repeats > MAX_REPEATS_PER_FILL) {
      const sentence = `The answers of the origin do not fit what it was asked (${reason}).`;
      this.fail(new OriginError('origin-malformed', sentence));
      return;
    }
    // What is asked from here on is newer than the purge or update, but for one that comes still.
    this.fate.askedAnew();
    this.#asking.send('none');
  }

  #errorStatus(receipt: Receipt): void {
    noteErrorStatus(this.#parts, this.spec, receipt);
    this.#table.close(this);
    const response = this.#openPassing(receipt, 'error', 'origin-error-status');
    const { status } = receipt;
    const failed = { kind: 'failed', failure: 'error-status', status, retryAfterSec: retryAfterSec(receipt) } as const;
    this.#settle({ ...failed, response }, { ...failed, response: undefined });
  }

  /** Not for the store: the leader alone gets the bytes; the others go on their own, all at once (design, section 3). */
  #uncacheable(receipt: Receipt, reason: string): void {
    this.#table.close(this);
    const hasOutdated = !this.fate.isSuperseded && noteUncacheable(this.#parts, this.spec, receipt, reason);
    if (hasOutdated) this.#table.supersedeOlder(this);
    const response = this.#openPassing(receipt, 'uncacheable', reason);
    this.#settle({ kind: 'alone', response, reason, revalidated: false }, { kind: 'turned-away', reason });
  }

  #openPassing(receipt: Receipt, end: AskedEnd, reason: string): StoredResponse {
    const inflow = Inflow.pass(this.#parts.store, bodyLength(this.spec.method, receipt), this.#source());
    this.#opened(inflow, end, reason);
    return madeResponse(this.spec, receipt, undefined, inflow.body);
  }

  #opened(inflow: Inflow, end: AskedEnd, reason: string): void {
    this.#inflow = inflow;
    this.state = 'streaming';
    this.#ending = { end, reason, savedBytes: 0 };
  }

  #source(): BodySource {
    return {
      pause: () => this.#asking.pause(),
      resume: () => this.#asking.resume(),
      abandoned: () => this.#abandon('client-left'),
    };
  }

  data(chunk: Buffer): void {
    const inflow = this.#inflow;
    if (inflow === undefined) return;
    const overflow = inflow.write(chunk);
    if (overflow !== undefined) this.#outgrown(inflow, overflow);
    else if (inflow.body.readerCount === 0 && this.#isPointless()) this.#abandon('not-wanted');
  }

  /** Nobody reads it, and what it will store nobody may use any more: an endless stream would go on for ever. */
  #isPointless(): boolean {
    if (this.fate.isSuperseded) return true;
    const life = this.response?.life;
    return life !== undefined && this.#parts.clock.now() > Math.max(life.staleAt, life.graceUntil) + UNREAD_BODY_MAX_MS;
  }

  #outgrown(inflow: Inflow, reason: string): void {
    const { basis, markerKey } = this.spec;
    this.#table.close(this);
    this.#ending = { end: 'uncacheable', reason, savedBytes: 0 };
    if (reason === 'too-large') this.#parts.markers.mark(markerKey, MARKER_TTL_MS);
    // What was stored is older than what has just been seen.
    if (basis !== undefined) this.#parts.store.remove(basis, 'replaced');
    inflow.body.stopRetaining();
  }

  end(trailers: Fields): void {
    const inflow = this.#inflow;
    if (inflow === undefined) return;
    this.#trailers = trailers;
    const hasRest = (this.#resumedTotalBytes ?? inflow.body.receivedBytes) === inflow.body.receivedBytes;
    if (!hasRest || !inflow.complete()) {
      this.#resumesLeft = 0;
      this.fail(new OriginError('origin-truncated', 'The answer of the origin is not as long as it said.'));
      return;
    }
    this.state = 'complete';
    const { response } = this;
    if (inflow.isKept && response !== undefined) {
      const { isSuperseded, isExpired } = this.fate;
      const made = { ...response, madeTag: inflow.makeTag() };
      const kept = isExpired ? expiredResponse(made, this.#parts.clock.now()) : made;
      this.#ending = isSuperseded ? notStored('superseded') : putWhole(this.#parts, this.spec, kept, this.#part);
    }
    this.#finish('stored', 'stored');
  }

  /** An interrupted download goes on where it broke off, where the representation can be told to be the same. */
  #mayResume(): boolean {
    const { response } = this;
    if (this.state !== 'streaming' || this.#resumesLeft === 0 || this.fate.isSuperseded || this.#part !== undefined) {
      return false;
    }
    if (response?.status !== 200 || this.#inflow?.isKept !== true || response.body.receivedBytes === 0) return false;
    return isSameRepresentation(response.fields, response.fields);
  }

  /** The answer to that: where it is the rest, no reader ever notices; where it is not, they see the break. */
  #resume(head: OriginResponseHead): void {
    if (this.response !== undefined) this.#resumedTotalBytes = wholeByRest(this.response, head.status, head.fields);
    if (this.#resumedTotalBytes !== undefined) return;
    this.#asking.abort();
    this.#resumesLeft = 0;
    this.fail(
      new OriginError('origin-truncated', 'The answer of the origin broke off, and it does not give the rest.'),
    );
  }

  fail(error: OriginError): void {
    const { response } = this;
    if (this.state === 'complete' || this.state === 'failed') return;
    if (response !== undefined && this.#mayResume()) {
      this.#resumesLeft--;
      this.#asking.send('rest', { response, bytes: response.body.receivedBytes });
      return;
    }
    const wasOpened = this.state === 'opened';
    this.state = 'failed';
    this.#ending = { end: 'failed', reason: error.code, savedBytes: 0 };
    noteUnreachable(this.#parts, this.spec, error);
    if (wasOpened) {
      this.#table.close(this);
      const result: FillResult = { kind: 'failed', failure: 'unreachable', error };
      this.#settle(result, result);
    }
    // Readers see a body that breaks off, never a clean end; what was stored before stays stored.
    this.#inflow?.fail();
    this.#finish('failed', error.code);
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
    if (body?.mode !== 'flow' || body.state !== 'streaming' || body.readerCount > 0) return;
    // The answer to HEAD has nothing to read and ends by itself: to cut it off would cost its connection.
    if (this.spec.method !== 'HEAD') this.#abandon('not-wanted');
  }

  #abandon(reason: string): void {
    this.#asking.abort();
    this.#inflow?.fail();
    this.state = 'failed';
    this.#finish('abandoned', reason);
  }

  #finish(end: AskedEnd, reason: string): void {
    if (this.#isFinished) return;
    this.#isFinished = true;
    const told = this.#ending ?? { end, reason, savedBytes: 0 };
    noteEnd(this.#parts, this.spec, told, {
      status: this.#status,
      durationMs: this.#parts.clock.now() - this.#startedAt,
      bodyBytes: this.#inflow?.body.receivedBytes ?? 0,
    });
    this.#table.ended(this, told.end);
  }
}
