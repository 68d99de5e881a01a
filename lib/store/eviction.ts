/**
 * Chooses what leaves the memory tier when room is needed: first what was not used since its grace ended, then the
 * rest by S3-FIFO. A response past grace that is in use still spares the origin its body, so it stays among the rest.
 */
import { MAX_EVICTION_LOOKS, MAX_PAST_GRACE_LOOKS } from '../base/limits.js';
import { Ghost } from './ghost.js';
import { Links, NO_SLOT } from './links.js';
import { S3Fifo } from './s3fifo.js';
import type { Slots } from './slots.js';

/** Which list a slot is in. */
type Place = number;
const SMALL: Place = 0;
const MAIN: Place = 1;
const PAST_GRACE: Place = 2;
const LISTS = 3;
/** In none. */
const NOWHERE: Place = LISTS;

export class Eviction {
  readonly #slots: Slots<unknown>;
  readonly #links = new Links(LISTS);
  readonly #queues: S3Fifo;

  constructor(slots: Slots<unknown>) {
    const ghost = new Ghost();
    slots.follow((capacity) => {
      this.#links.grow(capacity);
      ghost.resize(capacity);
    });
    this.#slots = slots;
    this.#queues = new S3Fifo(slots, this.#links, ghost, SMALL, MAIN);
  }

  /**
   * Takes in a response that was not in the cache. One that is born past grace (validated on every use) is treated
   * like any other: that says nothing about how often it is asked for.
   */
  admit(slot: number): void {
    this.#queues.admit(slot);
  }

  /** The grace of the slot's response ended, and nobody refreshed it. */
  graceEnded(slot: number): void {
    this.remove(slot);
    this.#slots.setUses(slot, 0);
    this.#links.pushFront(PAST_GRACE, slot);
    this.#slots.setPlace(slot, PAST_GRACE);
  }

  /** Takes a slot out for a moment, so that it is no victim; returns its place for restore(). */
  withdraw(slot: number): Place {
    const place = this.#slots.place(slot);
    this.remove(slot);
    return place;
  }

  /** Puts back what was withdrawn. What had been past grace goes where it is treated like the rest: it was refreshed. */
  restore(slot: number, place: Place): void {
    this.#queues.accept(slot, place !== SMALL);
  }

  /** Puts back what was to go, behind all others. */
  passOver(slot: number): void {
    this.#queues.accept(slot, true);
  }

  remove(slot: number): void {
    const place = this.#slots.place(slot);
    if (place === PAST_GRACE) this.#links.remove(slot);
    else if (place !== NOWHERE) this.#queues.remove(slot);
    this.#slots.setPlace(slot, NOWHERE);
  }

  /** Takes out the slot that goes next, in a bounded number of steps; NO_SLOT where there is none. */
  takeVictim(): number {
    for (let look = 0; look < MAX_PAST_GRACE_LOOKS; look++) {
      const slot = this.#links.last(PAST_GRACE);
      if (slot === NO_SLOT) break;
      this.remove(slot);
      if (this.#slots.uses(slot) === 0) return slot;
      this.#queues.accept(slot, true);
    }
    const slot = this.#queues.victim(MAX_EVICTION_LOOKS);
    if (slot === NO_SLOT) return NO_SLOT;
    this.#queues.evict(slot);
    this.#slots.setPlace(slot, NOWHERE);
    return slot;
  }
}
