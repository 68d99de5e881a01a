/**
 * Tells which slots' instants have come, without looking at the others: a hierarchical timing wheel.
 * Coarse on purpose (a second at the near end): it only decides when memory is given back, never what is served.
 */
import { Links, NO_SLOT } from './links.js';
import type { Slots } from './slots.js';

const LEVELS = 4;
const BUCKET_BITS = 6;
const BUCKETS = 1 << BUCKET_BITS;
/** The list of slots whose bucket came round. */
const DUE = LEVELS * BUCKETS;
/** Furthest a slot is put ahead (194 days at one tick a second); one that lies beyond comes round and goes in anew. */
const MAX_AHEAD_TICKS = BUCKETS ** LEVELS - 1;
/** Ticks that one turn walks singly. After a longer gap (the machine slept) all buckets come due, and are sorted anew. */
const MAX_SINGLE_TICKS = BUCKETS * BUCKETS;

export class Wheel {
  readonly #links = new Links(DUE + 1);
  readonly #tickMs: number;
  readonly #startAt: number;
  /** Ticks since startAt whose buckets have come round. */
  #tick = 0;

  constructor(slots: Slots<unknown>, tickMs: number, startAt: number) {
    this.#tickMs = tickMs;
    this.#startAt = startAt;
    slots.follow((capacity) => this.#links.grow(capacity));
  }

  /** Puts a slot in, or anew, to come due at `at` or up to a tick later. */
  schedule(slot: number, at: number): void {
    this.#links.remove(slot);
    const wanted = Math.ceil((at - this.#startAt) / this.#tickMs);
    const ahead = Math.min(wanted - this.#tick, MAX_AHEAD_TICKS);
    if (ahead <= 0) {
      this.#links.pushFront(DUE, slot);
      return;
    }
    let level = 0;
    let ticks = 1;
    for (; ahead >= ticks * BUCKETS; ticks *= BUCKETS) level++;
    // The position is an integer below 2^53 that may be above 2^31: no bit operations on it.
    const position = Math.floor((this.#tick + ahead) / ticks) % BUCKETS;
    this.#links.pushFront(level * BUCKETS + position, slot);
  }

  cancel(slot: number): void {
    this.#links.remove(slot);
  }

  /** Lets a slot come due now. */
  hasten(slot: number): void {
    this.#links.remove(slot);
    this.#links.pushFront(DUE, slot);
  }

  /** Turns the wheel to `now`. The cost depends on the time since the last turn, not on the number of slots. */
  turn(now: number): void {
    const until = Math.floor((now - this.#startAt) / this.#tickMs);
    if (until - this.#tick > MAX_SINGLE_TICKS) {
      for (let list = 0; list < DUE; list++) this.#links.splice(list, DUE);
      this.#tick = until;
    }
    while (this.#tick < until) {
      this.#tick++;
      let position = this.#tick;
      for (let level = 0; level < LEVELS; level++) {
        this.#links.splice(level * BUCKETS + (position % BUCKETS), DUE);
        // A coarser bucket comes round when the finer ring is back at its start.
        if (position % BUCKETS !== 0) break;
        position = Math.floor(position / BUCKETS);
      }
    }
  }

  get hasDue(): boolean {
    return !this.#links.isEmpty(DUE);
  }

  /**
   * Takes out one slot that came due, or NO_SLOT. It may be early by what the wheel is coarse: the caller compares
   * the slot's own instant and schedules it again where that is still ahead.
   */
  takeDue(): number {
    const slot = this.#links.last(DUE);
    if (slot !== NO_SLOT) this.#links.remove(slot);
    return slot;
  }
}
