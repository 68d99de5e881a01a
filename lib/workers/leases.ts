/**
 * Leases among workers, on the worker's side: the primary process says who asks the origin, and the worker that asks
 * gives the others what it gets, from the first byte on. Where there is a tier that machines share, the one who holds the
 * lease here takes that of the machines as well.
 */
import type { Clock, Timer } from '../base/clock.js';
import { MARKER_TTL_MS } from '../base/limits.js';
import { LEASE_ANSWER_TIMEOUT_MS, MAX_ORPHANS_AT_ONCE } from '../base/worker-limits.js';
import type { Engine } from '../engine/engine.js';
import type {
  Cancel,
  Found,
  Lease,
  LeaseAnswer,
  LeaseNotice,
  LeaseOrder,
  LeaseOutcome,
  Leases,
  LeasesBeyond,
} from '../engine/leases-contract.js';
import { askedAt } from '../object/asked-at.js';
import type { StoredResponse } from '../object/stored.js';
import type { Store } from '../store/contract.js';
import { isSameSelection } from '../store/variants.js';
import { Announced } from './announced.js';
import { isSameBody, knownAt, leaseFailure, leaseName, responseOf, selectionIn, wireOutcome } from './lease-wire.js';
import type { Orphan, ToPrimary, ToWorker, WireNotice, WireOutcome } from './messages.js';
import type { RelayAnswer } from './relay-client.js';
import type { RelayAsk } from './relay-frames.js';

export interface WorkerLeaseParts {
  readonly clock: Clock;
  /** Returns whether it is on its way. */
  tell(message: ToPrimary): boolean;
  relay(path: string, ask: RelayAsk): Promise<RelayAnswer>;
  readonly sequence: { readonly begun: number; readonly ended: number };
}

type Told = (notice: WireNotice) => void;

/** An order that waits for the word of the primary process. */
interface Taken {
  granted(lease: number): void;
  waiting(): void;
  told(notice: WireNotice): void;
}

export class WorkerLeases implements Leases {
  /** Those of the machines, for who holds the lease here. */
  beyond: LeasesBeyond | undefined;
  readonly #parts: WorkerLeaseParts;
  readonly #taken = new Map<number, Taken>();
  readonly #announced: Announced;
  #nextId = 1;
  #engine: Engine | undefined;

  constructor(parts: WorkerLeaseParts) {
    this.#parts = parts;
    this.#announced = new Announced(parts.clock);
  }

  /** The engine that all of it is about. */
  open(engine: Engine): void {
    this.#engine = engine;
    engine.parts.store.passOver((below) => this.#announced.isOutdated(below));
  }

  take(order: LeaseOrder): Promise<LeaseAnswer> {
    return this.#take(order, false);
  }

  announce(outcome: LeaseOutcome & { kind: 'stored' | 'freshened' }): void {
    const { key } = outcome.response;
    this.#parts.tell({ kind: 'announced', outcome: wireOutcome(key, outcome), sequence: this.#parts.sequence.ended });
  }

  #take(order: LeaseOrder, isPatient: boolean): Promise<LeaseAnswer> {
    const { clock, tell } = this.#parts;
    const id = this.#nextId++;
    return new Promise((resolve) => {
      let timer: Timer | undefined;
      const answer = (made: LeaseAnswer | Promise<LeaseAnswer>): void => {
        timer?.cancel();
        resolve(made);
      };
      const name = leaseName(order.key, order.selection);
      const { known, isBlind } = order;
      this.#taken.set(id, {
        granted: (lease) => {
          this.#taken.delete(id);
          answer(this.#granted(order, lease));
        },
        waiting: () => answer(this.#elsewhere(id, order)),
        told: (notice) => {
          this.#taken.delete(id);
          answer(this.#answered(order, notice));
        },
      });
      const keyLength = order.key.length;
      if (!tell({ kind: 'take', id, name, keyLength, askedAt: knownAt(known), isBlind, isPatient })) {
        this.#taken.delete(id);
        answer({ kind: 'unavailable' });
        return;
      }
      timer = clock.after(LEASE_ANSWER_TIMEOUT_MS, () => {
        this.#giveUp(id);
        resolve({ kind: 'unavailable' });
      });
    });
  }

  /** Nobody waits for it any more; what is granted all the same is given back. */
  #giveUp(id: number): void {
    this.#parts.tell({ kind: 'quit', id });
    this.#taken.set(id, {
      granted: (lease) => {
        this.#taken.delete(id);
        this.#release(lease, { kind: 'left' });
      },
      waiting: () => {
        this.#taken.delete(id);
        this.#parts.tell({ kind: 'quit', id });
      },
      told: () => this.#taken.delete(id),
    });
  }

  async #granted(order: LeaseOrder, lease: number): Promise<LeaseAnswer> {
    const own = this.#lease(lease, order.key);
    const answer = await this.beyond?.take(order);
    switch (answer?.kind) {
      case 'held':
        return { kind: 'held', lease: this.#both(own, answer.lease, lease, order.key) };
      case 'found':
        void own.release({ kind: 'left' });
        return answer;
      case 'elsewhere':
        return { ...answer, wait: (told) => waitBeyond(own, answer.wait, told) };
      default:
        return { kind: 'held', lease: own };
    }
  }

  #lease(lease: number, key: string): Lease {
    return {
      opened: () => void this.#parts.tell({ kind: 'opened', lease }),
      release: async (outcome) => this.#release(lease, wireOutcome(key, outcome)),
    };
  }

  /** Both leases as one: that of the machines is given back behind, with what came of it. */
  #both(own: Lease, beyond: Lease, lease: number, key: string): Lease {
    return {
      opened: (response) => {
        own.opened(response);
        beyond.opened(response);
      },
      release: async (outcome) => {
        this.#release(lease, wireOutcome(key, outcome), true);
        await beyond.release(outcome);
        this.#parts.tell({ kind: 'settled', leases: [lease] });
      },
    };
  }

  #release(lease: number, outcome: WireOutcome, isOwed = false): void {
    this.#parts.tell({ kind: 'release', lease, outcome, sequence: this.#parts.sequence.ended, isOwed });
  }

  /** Gives back among machines what a worker that died may have held, some at a time. */
  async #inherit(orphans: readonly Orphan[]): Promise<void> {
    for (let at = 0; at < orphans.length; at += MAX_ORPHANS_AT_ONCE) {
      const some = orphans.slice(at, at + MAX_ORPHANS_AT_ONCE);
      await Promise.all(some.map((orphan) => this.#releaseOf(orphan)));
      this.#parts.tell({ kind: 'settled', leases: some.map(({ lease }) => lease) });
    }
  }

  async #releaseOf({ member, name, keyLength }: Orphan): Promise<void> {
    await this.beyond?.releaseOf(member, name.slice(0, keyLength), selectionIn(name, keyLength));
  }

  /** The word may come before anybody listens for it. */
  #elsewhere(id: number, order: LeaseOrder): LeaseAnswer {
    let early: WireNotice | undefined;
    let to: Told = (notice) => {
      early = notice;
    };
    this.#taken.set(id, {
      granted: (lease) => this.#release(lease, { kind: 'left' }),
      waiting() {},
      told: (notice) => {
        this.#taken.delete(id);
        to(notice);
      },
    });
    const wait = (told: (notice: LeaseNotice) => void): Cancel => {
      let isCancelled = false;
      to = (notice) => {
        void this.#noticed(order, notice).then((made) => {
          if (!isCancelled) told(made);
        });
      };
      if (early !== undefined) to(early);
      return () => {
        isCancelled = true;
        if (this.#taken.delete(id)) this.#parts.tell({ kind: 'quit', id });
      };
    };
    return { kind: 'elsewhere', isNear: true, wait };
  }

  /** A word in place of a lease. */
  async #answered(order: LeaseOrder, notice: WireNotice): Promise<LeaseAnswer> {
    if (notice.kind !== 'at') return { kind: 'unavailable' };
    const found = await this.#fetch(order, notice.path);
    if (found === 'superseded') return { kind: 'unavailable' };
    if (typeof found !== 'string') return { kind: 'found', found: [found] };
    // It is gone there, or that worker is: its lease ends, and one of those who wait gets it.
    return this.#take(order, true);
  }

  async #noticed(order: LeaseOrder, notice: WireNotice): Promise<LeaseNotice> {
    switch (notice.kind) {
      case 'at': {
        const found = await this.#fetch(order, notice.path);
        if (found === 'superseded') return { kind: 'alone' };
        return typeof found === 'string' ? { kind: 'look' } : { kind: 'arriving', found };
      }
      case 'failed': {
        const failure = leaseFailure(notice.failure);
        return failure === undefined ? { kind: 'look' } : { kind: 'failed', ...failure };
      }
      default:
        return notice;
    }
  }

  async #fetch({ key, selection, known }: LeaseOrder, path: string): Promise<Found | Exclude<RelayAnswer, object>> {
    const { names, values } = selection;
    const answer = await this.#parts.relay(path, {
      key,
      selection: { names, values: values.map((value) => value ?? null) },
      askedAt: knownAt(known),
      sequence: this.#parts.sequence.begun,
    });
    if (typeof answer === 'string') return answer;
    const { response, totalBytes, bytes } = answer;
    if (known !== undefined && isSameBody(known, response)) {
      bytes.abort();
      return { response: { ...response, body: known.body }, body: undefined, writer: 'elsewhere' };
    }
    return { response, body: { bytes: totalBytes, open: async () => bytes }, writer: 'elsewhere' };
  }

  /** What the primary process says of leases. Returns whether it was that. */
  heard(message: ToWorker): boolean {
    switch (message.kind) {
      case 'granted':
        this.#taken.get(message.id)?.granted(message.lease);
        return true;
      case 'waiting':
        this.#taken.get(message.id)?.waiting();
        return true;
      case 'told':
        this.#taken.get(message.id)?.told(message.notice);
        return true;
      case 'renewed':
        this.#renewed(message);
        return true;
      case 'departed':
        this.#announced.gone(message.worker);
        return true;
      case 'orphaned':
        void this.#inherit(message.orphans);
        return true;
      case 'marked':
        this.#engine?.parts.markers.mark(message.markerKey, MARKER_TTL_MS);
        return true;
      case 'failing': {
        const { retryAfterMs, failure } = message.failure;
        this.#engine?.parts.failures.note(message.key, retryAfterMs, failure);
        return true;
      }
      default:
        return false;
    }
  }

  /**
   * Another worker has something newer. The new record is taken where it is around the body that is here too; else what is
   * here goes, and the next request takes the newer one from there. That one writes it to the disk that both have.
   */
  #renewed({ by, key, names, askedAt: when, record, sequence }: ToWorker & { kind: 'renewed' }): void {
    const engine = this.#engine;
    if (engine === undefined) return;
    const { store } = engine.parts;
    this.#announced.note(by, names, when);
    engine.parts.failures.succeeded(key);
    // What an operator did here since may not have been done there yet.
    const isInStep = sequence >= this.#parts.sequence.begun;
    const next = record === undefined || !isInStep ? undefined : responseOf(Buffer.from(record));
    for (const current of store.peek(key) ?? []) {
      if (!names.includes(leaseName(key, current.selection)) || askedAt(current) >= when) continue;
      // From memory alone: on disk the newer one may be in its place already.
      if (!this.#takenOver(store, current, next)) store.remove(current, 'evicted');
    }
  }

  /** Whether the new record is in the place of `current`. */
  #takenOver(store: Store, current: StoredResponse, next: StoredResponse | undefined): boolean {
    if (next === undefined || current.partial !== undefined) return false;
    if (!isSameSelection(current.selection, next.selection) || !isSameBody(current, next)) return false;
    return store.swap(current, { ...next, body: current.body }, 'elsewhere');
  }

  /** A response for another worker. */
  give({ key, selection, askedAt: known, sequence }: RelayAsk): StoredResponse | 'none' | 'superseded' {
    const engine = this.#engine;
    if (engine === undefined || sequence > this.#parts.sequence.ended) return 'superseded';
    const values = selection.values.map((value) => value ?? undefined);
    const isMeant = (response: StoredResponse): boolean =>
      selection.names.length === 0 || isSameSelection(response.selection, { names: selection.names, values });
    for (const { response, state, fate } of engine.collapse.running(key)) {
      if (response === undefined || state !== 'streaming' || !isMeant(response)) continue;
      if (response.body.mode === 'flow' || response.partial !== undefined) continue;
      if (fate.wasSuperseded || fate.isCaught || fate.isExpired) return 'superseded';
      return response;
    }
    // What is too large for memory is known below before it is written there.
    const stored = engine.parts.store.known(key).find((one) => one.partial === undefined && isMeant(one));
    return stored !== undefined && askedAt(stored) > known ? stored : 'none';
  }
}

/** Another machine asks: the other workers wait for this one, which waits for that machine. */
function waitBeyond(
  own: Lease,
  wait: (told: (notice: LeaseNotice) => void) => Cancel,
  told: (notice: LeaseNotice) => void,
): Cancel {
  const cancel = wait((notice) => {
    void own.release(notice.kind === 'uncacheable' || notice.kind === 'failed' ? notice : { kind: 'left' });
    told(notice);
  });
  return () => {
    cancel();
    void own.release({ kind: 'left' });
  };
}
