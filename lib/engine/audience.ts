/** Those who hear how a fill goes: the one who leads it, and all who wait on it. Each is told once. */
import type { Fields } from '../http/fields.js';
import type { Fill } from './fill.js';
import type { FillResult, Waiter } from './fill-contract.js';

export class Audience {
  #leader: Waiter | undefined;
  /** Most fills have none. */
  #waiters: Set<Waiter> | undefined;

  constructor(leader: Waiter | undefined) {
    this.#leader = leader;
  }

  get waiterCount(): number {
    return this.#waiters?.size ?? 0;
  }

  /** All of them. */
  get count(): number {
    return this.waiterCount + (this.#leader === undefined ? 0 : 1);
  }

  get isEmpty(): boolean {
    return this.#leader === undefined && this.waiterCount === 0;
  }

  get isLeaderAlone(): boolean {
    return this.#leader !== undefined && this.waiterCount === 0;
  }

  join(waiter: Waiter): void {
    this.#waiters ??= new Set();
    this.#waiters.add(waiter);
  }

  /** Returns whether it was the one who led. */
  leave(waiter: Waiter): boolean {
    this.#waiters?.delete(waiter);
    if (this.#leader !== waiter) return false;
    this.#leader = undefined;
    return true;
  }

  /** RFC 9110 §15.2. To the one whose request it answers, alone: it may be meant for nobody else. */
  inform(status: number, fields: Fields): void {
    this.#leader?.inform(status, fields);
  }

  settle(fill: Fill, forLeader: FillResult, forWaiters: FillResult): void {
    const leader = this.#leader;
    this.#leader = undefined;
    const waiters = this.#waiters;
    this.#waiters = undefined;
    if (leader !== undefined) tell(leader, fill, forLeader);
    if (waiters !== undefined) for (const waiter of waiters) tell(waiter, fill, forWaiters);
  }
}

/** What one of them cannot deal with is no business of the others, nor of the fill. */
function tell(waiter: Waiter, fill: Fill, result: FillResult): void {
  try {
    waiter.settled(fill, result);
  } catch (error) {
    waiter.broke(error);
  }
}
