/**
 * A fill before it asks the origin, where others could ask as well (leases-contract): it takes the lease, or waits for
 * who has it and looks again, or takes what lies below. It waits for no longer than a request may, then asks on its own.
 */
import { OriginError } from '../base/errors.js';
import { MARKER_TTL_MS, MAX_LEASE_ROUNDS } from '../base/limits.js';
import { MAX_LEASE_WAIT_MS } from '../base/worker-limits.js';
import { askedAt } from '../object/asked-at.js';
import type { StoredResponse } from '../object/stored.js';
import { chooseVariant, SELECTS_ALL, selectionOf } from '../policy/vary.js';
import { countsForAll } from './bookkeeping.js';
import type { Fate } from './fate.js';
import type { Ending, FillResult, FillSpec } from './fill-contract.js';
import { HeldLease } from './held-lease.js';
import { keepFound } from './keeping.js';
import type {
  Found,
  FoundBytes,
  LeaseAnswer,
  LeaseFailure,
  LeaseNotice,
  LeaseOrder,
  Leases,
} from './leases-contract.js';
import type { EngineParts } from './parts.js';
import { relifed } from './relife.js';

/** What a fill does when it is told how to go on. */
export interface LeasedFill {
  readonly spec: FillSpec;
  readonly fate: Fate;
  /** Asks the origin. */
  ask(): void;
  /** Follows a body that lies below. */
  adopt(found: Found, bytes: FoundBytes): void;
  /** It is over without having asked. */
  settleUnasked(result: FillResult): void;
  /** The way there broke an invariant. Does not throw. */
  broke(error: unknown): void;
}

/** One answer for all who ask with its key: no range, no HEAD, nothing that goes out with the client's own conditions. */
export function isLeasable({ method, collapseKey, key, conditions }: FillSpec): boolean {
  return method === 'GET' && collapseKey === key && conditions === 'stored';
}

export class Leasing {
  readonly #parts: EngineParts;
  readonly #leases: Leases;
  readonly #fill: LeasedFill;
  /** What was stored when it began. */
  readonly #begunWith: StoredResponse | undefined;
  readonly #waitUntil: number;
  readonly #held: HeldLease;
  #cancelWait: (() => void) | undefined;
  #rounds = 0;
  #isBlind = false;
  /** Who is waited for is another worker. */
  #isNear = false;
  #isOver = false;

  constructor(parts: EngineParts, leases: Leases, fill: LeasedFill) {
    this.#parts = parts;
    this.#leases = leases;
    this.#fill = fill;
    this.#held = new HeldLease(parts, leases, fill.spec);
    this.#begunWith = this.#stored();
    this.#waitUntil = parts.clock.steady() + parts.live.limits.waitMs;
    this.#go(this.#round());
  }

  #go(step: Promise<void>): void {
    step.catch((error: unknown) => this.#fill.broke(error));
  }

  #stored(): StoredResponse | undefined {
    const { key, request, basis } = this.#fill.spec;
    const { store } = this.#parts;
    const choose = (list: readonly StoredResponse[]): StoredResponse | undefined => chooseVariant(list, request.fields);
    // Another process may have put it on the disk that both have.
    const below = this.#rounds > 0 ? store.recall(key, choose) : undefined;
    return below ?? choose(store.peek(key) ?? []) ?? basis;
  }

  async #round(): Promise<void> {
    if (this.#isOver) return;
    const known = this.#stored();
    if (known !== undefined && this.#rounds > 0 && isNewer(known, this.#begunWith)) {
      this.#isOver = true;
      this.#fill.settleUnasked({ kind: 'found', response: known });
      return;
    }
    const isLate = !this.#isPatient && this.#parts.clock.steady() >= this.#waitUntil;
    if (++this.#rounds > MAX_LEASE_ROUNDS || isLate) {
      this.#ask();
      return;
    }
    const order = this.#order(known);
    const answer = await this.#leases.take(order);
    this.#parts.events.leased(order.kind, answer.kind);
    if (!this.#isOver) this.#answered(answer, known);
    else if (answer.kind === 'held') void answer.lease.release({ kind: 'left' });
  }

  #order(known: StoredResponse | undefined): LeaseOrder {
    const { key, request, background, askedFor, candidates } = this.#fill.spec;
    const names = (known ?? candidates[0])?.selection.names;
    return {
      key,
      selection: known?.selection ?? (names === undefined ? SELECTS_ALL : selectionOf(names, request.fields)),
      kind: background && askedFor === 'refresh' ? 'refresh' : 'fill',
      known,
      isBlind: this.#isBlind,
    };
  }

  #answered(answer: LeaseAnswer, known: StoredResponse | undefined): void {
    switch (answer.kind) {
      case 'held':
        this.#held.took(answer.lease);
        this.#ask();
        return;
      case 'elsewhere':
        this.#wait(answer, known);
        return;
      case 'found':
        this.#go(this.#take(answer.found, known));
        return;
      case 'unavailable':
        this.#ask();
    }
  }

  /** Whether there is time: no client waits for it. */
  get #isPatient(): boolean {
    return this.#isNear && this.#fill.spec.background && !this.#fill.spec.isUnasked;
  }

  #wait({ isNear, wait }: LeaseAnswer & { kind: 'elsewhere' }, known: StoredResponse | undefined): void {
    const { clock } = this.#parts;
    this.#isNear = isNear;
    const timer = clock.after(
      this.#isPatient ? MAX_LEASE_WAIT_MS : Math.max(0, this.#waitUntil - clock.steady()),
      () => {
        this.#stopWaiting();
        if (isNear) this.#waitedTooLong();
        else this.#ask();
      },
    );
    const cancel = wait((notice) => {
      timer.cancel();
      this.#cancelWait = undefined;
      this.#noticed(notice, known);
    });
    this.#cancelWait = () => {
      timer.cancel();
      cancel();
    };
  }

  /** The origin hangs, and somebody else is waiting for it: those who wait here get an error, and whoever comes waits anew. */
  #waitedTooLong(): void {
    this.#isOver = true;
    const sentence = 'The origin did not answer in the time that a request may wait.';
    const error = new OriginError('origin-headers-timeout', sentence);
    this.#fill.settleUnasked({ kind: 'failed', failure: 'unreachable', error });
  }

  #noticed(notice: LeaseNotice, known: StoredResponse | undefined): void {
    switch (notice.kind) {
      case 'look':
        // What is there by now may well be of use.
        this.#isBlind = false;
        this.#go(this.#round());
        return;
      case 'arriving':
        this.#go(this.#take([notice.found], known));
        return;
      case 'uncacheable':
        if (notice.markerKey !== undefined) this.#parts.markers.mark(notice.markerKey, MARKER_TTL_MS);
        this.#isOver = true;
        this.#fill.settleUnasked({ kind: 'turned-away', reason: notice.reason });
        return;
      case 'failed':
        this.#isOver = true;
        this.#fill.settleUnasked(this.#failed(notice));
        return;
      case 'alone':
        this.#ask();
    }
  }

  /** The failure is everybody's, and so is its clock. */
  #failed(notice: LeaseFailure): FillResult {
    const { retryAfterMs } = notice;
    const { spec } = this.#fill;
    // Workers are told of it apart; and undefined says nothing of the key, but of who asked.
    if (!this.#isNear && countsForAll(spec) && retryAfterMs !== undefined) {
      this.#parts.failures.note(spec.key, retryAfterMs, notice.failure);
    }
    const retryAfterSec = retryAfterMs === undefined ? undefined : retryAfterMs / 1000;
    if (notice.failure === 'error-status') {
      return { kind: 'failed', failure: 'error-status', status: notice.status, response: undefined, retryAfterSec };
    }
    const error = new OriginError(
      notice.code,
      notice.message,
      retryAfterSec === undefined ? undefined : { retryAfterSec },
    );
    return { kind: 'failed', failure: 'unreachable', error };
  }

  /** Takes the variant that this request selects, under the rule that holds here; where there is none, the lease alone. */
  async #take(found: readonly Found[], known: StoredResponse | undefined): Promise<void> {
    const { request, rules } = this.#fill.spec;
    const chosen = chooseVariant(
      found.map(({ response }) => response),
      request.fields,
    );
    const from = found.find(({ response }) => response === chosen);
    const response =
      chosen === undefined ? undefined : relifed(chosen, rules.ruleForResponse(request, chosen.status, chosen.fields));
    const isOfUse =
      response !== undefined && isNewer(response, known) && this.#isLive(response) && !this.#isOvertaken(response);
    if (from === undefined || !isOfUse) {
      this.#goBlind();
      return;
    }
    if (from.body === undefined) {
      this.#isOver = true;
      this.#fill.settleUnasked({ kind: 'found', response: keepFound(this.#parts, response, known, from.writer) });
      return;
    }
    const bytes = await from.body.open();
    if (this.#isOver) bytes?.abort();
    else if (bytes === undefined || this.#isOvertaken(response)) {
      bytes?.abort();
      this.#goBlind();
    } else {
      this.#isOver = true;
      this.#fill.fate.askedAnew();
      this.#fill.adopt({ ...from, response }, bytes);
    }
  }

  #isLive({ life }: StoredResponse): boolean {
    return this.#parts.clock.now() < life.keepUntil;
  }

  /** An operator came between: what is asked for from now on is newer (design, section 2). */
  #isOvertaken(response: StoredResponse): boolean {
    return this.#fill.fate.isAbout(response);
  }

  #goBlind(): void {
    this.#isBlind = true;
    this.#go(this.#round());
  }

  #ask(): void {
    this.#isOver = true;
    this.#fill.ask();
  }

  #stopWaiting(): void {
    this.#cancelWait?.();
    this.#cancelWait = undefined;
  }

  /** The body of what will be stored has begun to arrive. */
  opened(response: StoredResponse): void {
    this.#held.opened(response);
  }

  /** The answer is for one alone; its body may be long in coming, and nobody need wait for its end. */
  uncacheable(reason: string): void {
    this.#held.uncacheable(reason);
  }

  failed(error: OriginError | number): void {
    this.#held.failed(error);
  }

  /** The fill is over, `requestedAt` being when it asked. */
  ended(ending: Ending, requestedAt: number): void {
    this.#isOver = true;
    this.#stopWaiting();
    if (!this.#held.isReleased) this.#held.ended(this.#stored(), ending, requestedAt);
  }
}

/** Whether one was asked for later than the other. */
function isNewer(one: StoredResponse, other: StoredResponse | undefined): boolean {
  return other === undefined || askedAt(one) > askedAt(other);
}
