/**
 * Chooses what leaves the memory tier when room is needed: first what was not used since its grace ended, then the
 * rest by S3-FIFO. A response past grace that is in use still spares the origin its body, so it stays among the rest.
 * What clients take just now would give nothing back (decision 0043): its turn is put off until they have it.
 */
import { MAX_EVICTION_LOOKS, MAX_PAST_GRACE_LOOKS, MAX_PUT_OFF_LOOKS, MAX_TAKEN_LOOKS } from '../base/limits.js';
import { Ghost } from './ghost.js';
import { Links, NO_SLOT } from './links.js';
import { S3Fifo } from './s3fifo.js';
import type { Slots } from './slots.js';

/** Which list a slot is in. */
type Place = number;
const SMALL: Place = 0;
const MAIN: Place = 1;
const PAST_GRACE: Place = 2;
const PLACES: readonly Place[] = [PAST_GRACE, SMALL, MAIN];
/** From each of these to the list of those whose turn there was put off. */
const PUT_OFF = PLACES.length;
const LISTS = 2 * PUT_OFF;
/** In none. */
const NOWHERE: Place = LISTS;

export class Eviction {
  readonly #slots: Slots<unknown>;
  readonly #isTaken: (slot: number) => boolean;
  readonly #links = new Links(LISTS);
  readonly #queues: S3Fifo;
  /** By place, the one that was called back there last. */
  readonly #calledBack = PLACES.map(() => NO_SLOT);

  /** `isTaken`: whether clients take it just now. */
  constructor(slots: Slots<unknown>, isTaken: (slot: number) => boolean) {
    const ghost = new Ghost();
    slots.follow((capacity) => {
      this.#links.grow(capacity);
      ghost.resize(capacity);
    });
    this.#slots = slots;
    this.#isTaken = isTaken;
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
    return place % PUT_OFF;
  }

  /** Puts back what was withdrawn. What had been past grace goes where it is treated like the rest: it was refreshed. */
  restore(slot: number, place: Place): void {
    this.#queues.accept(slot, place !== SMALL);
  }

  remove(slot: number): void {
    const place = this.#slots.place(slot);
    if (place === SMALL || place === MAIN) this.#queues.remove(slot);
    else if (place !== NOWHERE) this.#links.remove(slot);
    this.#slots.setPlace(slot, NOWHERE);
  }

  /** Takes out the slot that goes next, of those that no client takes, in a bounded number of steps; NO_SLOT where none was found. */
  takeVictim(): number {
    this.#callBack();
    for (let look = 0; look < MAX_TAKEN_LOOKS; look++) {
      let slot = this.#next();
      if (slot === NO_SLOT && this.#callBack()) slot = this.#next();
      if (slot === NO_SLOT) return NO_SLOT;
      if (!this.#isTaken(slot)) return this.#evict(slot);
      this.#move(slot, this.#slots.place(slot) + PUT_OFF);
    }
    return NO_SLOT;
  }

  /** The same of those that clients take: their room comes back with the last of these. */
  takeTaken(): number {
    for (const place of PLACES) {
      for (const list of [place + PUT_OFF, place]) {
        let slot = this.#links.last(list);
        for (let look = 0; look < MAX_TAKEN_LOOKS && slot !== NO_SLOT; look++) {
          if (this.#isTaken(slot)) {
            if (list !== place) this.#comeBack(slot);
            return this.#evict(slot);
          }
          slot = this.#links.before(list, slot);
        }
      }
    }
    return NO_SLOT;
  }

  /** The slot that goes next, still in its list. */
  #next(): number {
    for (let look = 0; look < MAX_PAST_GRACE_LOOKS; look++) {
      const slot = this.#links.last(PAST_GRACE);
      if (slot === NO_SLOT) break;
      if (this.#slots.uses(slot) === 0) return slot;
      this.remove(slot);
      this.#queues.accept(slot, true);
    }
    return this.#queues.victim(MAX_EVICTION_LOOKS);
  }

  #evict(slot: number): number {
    if (this.#slots.place(slot) !== PAST_GRACE) this.#queues.evict(slot);
    else this.#links.remove(slot);
    this.#slots.setPlace(slot, NOWHERE);
    return slot;
  }

  #move(slot: number, list: number): void {
    this.remove(slot);
    this.#links.pushFront(list, slot);
    this.#slots.setPlace(slot, list);
  }

  /**
   * Of those that were put off, the first that is not taken any more, of each kind: it has its turn before the next one comes back,
   * so that they keep their order. Returns whether there was one.
   */
  #callBack(): boolean {
    let isAny = false;
    for (const place of PLACES) {
      const before = this.#calledBack[place];
      if (before !== NO_SLOT && this.#links.last(place) === before) continue;
      for (let look = 0; look < MAX_PUT_OFF_LOOKS; look++) {
        const slot = this.#links.last(place + PUT_OFF);
        if (slot === NO_SLOT) break;
        if (this.#isTaken(slot)) this.#move(slot, place + PUT_OFF);
        else {
          this.#comeBack(slot);
          this.#calledBack[place] = slot;
          isAny = true;
          break;
        }
      }
    }
    return isAny;
  }

  /** To where it was, before all others. */
  #comeBack(slot: number): void {
    const place = this.#slots.place(slot) - PUT_OFF;
    this.remove(slot);
    if (place !== PAST_GRACE) this.#queues.comeBack(slot, place);
    else {
      this.#links.pushBack(PAST_GRACE, slot);
      this.#slots.setPlace(slot, PAST_GRACE);
    }
  }
}
