/**
 * One exchange with the origin on behalf of one key, and all who wait on it.
 *
 * A fill goes opened -> streaming -> complete | failed. Its head decides what becomes of it: stored (waiters follow
 * the bytes as they arrive), freshened (a 304 was merged), alone (uncacheable: the leader gets it, the others are
 * turned away and go on their own), or failed. What lies elsewhere is followed in place of an answer (fill-found.ts).
 * Implements RFC 9111 §3.3, §3.4, §4.3.3, §4.3.4 and the design, sections 1 to 3.
 */
import { OriginError } from '../base/errors.js';
import { MARKER_TTL_MS, MAX_REPEATS_PER_FILL } from '../base/limits.js';
import type { ReadBuffer } from '../base/read-buffer.js';
import { Fields } from '../http/fields.js';
import type { BodyReader } from '../object/reader.js';
import type { StoredResponse } from '../object/stored.js';
import type { OriginResponseHead } from '../origin/contract.js';
import { expiredResponse } from '../policy/expire.js';
import { receivedResponseFields } from '../policy/hygiene.js';
import { tagsOf } from '../policy/tags.js';
import { type AnswerListener, Asking } from './asking.js';
import { noteUnreachable } from './bookkeeping.js';
import type { CollapseTable } from './collapse.js';
import type { Part } from './combining.js';
import { type Effect, Fate, type Meaning } from './fate.js';
import { errorStatus, notModified, storeArriving, storeAtOnce, uncacheable } from './fill-answer.js';
import { type FillResult, type FillSpec, NOT_PUSHED, type Waiter } from './fill-contract.js';
import { Course } from './fill-course.js';
import { askAfterAll, followFound, mayGoOn, openRest, settleFound } from './fill-found.js';
import { Rest } from './fill-rest.js';
import type { Inflow } from './inflow.js';
import { keepWhole, outdatedBy } from './keeping.js';
import type { Found, FoundBytes } from './leases-contract.js';
import { isLeasable, type LeasedFill, Leasing } from './leasing.js';
import type { EngineParts } from './parts.js';
import { type Receipt, receiptOf, ruleOf } from './receipt.js';
import { type Answer, judgeAnswer } from './verdict.js';

export class Fill implements AnswerListener, LeasedFill {
  /** What others may follow, once its head is here. */
  response: StoredResponse | undefined;
  /** That comes from elsewhere, not from the origin. */
  isFound = false;
  /** What purges, updates and expiries that came meanwhile make of the answer. */
  readonly fate = new Fate();
  readonly spec: FillSpec;
  readonly parts: EngineParts;
  readonly table: CollapseTable;
  readonly asking: Asking;
  readonly course: Course;
  #repeats = 0;
  /** Once its body broke off. */
  #rest: Rest | undefined;
  /** Where the bytes of a 206 belong that is being stored as a part. */
  part: Part | undefined;
  #trailers = Fields.empty;

  constructor(parts: EngineParts, table: CollapseTable, spec: FillSpec, leader: Waiter | undefined) {
    this.parts = parts;
    this.table = table;
    this.spec = spec;
    this.asking = new Asking(parts, spec, this);
    this.course = new Course(parts, table, this, this.asking, leader);
  }

  get state(): Course['state'] {
    return this.course.state;
  }

  get waiterCount(): number {
    return this.course.audience.waiterCount;
  }

  /** Trailers of the origin's answer, once it is complete. */
  get trailers(): Fields {
    return this.#trailers;
  }

  /** When the present request was sent; 0: none was yet. */
  get requestedAt(): number {
    return this.asking.requestAt;
  }

  start(): void {
    this.table.add(this);
    const { leases } = this.parts;
    if (leases === undefined || !isLeasable(this.spec)) this.ask();
    else this.course.leasing = new Leasing(this.parts, leases, this);
  }

  /** In place of start(): what comes from a place on of a body that lies below, which breaks off there for the one who reads it. */
  goOn(response: StoredResponse, from: number): BodyReader {
    this.table.add(this);
    const rest = openRest(this, response, from);
    try {
      this.fail(new OriginError('origin-truncated', 'The tier below does not give the rest of the body.'));
    } catch (error) {
      this.broke(error);
    }
    return rest;
  }

  broke(error: unknown): void {
    this.course.broke(error);
  }

  /** The origin is asked by this one. */
  ask(): void {
    try {
      if (this.spec.isUnasked) this.settleUnasked(NOT_PUSHED);
      else this.#ask();
    } catch (error) {
      this.broke(error);
    }
  }

  #ask(): void {
    const { basis, conditions, background } = this.spec;
    const isPurged = this.fate.wasSuperseded;
    if (isPurged && background && this.course.audience.isEmpty) {
      this.course.abandon('superseded');
      return;
    }
    // What it asks for is newer than all that came while it waited to ask; what it would have asked about is gone.
    this.fate.askedAnew();
    const begun = basis === undefined ? undefined : { response: basis, bytes: basis.partial?.prefixBytes ?? 0 };
    this.asking.send(isPurged ? 'none' : conditions, begun);
  }

  join(waiter: Waiter): void {
    this.course.audience.join(waiter);
  }

  /** The waiter's client left, or it waited too long. The fill goes on where others, or the store, still want it. */
  leave(waiter: Waiter): void {
    const hasLed = this.course.audience.leave(waiter);
    if (hasLed && this.spec.conditions === 'client' && this.course.state === 'opened' && this.course.audience.isEmpty) {
      this.course.abandon('client-left');
    }
  }

  adopt(found: Found, bytes: FoundBytes): void {
    try {
      followFound(this, found, bytes);
    } catch (error) {
      bytes.abort();
      this.broke(error);
    }
  }

  settleUnasked(result: FillResult): void {
    this.course.settleUnasked(result);
  }

  /**
   * What was done to the key while the answer is on its way; a purge or an update wins over it: nothing of it is stored.
   * Nobody who comes later may join.
   */
  supersede(effect: Effect = 'purge', isMeant?: Meaning): void {
    this.fate.apply(effect, isMeant);
    this.table.close(this);
  }

  /** RFC 9110 §15.2. To the one whose request it answers, alone: it may be meant for nobody else. */
  inform(status: number, fields: Fields): void {
    this.course.audience.inform(status, receivedResponseFields(fields));
  }

  head(head: OriginResponseHead): void {
    if (this.course.state === 'streaming') {
      this.#resume(head);
      return;
    }
    const receipt = this.#receive(head);
    this.#follow(receipt, this.#judge(receipt));
  }

  whole(head: OriginResponseHead, content: Buffer): boolean {
    if (this.course.state === 'streaming') {
      this.#resume(head);
      return false;
    }
    const receipt = this.#receive(head);
    const answer = this.#judge(receipt);
    if (answer.kind === 'whole' && storeAtOnce(this, receipt, answer, content)) return true;
    this.#follow(receipt, answer);
    return false;
  }

  #receive(head: OriginResponseHead): Receipt {
    const { clock, random } = this.parts;
    const { requestAt, answerAt } = this.asking;
    this.course.status = head.status;
    const receipt = receiptOf(head, requestAt, answerAt, clock.wall(), random());
    if (this.fate.read(() => tagsOf(receipt.fields, ruleOf(this.spec, receipt).tagsFrom))) this.table.close(this);
    return receipt;
  }

  #judge(receipt: Receipt): Answer {
    return judgeAnswer(this.spec, receipt, this.asking, this.parts.store.maxObjectBytes);
  }

  #follow(receipt: Receipt, answer: Answer): void {
    switch (answer.kind) {
      case 'not-modified': {
        const misfit = notModified(this, receipt);
        if (misfit !== undefined) this.#repeat(misfit);
        return;
      }
      case 'whole':
        storeArriving(this, receipt, answer);
        return;
      case 'part':
        this.part = answer.part;
        storeArriving(this, receipt, answer);
        return;
      case 'rest':
        storeArriving(this, answer.receipt, answer);
        for (const chunk of answer.begun) this.data(chunk);
        return;
      case 'repeat':
        this.#repeat(answer.reason);
        return;
      case 'error-status':
        errorStatus(this, receipt);
        return;
      case 'uncacheable':
        uncacheable(this, receipt, answer.reason);
        return;
    }
  }

  /**
   * An answer that does not fit what was asked, such as a 304 that concerns nothing we hold: ask once more without
   * conditions, within the same client request (design, section 2; PEERS scar 9).
   */
  #repeat(reason: string): void {
    this.asking.abort();
    if (++this.#repeats > MAX_REPEATS_PER_FILL) {
      const sentence = `The answers of the origin do not fit what it was asked (${reason}).`;
      this.fail(new OriginError('origin-malformed', sentence));
      return;
    }
    // What is asked from here on is newer than the purge or update, but for one that comes still.
    this.fate.askedAnew();
    this.asking.send('none');
  }

  data(chunk: Buffer, buffer?: ReadBuffer): void {
    const inflow = this.course.inflow;
    if (inflow === undefined) return;
    const overflow = inflow.write(chunk, buffer);
    if (overflow !== undefined) this.#outgrown(inflow, overflow);
    else if (inflow.body.readerCount > 0) return;
    else if (inflow.isOnDetour) this.course.abandon('client-left');
    else if (this.fate.isPointless(this.response?.life, this.parts.clock.now())) this.course.abandon('not-wanted');
  }

  #outgrown(inflow: Inflow, reason: string): void {
    if (this.course.writer === 'elsewhere' && !this.course.audience.isEmpty) {
      // It has to be validated first, and nobody was told of it: what one asks for by itself, for all who wait, may go to disk.
      this.asking.abort();
      askAfterAll(this);
      return;
    }
    const { basis, markerKey } = this.spec;
    this.table.close(this);
    this.course.ending = { end: 'uncacheable', reason, savedBytes: 0 };
    if (reason === 'too-large') this.parts.markers.mark(markerKey, MARKER_TTL_MS);
    // What was stored is older than what has just been seen.
    const isDropped = basis !== undefined && this.parts.store.remove(basis, outdatedBy(this.course.writer));
    if (isDropped) this.table.supersedeOlder(this);
    this.course.leasing?.uncacheable(reason);
    // Of what lies below, and has to be validated first, nobody was told.
    this.course.turnAway({ kind: 'turned-away', reason });
    if (!inflow.detours()) inflow.body.stopRetaining();
  }

  end(trailers: Fields): void {
    const inflow = this.course.inflow;
    if (inflow === undefined) return;
    this.#trailers = trailers;
    const isWhole = this.#rest === undefined || this.#rest.isWhole(inflow.body);
    if (!isWhole || !inflow.complete()) {
      this.#broken.giveUp();
      this.fail(new OriginError('origin-truncated', 'The answer of the origin is not as long as it said.'));
      return;
    }
    this.course.state = 'complete';
    const { response } = this;
    if (inflow.isKept && response !== undefined) {
      const { isSuperseded, isExpired } = this.fate;
      const madeTag = inflow.makeTag();
      const made = madeTag === undefined ? response : { ...response, madeTag };
      const kept = isExpired ? expiredResponse(made, this.parts.clock.now()) : made;
      const { writer } = this.course;
      this.course.ending = keepWhole(this.parts, this.spec, kept, this.part, writer, isSuperseded);
    } else if (inflow.isOnDetour && response !== undefined) this.parts.store.giveUp(response);
    this.course.finish('stored', 'stored');
    if (this.isFound) settleFound(this);
  }

  get #broken(): Rest {
    this.#rest ??= new Rest();
    return this.#rest;
  }

  /** The answer to a request for the rest: where it is none, readers see the break. */
  #resume(head: OriginResponseHead): void {
    if (this.#broken.goesOn(this.response, head)) return;
    this.asking.abort();
    this.#broken.giveUp();
    const error = new OriginError(
      'origin-truncated',
      'The answer of the origin broke off, and it does not give the rest.',
    );
    // Where others broke off the origin has answered, and need not know ranges.
    this.#failed(error, !this.isFound);
  }

  fail(error: OriginError): void {
    this.#failed(error, true);
  }

  /** `isOrigins`: by what the origin did, or did not. */
  #failed(error: OriginError, isOrigins: boolean): void {
    const { response } = this;
    const { state, inflow } = this.course;
    if (state === 'complete' || state === 'failed') return;
    // RFC 9110 §14.2: a range is for GET alone.
    const isGet = this.spec.request.content === undefined;
    const isAsked = isGet && !this.spec.isUnasked;
    const mayResume = isAsked && state === 'streaming' && !this.fate.isSuperseded && this.part === undefined;
    if (mayResume && this.#broken.begins(response, mayGoOn(this) ? { isKept: true } : inflow)) {
      this.course.writer = 'here';
      inflow?.keepDetour();
      if (inflow?.isKept === false) this.course.ending = { end: 'uncacheable', reason: 'no-room', savedBytes: 0 };
      this.asking.send('rest', { response, bytes: response.body.receivedBytes });
      return;
    }
    if (this.isFound && !this.course.audience.isEmpty) {
      askAfterAll(this);
      return;
    }
    this.course.state = 'failed';
    this.course.ending = { end: 'failed', reason: error.code, savedBytes: 0 };
    if (isOrigins && this.requestedAt > 0) noteUnreachable(this.parts, this.spec, error);
    this.course.leasing?.failed(error);
    if (state === 'opened') {
      this.table.close(this);
      const result: FillResult = { kind: 'failed', failure: 'unreachable', error };
      this.course.settle(result, result);
    }
    // Readers see a body that breaks off, never a clean end; what was stored before stays stored.
    inflow?.fail();
    this.course.finish('failed', error.code);
  }
}
