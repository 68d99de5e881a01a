/**
 * The eviction policy S3-FIFO over slots, counted in bytes: new responses wait in a small queue, and only those used
 * again while there get into the main one, so that a crawler that touches every key once drives out nothing that
 * people ask for. lib/decisions/0001-eviction-policy.md has the numbers.
 */
import type { Ghost } from './ghost.js';
import { type Links, NO_SLOT } from './links.js';
import type { Slots } from './slots.js';

/** Share of the bytes that the small queue may hold before it is the one that gives. */
const SMALL_SHARE = 0.05;
/** Uses in the small queue from which on a response moves to the main one. */
const USES_TO_MOVE = 2;

export class S3Fifo {
  readonly #slots: Slots<unknown>;
  readonly #links: Links;
  readonly #ghost: Ghost;
  readonly #small: number;
  readonly #main: number;
  #smallBytes = 0;
  #mainBytes = 0;

  /** `small` and `main` are the numbers of its two lists in `links`. */
  constructor(slots: Slots<unknown>, links: Links, ghost: Ghost, small: number, main: number) {
    this.#slots = slots;
    this.#links = links;
    this.#ghost = ghost;
    this.#small = small;
    this.#main = main;
  }

  get bytes(): number {
    return this.#smallBytes + this.#mainBytes;
  }

  /** A response that was not in the cache: small queue, or main where its eviction is still remembered. */
  admit(slot: number): void {
    this.#push(this.#ghost.recall(this.#slots.hash(slot)) ? this.#main : this.#small, slot);
  }

  /** A response that was in the cache already: back to the queue of its standing. */
  accept(slot: number, isEstablished: boolean): void {
    this.#push(isEstablished ? this.#main : this.#small, slot);
  }

  remove(slot: number): void {
    this.#links.remove(slot);
    if (this.#slots.place(slot) === this.#small) this.#smallBytes -= this.#slots.bytes(slot);
    else this.#mainBytes -= this.#slots.bytes(slot);
  }

  /**
   * The slot to evict next, still in its queue. At most `looks` candidates that were used are passed over (each loses
   * uses by that); after them the next one is it, used or not.
   */
  victim(looks: number): number {
    const slots = this.#slots;
    for (let look = 0; ; look++) {
      const fromSmall =
        !this.#links.isEmpty(this.#small) &&
        (this.#smallBytes > SMALL_SHARE * this.bytes || this.#links.isEmpty(this.#main));
      const slot = this.#links.last(fromSmall ? this.#small : this.#main);
      if (slot === NO_SLOT) return NO_SLOT;
      const uses = slots.uses(slot);
      if (uses < (fromSmall ? USES_TO_MOVE : 1) || look >= looks) return slot;
      this.remove(slot);
      slots.setUses(slot, fromSmall ? 0 : uses - 1);
      this.#push(this.#main, slot);
    }
  }

  /** Takes a victim out and remembers it where it never got into the main queue. */
  evict(slot: number): void {
    if (this.#slots.place(slot) === this.#small) this.#ghost.add(this.#slots.hash(slot));
    this.remove(slot);
  }

  /** What was taken out though it was its turn has it now. */
  comeBack(slot: number, list: number): void {
    this.#links.pushBack(list, slot);
    this.#entered(list, slot);
  }

  #push(list: number, slot: number): void {
    this.#links.pushFront(list, slot);
    this.#entered(list, slot);
  }

  #entered(list: number, slot: number): void {
    this.#slots.setPlace(slot, list);
    if (list === this.#small) this.#smallBytes += this.#slots.bytes(slot);
    else this.#mainBytes += this.#slots.bytes(slot);
  }
}
