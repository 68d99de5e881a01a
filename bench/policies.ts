/** The eviction policies that bench/eviction.ts compares; the one that lib/ uses is wrapped, the others live here alone. */
import { Ghost } from '../lib/store/ghost.js';
import { Links, NO_SLOT } from '../lib/store/links.js';
import { S3Fifo } from '../lib/store/s3fifo.js';
import { Slots } from '../lib/store/slots.js';

export interface EvictionPolicy {
  /** Takes a key in and gives its slot. */
  insert(key: number, bytes: number, hash: number): number;
  touch(slot: number): void;
  /** Takes the next victim out and gives its key. */
  evict(): number;
}

/** Candidates that one search may pass over: the bound that the store uses. */
const LOOKS = 64;

export class LruPolicy implements EvictionPolicy {
  readonly #slots = new Slots<number>();
  readonly #links = new Links(1);

  constructor() {
    this.#slots.follow((capacity) => this.#links.grow(capacity));
  }

  insert(key: number, bytes: number, hash: number): number {
    const slot = this.#slots.take(key, bytes, hash);
    this.#links.pushFront(0, slot);
    return slot;
  }

  touch(slot: number): void {
    this.#links.remove(slot);
    this.#links.pushFront(0, slot);
  }

  evict(): number {
    const slot = this.#links.last(0);
    const key = this.#slots.at(slot) ?? 0;
    this.#links.remove(slot);
    this.#slots.give(slot);
    return key;
  }
}

/** Second chance with counts of up to three. */
export class ClockPolicy implements EvictionPolicy {
  readonly #slots = new Slots<number>();
  readonly #links = new Links(1);

  constructor() {
    this.#slots.follow((capacity) => this.#links.grow(capacity));
  }

  insert(key: number, bytes: number, hash: number): number {
    const slot = this.#slots.take(key, bytes, hash);
    this.#links.pushFront(0, slot);
    return slot;
  }

  touch(slot: number): void {
    this.#slots.use(slot);
  }

  evict(): number {
    for (let look = 0; ; look++) {
      const slot = this.#links.last(0);
      this.#links.remove(slot);
      const uses = this.#slots.uses(slot);
      if (uses > 0 && look < LOOKS) {
        this.#slots.setUses(slot, uses - 1);
        this.#links.pushFront(0, slot);
        continue;
      }
      const key = this.#slots.at(slot) ?? 0;
      this.#slots.give(slot);
      return key;
    }
  }
}

/** SIEVE: one queue in order of arrival, a hand that walks from old to new and evicts where nobody came by. */
export class SievePolicy implements EvictionPolicy {
  readonly #keys: number[] = [];
  readonly #newer: number[] = [];
  readonly #older: number[] = [];
  readonly #visited: boolean[] = [];
  readonly #free: number[] = [];
  #newest = NO_SLOT;
  #oldest = NO_SLOT;
  #hand = NO_SLOT;

  insert(key: number): number {
    const slot = this.#free.pop() ?? this.#keys.length;
    this.#keys[slot] = key;
    this.#visited[slot] = false;
    this.#older[slot] = this.#newest;
    this.#newer[slot] = NO_SLOT;
    if (this.#newest === NO_SLOT) this.#oldest = slot;
    else this.#newer[this.#newest] = slot;
    this.#newest = slot;
    return slot;
  }

  touch(slot: number): void {
    this.#visited[slot] = true;
  }

  evict(): number {
    let slot = this.#hand === NO_SLOT ? this.#oldest : this.#hand;
    while (this.#visited[slot]) {
      this.#visited[slot] = false;
      const next = this.#newer[slot] ?? NO_SLOT;
      slot = next === NO_SLOT ? this.#oldest : next;
    }
    const newer = this.#newer[slot] ?? NO_SLOT;
    const older = this.#older[slot] ?? NO_SLOT;
    this.#hand = newer;
    if (newer === NO_SLOT) this.#newest = older;
    else this.#older[newer] = older;
    if (older === NO_SLOT) this.#oldest = newer;
    else this.#newer[older] = newer;
    this.#free.push(slot);
    return this.#keys[slot] ?? 0;
  }
}

/** What lib/store uses, with the bound on looks that it uses. */
export function makeS3Fifo(): EvictionPolicy {
  const slots = new Slots<number>();
  const links = new Links(2);
  const ghost = new Ghost();
  slots.follow((capacity) => {
    links.grow(capacity);
    ghost.resize(capacity);
  });
  const queues = new S3Fifo(slots, links, ghost, 0, 1);
  return {
    insert(key, bytes, hash) {
      const slot = slots.take(key, bytes, hash);
      queues.admit(slot);
      return slot;
    },
    touch: (slot) => slots.use(slot),
    evict() {
      const slot = queues.victim(LOOKS);
      const key = slots.at(slot) ?? 0;
      queues.evict(slot);
      slots.give(slot);
      return key;
    },
  };
}

/** How often each key was asked for, in four rows of 4-bit counters that are halved now and then. */
class Sketch {
  readonly #counts: Uint8Array;
  readonly #mask: number;
  readonly #sampleMax: number;
  #sample = 0;

  constructor(keys: number) {
    const width = 2 ** Math.ceil(Math.log2(Math.max(64, keys * 4)));
    this.#counts = new Uint8Array(width * 4);
    this.#mask = width - 1;
    this.#sampleMax = keys * 10;
  }

  #at(hash: number, row: number): number {
    let mixed = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b + row * 0x9e3779b2);
    mixed ^= mixed >>> 13;
    return row * (this.#mask + 1) + (mixed & this.#mask);
  }

  add(hash: number): void {
    for (let row = 0; row < 4; row++) {
      const at = this.#at(hash, row);
      const count = this.#counts[at] ?? 0;
      if (count < 15) this.#counts[at] = count + 1;
    }
    if (++this.#sample < this.#sampleMax) return;
    for (let at = 0; at < this.#counts.length; at++) this.#counts[at] = (this.#counts[at] ?? 0) >> 1;
    this.#sample >>= 1;
  }

  estimate(hash: number): number {
    let least = 15;
    for (let row = 0; row < 4; row++) least = Math.min(least, this.#counts[this.#at(hash, row)] ?? 0);
    return least;
  }
}

const WINDOW = 0;
const PROBATION = 1;
const PROTECTED = 2;

/** W-TinyLFU with a fixed window of 1 %, the rest a segmented LRU, 80 % of it protected. */
export class TinyLfuPolicy implements EvictionPolicy {
  readonly #slots = new Slots<number>();
  readonly #links = new Links(3);
  readonly #bytes = [0, 0, 0];
  readonly #sketch: Sketch;
  /** The last one to leave the window, where it was not weighed yet. */
  #candidate = NO_SLOT;
  readonly #windowMax: number;
  readonly #protectedMax: number;

  constructor(budgetBytes: number, keys: number) {
    this.#windowMax = budgetBytes * 0.01;
    this.#protectedMax = budgetBytes * 0.99 * 0.8;
    this.#sketch = new Sketch(keys);
    this.#slots.follow((capacity) => this.#links.grow(capacity));
  }

  #push(list: number, slot: number): void {
    this.#links.pushFront(list, slot);
    this.#slots.setPlace(slot, list);
    this.#bytes[list] = (this.#bytes[list] ?? 0) + this.#slots.bytes(slot);
  }

  #take(slot: number): number {
    const list = this.#slots.place(slot);
    this.#links.remove(slot);
    this.#bytes[list] = (this.#bytes[list] ?? 0) - this.#slots.bytes(slot);
    return list;
  }

  insert(key: number, bytes: number, hash: number): number {
    this.#sketch.add(hash);
    const slot = this.#slots.take(key, bytes, hash);
    this.#push(WINDOW, slot);
    while ((this.#bytes[WINDOW] ?? 0) > this.#windowMax) {
      this.#candidate = this.#links.last(WINDOW);
      this.#take(this.#candidate);
      this.#push(PROBATION, this.#candidate);
    }
    return slot;
  }

  touch(slot: number): void {
    this.#sketch.add(this.#slots.hash(slot));
    const list = this.#take(slot);
    this.#push(list === WINDOW ? WINDOW : PROTECTED, slot);
    while ((this.#bytes[PROTECTED] ?? 0) > this.#protectedMax) {
      const demoted = this.#links.last(PROTECTED);
      this.#take(demoted);
      this.#push(PROBATION, demoted);
    }
  }

  /** What left the window last must be asked for more often than the oldest on probation, or goes itself. */
  evict(): number {
    let gone = this.#links.last(PROBATION);
    if (gone === NO_SLOT) gone = this.#links.last(PROTECTED);
    if (gone === NO_SLOT) gone = this.#links.last(WINDOW);
    const candidate = this.#candidate;
    this.#candidate = NO_SLOT;
    if (candidate !== NO_SLOT && candidate !== gone && this.#slots.place(candidate) === PROBATION) {
      const slots = this.#slots;
      if (this.#sketch.estimate(slots.hash(candidate)) <= this.#sketch.estimate(slots.hash(gone))) gone = candidate;
    }
    this.#take(gone);
    const key = this.#slots.at(gone) ?? 0;
    this.#slots.give(gone);
    return key;
  }
}
