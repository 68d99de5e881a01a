/**
 * Gives clients' connections to workers, each to the one that has fewest. The primary process listens and reads nothing;
 * a connection stays its own until the worker says that it took it, so that one on its way to a worker that dies goes to
 * another (decisions/0020).
 */
import type { Clock } from '../base/clock.js';
import { MAX_REFUSED_CONNECTIONS } from '../base/limits.js';
import { HANDOVER_TIMEOUT_MS, MAX_HANDOVERS } from '../base/worker-limits.js';
import { Door } from '../front/door.js';
import type { Handle } from '../front/read-into.js';
import type { Events } from '../observe/events.js';
import type { ToWorker } from './messages.js';
import type { Member } from './supervisor.js';

/** A connection that a worker has not taken yet. */
interface Handover {
  readonly member: Member;
  readonly handle: Handle;
}

export interface HandoverParts {
  readonly clock: Clock;
  readonly events: Events;
  /** Client connections that there may be, as it is now. */
  connectionLimit(): number;
  /** Those that serve. */
  members(): readonly Member[];
}

export class Handovers {
  /** Connections that were closed since too many waited. */
  refusedCount = 0;
  readonly #parts: HandoverParts;
  /** Who comes with others is accepted before any of them is given on: then it is known of each whether there are more. */
  readonly #door: Door;
  readonly #waiting: Handle[] = [];
  readonly #underWay = new Map<number, Handover>();
  #nextId = 1;
  #isOverfull = false;
  #whenMoved: (() => void) | undefined;

  constructor(parts: HandoverParts) {
    this.#parts = parts;
    this.#door = new Door(parts.clock);
  }

  /** Connections that no worker has yet. */
  get count(): number {
    return this.#waiting.length + this.#underWay.size;
  }

  take(handle: Handle): void {
    // As many as workers would let in or refuse: each of them can be given on.
    if (this.#waiting.length >= this.#parts.connectionLimit() + MAX_REFUSED_CONNECTIONS) {
      this.#refuse(handle);
      return;
    }
    this.#waiting.push(handle);
    const isFirst = !this.#door.isHolding;
    this.#door.came();
    if (isFirst) this.#door.hold(this);
  }

  #refuse(handle: Handle): void {
    this.refusedCount++;
    handle.close();
    if (this.#isOverfull) return;
    // Once until nobody waits any more, not for each connection.
    this.#isOverfull = true;
    const message = 'Client connections are closed: too many wait for a worker';
    this.#parts.events.notice('warn', 'too-many-waiting', message, { limit: this.#parts.connectionLimit() });
  }

  /** No more come just now. */
  release(): void {
    this.goOn();
  }

  /** A worker may have become free. */
  goOn(): void {
    this.#giveOn();
    this.#whenMoved?.();
  }

  #giveOn(): void {
    // Others are still coming: release() gives them all on.
    if (this.#door.isHolding) return;
    while (this.#waiting.length > 0) {
      const member = this.#freest();
      if (member === undefined) return;
      const handle = this.#waiting.shift();
      if (handle !== undefined) this.#give(member, handle);
    }
    this.#isOverfull = false;
  }

  #freest(): Member | undefined {
    let freest: Member | undefined;
    let fewest = Number.POSITIVE_INFINITY;
    for (const member of this.#parts.members()) {
      const underWay = this.#underWayTo(member);
      // What it says that it has is without those that it has not taken yet.
      const connections = member.connections + underWay;
      if (underWay >= MAX_HANDOVERS || connections >= fewest) continue;
      freest = member;
      fewest = connections;
    }
    return freest;
  }

  #underWayTo(member: Member): number {
    let count = 0;
    for (const handover of this.#underWay.values()) if (handover.member === member) count++;
    return count;
  }

  #give(member: Member, handle: Handle): void {
    const connection = this.#nextId++;
    this.#underWay.set(connection, { member, handle });
    // They go round: it gets another one where there is one for each.
    const isMore = this.#waiting.length >= this.#parts.members().length;
    member.child.give({ kind: 'connection', connection, isMore } satisfies ToWorker, handle);
  }

  /** A worker has it: here it is closed. */
  took(connection: number): void {
    this.#underWay.get(connection)?.handle.close();
    this.#underWay.delete(connection);
    this.goOn();
  }

  /** What was on its way to a worker that died was not read there: another one gets it. */
  gone(member: Member): void {
    const lost: Handle[] = [];
    for (const [connection, handover] of this.#underWay) {
      if (handover.member !== member) continue;
      this.#underWay.delete(connection);
      lost.push(handover.handle);
    }
    this.#waiting.unshift(...lost);
    this.goOn();
  }

  /**
   * Resolves once workers have all connections, or at `until` by the steady clock. What a worker is told comes behind the
   * connections that it was given: where none waits any more, one that is slow to take them does not hold up the others.
   */
  async done(until: number): Promise<void> {
    while (this.count > 0) {
      const leftMs = until - this.#parts.clock.steady();
      if (leftMs <= 0) return;
      const areAllGiven = this.#waiting.length === 0;
      const hasMoved = await this.#moved(areAllGiven ? Math.min(leftMs, HANDOVER_TIMEOUT_MS) : leftMs);
      if (!hasMoved && areAllGiven) return;
    }
  }

  /** Whether one is given or taken within that time. */
  #moved(atMostMs: number): Promise<boolean> {
    return new Promise((resolve) => {
      const late = this.#parts.clock.after(atMostMs, () => resolve(false));
      this.#whenMoved = () => {
        this.#whenMoved = undefined;
        late.cancel();
        resolve(true);
      };
    });
  }

  close(): void {
    for (const handle of this.#waiting.splice(0)) handle.close();
    for (const { handle } of this.#underWay.values()) handle.close();
    this.#underWay.clear();
  }
}
