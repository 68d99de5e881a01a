/**
 * Who asks the origin, among workers: one table in the primary process, changed by one message after another, so that two
 * never hold one lease. A worker that dies gives back all that it held at once; what it may have held among machines beside
 * (another process has the way there) one of the others gives back in its place.
 */
import { MAX_HOLDINGS, MAX_HOLDINGS_BYTES, MAX_WORKER_LEASES } from '../base/worker-limits.js';
import { Remembered } from '../store/remembered.js';
import type { Orphan, Taking, ToWorker, WireNotice, WireOutcome } from './messages.js';

export interface LeaseTableParts {
  tell(worker: number, message: ToWorker): void;
  /** Tells all but one. */
  tellOthers(worker: number, message: ToWorker): void;
  /** Where a worker gives others what it has; undefined: it is gone. */
  pathOf(worker: number): string | undefined;
  /** One that serves. */
  heir(): number | undefined;
}

interface Wait {
  readonly worker: number;
  readonly id: number;
}

interface Held {
  readonly lease: number;
  readonly name: string;
  readonly keyLength: number;
  readonly worker: number;
  /** What will be stored arrives, and can be had as it comes. */
  isOpen: boolean;
  readonly waiting: Wait[];
}

/** A lease that is over here, and may still be held among machines. */
interface Owed {
  readonly orphan: Orphan;
  /** Who is to give it back; undefined: nobody yet. */
  by: number | undefined;
}

/** Which worker stored something last, and when that was asked for. */
interface Holding {
  readonly worker: number;
  readonly askedAt: number;
}

export class LeaseTable {
  readonly #parts: LeaseTableParts;
  readonly #byName = new Map<string, Held>();
  readonly #byLease = new Map<number, Held>();
  readonly #owed = new Map<number, Owed>();
  readonly #holdings = new Remembered<Holding>(MAX_HOLDINGS, MAX_HOLDINGS_BYTES);
  #nextLease = 1;

  constructor(parts: LeaseTableParts) {
    this.#parts = parts;
  }

  /** Leases that are held. */
  get count(): number {
    return this.#byLease.size;
  }

  /** Workers that wait for one, each as often as it waits. */
  get waitingCount(): number {
    let sum = 0;
    for (const { waiting } of this.#byLease.values()) sum += waiting.length;
    return sum;
  }

  take(worker: number, taking: Taking): void {
    const held = this.#byName.get(taking.name);
    if (held !== undefined) this.#wait(worker, taking, held);
    else if (!this.#offer(worker, taking)) this.#grant(worker, taking);
  }

  #wait(worker: number, taking: Taking, held: Held): void {
    const { id, isBlind, isPatient } = taking;
    const path = held.isOpen ? this.#parts.pathOf(held.worker) : undefined;
    if (held.worker === worker || (isBlind && held.isOpen)) {
      // It waits for nobody but itself, or for what it knows to be of no use.
      this.#notice({ worker, id }, { kind: 'alone' });
    } else if (path !== undefined && !isPatient) {
      this.#notice({ worker, id }, { kind: 'at', path });
    } else if (!this.#offer(worker, taking)) {
      // What is to be had meanwhile may be served stale: whoever has nothing newer waits.
      held.waiting.push({ worker, id });
      this.#parts.tell(worker, { kind: 'waiting', id });
    }
  }

  /** Says who has it, where somebody has it in a newer form. */
  #offer(worker: number, { id, name, askedAt, isBlind, isPatient }: Taking): boolean {
    const holding = this.#holdings.get(name);
    // Whoever has the latest asks for what comes after it, and still has it should that fail.
    if (holding === undefined || isBlind || holding.askedAt <= askedAt) return false;
    const path = holding.worker === worker ? undefined : this.#parts.pathOf(holding.worker);
    if (path === undefined || isPatient) {
      this.#holdings.delete(name);
      return false;
    }
    this.#notice({ worker, id }, { kind: 'at', path });
    return true;
  }

  #grant(worker: number, { id, name, keyLength }: Taking): void {
    if (this.#byLease.size + this.#owed.size >= MAX_WORKER_LEASES) {
      this.#notice({ worker, id }, { kind: 'alone' });
      return;
    }
    const held: Held = { lease: this.#nextLease++, name, keyLength, worker, isOpen: false, waiting: [] };
    this.#byName.set(name, held);
    this.#byLease.set(held.lease, held);
    this.#parts.tell(worker, { kind: 'granted', id, lease: held.lease });
  }

  #notice({ worker, id }: Wait, notice: WireNotice): void {
    this.#parts.tell(worker, { kind: 'told', id, notice });
  }

  /** What will be stored has begun to arrive: those who wait follow it. */
  opened(worker: number, lease: number): void {
    const held = this.#byLease.get(lease);
    const path = this.#parts.pathOf(worker);
    if (held?.worker !== worker || path === undefined) return;
    held.isOpen = true;
    for (const wait of held.waiting.splice(0)) this.#notice(wait, { kind: 'at', path });
  }

  /** `isOwed`: what the worker held among machines it gives back after this, and says when it has (settled). */
  release(worker: number, lease: number, outcome: WireOutcome, sequence: number, isOwed: boolean): void {
    const held = this.#byLease.get(lease);
    // Of one who is thought dead, or says it twice.
    if (held?.worker !== worker) return;
    this.#drop(held);
    if (isOwed) this.#owe(held, worker);
    switch (outcome.kind) {
      case 'stored':
      case 'freshened': {
        this.#holdings.set(held.name, { worker, askedAt: outcome.askedAt });
        // A new response takes the place of what was asked about, also where its Vary is another. A 304 may be about a
        // variant that was not asked about, which goes on.
        const names = outcome.kind === 'stored' ? [...new Set([held.name, ...outcome.names])] : outcome.names;
        this.announced(worker, { ...outcome, names }, sequence);
        const path = this.#parts.pathOf(worker);
        const notice = outcome.kind === 'stored' && path !== undefined ? ({ kind: 'at', path } as const) : undefined;
        this.#tellAll(held, notice ?? { kind: 'look' });
        return;
      }
      case 'uncacheable': {
        const { markerKey } = outcome;
        if (markerKey !== undefined) this.#parts.tellOthers(worker, { kind: 'marked', markerKey });
        this.#tellAll(held, outcome);
        return;
      }
      case 'failed': {
        const { key, failure } = outcome;
        if (failure.retryAfterMs !== undefined) this.#parts.tellOthers(worker, { kind: 'failing', key, failure });
        this.#tellAll(held, { kind: 'failed', failure });
        return;
      }
      case 'left':
        this.#tellAll(held, { kind: 'look' });
    }
  }

  /** A worker has stored something, whether it held a lease for it or not. */
  announced(worker: number, outcome: WireOutcome, sequence: number): void {
    if (outcome.kind !== 'stored' && outcome.kind !== 'freshened') return;
    const { key, names, askedAt } = outcome;
    for (const name of names) this.#holdings.set(name, { worker, askedAt });
    const record = outcome.kind === 'freshened' ? outcome.record : undefined;
    this.#parts.tellOthers(worker, { kind: 'renewed', by: worker, key, names, askedAt, record, sequence });
  }

  #tellAll({ waiting }: Held, notice: WireNotice): void {
    for (const wait of waiting.splice(0)) this.#notice(wait, notice);
  }

  #owe({ lease, worker, name, keyLength }: Held, by: number | undefined): void {
    this.#owed.set(lease, { orphan: { lease, member: worker, name, keyLength }, by });
  }

  /** Nothing is owed for these leases any more. */
  settled(worker: number, leases: readonly number[]): void {
    for (const lease of leases) if (this.#owed.get(lease)?.by === worker) this.#owed.delete(lease);
  }

  /** Has what nobody is to give back given back by one that serves, where there is one. */
  bequeath(): void {
    const heir = this.#parts.heir();
    if (heir === undefined) return;
    const orphans: Orphan[] = [];
    for (const owed of this.#owed.values()) {
      if (owed.by !== undefined) continue;
      owed.by = heir;
      orphans.push(owed.orphan);
    }
    if (orphans.length > 0) this.#parts.tell(heir, { kind: 'orphaned', orphans });
  }

  #drop(held: Held): void {
    this.#byName.delete(held.name);
    this.#byLease.delete(held.lease);
  }

  /** Waits no more, or lets go what was granted too late. */
  quit(worker: number, id: number): void {
    for (const { waiting } of this.#byLease.values()) {
      const at = waiting.findIndex((wait) => wait.worker === worker && wait.id === id);
      if (at >= 0) {
        waiting.splice(at, 1);
        return;
      }
    }
  }

  /** A worker died: those who wait on it take its place, one of them by each lease. */
  gone(worker: number): void {
    // First, so that who looks again knows that no more is to come from there.
    this.#parts.tellOthers(worker, { kind: 'departed', worker });
    for (const held of [...this.#byLease.values()]) {
      const rest = held.waiting.filter((wait) => wait.worker !== worker);
      held.waiting.splice(0, held.waiting.length, ...rest);
      if (held.worker !== worker) continue;
      this.#drop(held);
      this.#owe(held, undefined);
      this.#tellAll(held, { kind: 'look' });
    }
    for (const owed of this.#owed.values()) if (owed.by === worker) owed.by = undefined;
    this.bequeath();
  }
}
