/** The course of a fill from its start to its end: its state, its body, those who hear of it, and how it is told to have ended. */
import { OriginError, stackOf } from '../base/errors.js';
import type { Entry } from '../base/under-way.js';
import type { BodySource } from '../object/body.js';
import type { Readers } from '../object/readers.js';
import type { AskedEnd } from '../observe/events.js';
import type { Writer } from '../store/contract.js';
import type { Asking } from './asking.js';
import { Audience } from './audience.js';
import { noteEnd } from './bookkeeping.js';
import type { CollapseTable } from './collapse.js';
import type { Fill } from './fill.js';
import { type Ending, type FillEnd, type FillResult, SUPERSEDED, type Waiter } from './fill-contract.js';
import { announceUnleased } from './held-lease.js';
import { HeldUp } from './held-up.js';
import type { Inflow } from './inflow.js';
import type { Leasing } from './leasing.js';
import type { EngineParts } from './parts.js';

export class Course implements BodySource {
  state: 'opened' | 'streaming' | 'complete' | 'failed' = 'opened';
  inflow: Inflow | undefined;
  /** Who writes what comes in to the tiers below. */
  writer: Writer = 'here';
  /** Where others could ask the origin as well. */
  leasing: Leasing | undefined;
  /** Status of the origin's answer, once it is here. */
  status: number | undefined;
  /** What is told in the end, where it is known before. */
  ending: Ending | undefined;
  /** Of the body, where it came at once; else the body tells. */
  bodyBytes: number | undefined;
  /** Its places in the collapse table, once it is there, and those who want to know from that how it ends. */
  running: Entry<Fill> | undefined;
  joinable: Entry<Fill> | undefined;
  toldOfEnd: ((end: FillEnd) => void)[] | undefined;
  /** For how long the origin wants to be left alone, where it failed and said so. */
  #retryAfterSec: number | undefined;
  readonly audience: Audience;
  readonly #parts: EngineParts;
  readonly #table: CollapseTable;
  readonly #asking: Asking;
  readonly #fill: Fill;
  readonly #startedAt: number;
  /** Once the origin was asked to pause. */
  #heldUp: HeldUp | undefined;
  #isFinished = false;
  #isBroken = false;

  constructor(parts: EngineParts, table: CollapseTable, fill: Fill, asking: Asking, leader: Waiter | undefined) {
    this.#parts = parts;
    this.#table = table;
    this.#fill = fill;
    this.#asking = asking;
    this.audience = new Audience(leader);
    this.#startedAt = parts.clock.now();
  }

  opened(inflow: Inflow, end: AskedEnd, reason: string): void {
    this.inflow = inflow;
    this.state = 'streaming';
    this.ending = { end, reason, savedBytes: 0 };
  }

  /** As if it had not been opened. */
  reopened(): void {
    this.#heldUp?.stop();
    this.inflow?.fail();
    this.inflow = undefined;
    this.writer = 'here';
    this.state = 'opened';
    this.ending = undefined;
  }

  pause(readers: Readers): void {
    this.#asking.pause();
    if (this.inflow === undefined) return;
    this.#heldUp ??= new HeldUp(this.#parts.clock, () => this.#giveWay());
    this.#heldUp.pause(this.inflow.body, readers);
  }

  resume(): void {
    this.#heldUp?.resume();
    this.#asking.resume();
  }

  /** A client that takes it slower than it comes has a connection to itself: not for as long as it likes where others wait for one. */
  #giveWay(): void {
    if (!this.#asking.isAwaited) return;
    const { key } = this.#fill.spec;
    this.#parts.events.notice('info', 'client-slow', 'An answer that its client takes slowly gave way to others', {
      key,
    });
    this.ending = { end: 'abandoned', reason: 'client-slow', savedBytes: 0 };
    this.inflow?.body.fail(true);
    this.abandon('client-slow');
  }

  /** No reader is left, and nothing is stored. */
  abandoned(): void {
    this.abandon('client-left');
  }

  /** Tells the leader and the waiters, once. Gives the exchange up where nobody reads and nothing is stored. */
  settle(forLeader: FillResult, forWaiters: FillResult): void {
    if (forLeader.kind === 'failed') {
      this.#retryAfterSec =
        forLeader.failure === 'unreachable' ? forLeader.error.retryAfterSec : forLeader.retryAfterSec;
    }
    this.audience.settle(this.#fill, forLeader, forWaiters);
    const body = this.inflow?.body;
    if (body?.mode !== 'flow' || body.state !== 'streaming' || body.readerCount > 0) return;
    // The answer to HEAD has nothing to read and ends by itself: to cut it off would cost its connection.
    if (this.#fill.spec.method !== 'HEAD') this.abandon('not-wanted');
  }

  /** It is over without the origin having been asked. */
  settleUnasked(result: FillResult): void {
    const hasFailed = result.kind === 'failed';
    this.state = hasFailed ? 'failed' : 'complete';
    // Before anybody is told, or one who looks again would find and join what is over.
    this.#table.close(this.#fill);
    this.settle(result, result);
    this.finish(hasFailed ? 'failed' : 'abandoned', 'elsewhere');
  }

  abandon(reason: string): void {
    this.#asking.abort();
    this.inflow?.fail();
    this.state = 'failed';
    this.turnAway(SUPERSEDED);
    this.finish('abandoned', reason);
  }

  /** Nobody waits for what will not be had from here: whoever is still to be told asks for it in another way. */
  turnAway(result: FillResult): void {
    if (this.audience.isEmpty) return;
    // Before anybody is told, or one who looks again would find and join what is over.
    this.#table.close(this.#fill);
    this.audience.settle(this.#fill, result, result);
  }

  /**
   * An invariant broke in the midst of it. It ends here, however far it had come: whoever waits is told, and no lease, reader
   * or entry in the table is left behind. A step that throws in turn does not keep the next one from being taken.
   */
  broke(error: unknown): void {
    const { key } = this.#fill.spec;
    const told = { key, error: stackOf(error) };
    this.#parts.events.notice('error', 'internal', 'An answer of the origin could not be handled', told);
    // One of the steps below.
    if (this.#isBroken) return;
    this.#isBroken = true;
    this.state = 'failed';
    this.ending = { end: 'failed', reason: 'origin-aborted', savedBytes: 0 };
    const failure = new OriginError('origin-aborted', 'the proxy failed on the answer of the origin', { cause: error });
    const result: FillResult = { kind: 'failed', failure: 'unreachable', error: failure };
    const steps = [
      () => this.#table.close(this.#fill),
      () => this.#asking.abort(),
      () => this.leasing?.failed(failure),
      () => this.audience.settle(this.#fill, result, result),
      () => this.inflow?.fail(),
      () => this.finish('failed', failure.code),
      () => this.#table.dropped(this.#fill),
    ];
    for (const step of steps) {
      try {
        step();
      } catch (further) {
        this.broke(further);
      }
    }
  }

  finish(end: AskedEnd, reason: string): void {
    if (this.#isFinished) return;
    this.#isFinished = true;
    this.#heldUp?.stop();
    const told = this.ending ?? { end, reason, savedBytes: 0 };
    if (this.inflow !== undefined) this.#parts.store.leaveOut(this.inflow.body);
    const { requestAt } = this.#asking;
    const hasAsked = requestAt > 0;
    if (this.leasing !== undefined) this.leasing.ended(told, requestAt);
    else if (hasAsked) announceUnleased(this.#parts, this.#fill.spec, told, requestAt);
    if (hasAsked) {
      noteEnd(this.#parts, this.#fill.spec, told, {
        status: this.status,
        durationMs: this.#parts.clock.now() - this.#startedAt,
        bodyBytes: this.bodyBytes ?? this.inflow?.body.receivedBytes ?? 0,
      });
    }
    const over = hasAsked || told.end === 'failed' ? told.end : 'elsewhere';
    this.#table.ended(this.#fill, over, this.#retryAfterSec);
  }
}
