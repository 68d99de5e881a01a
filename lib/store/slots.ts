/**
 * The table of stored responses: each has a slot number, and what eviction and accounting need of it is kept in columns
 * by that number, some 45 bytes each, instead of in objects.
 */

import { Column, PAGE_SLOTS, Pages } from './column.js';

const FIRST_CAPACITY = 1024;
/** Uses beyond this are not told apart. */
const MAX_USES = 3;
/** Hits beyond this are not counted. */
const MAX_HITS = 2 ** 32 - 1;

export class Slots<T> {
  /** What each slot holds; undefined where it is free, or what it holds is no object just now (asleep.ts). */
  readonly #held = new Pages<T>();
  #end = 0;
  /** Bytes that each slot is charged for. */
  readonly #bytes = new Column(Float64Array);
  /** Hash of the key, for the memory of evicted keys. */
  readonly #hash = new Column(Uint32Array);
  /** Uses since the slot was last considered for eviction, up to MAX_USES. */
  readonly #uses = new Column(Uint8Array);
  /** Uses in all; what replaces a response goes on counting. */
  readonly #hits = new Column(Uint32Array);
  /** Number of the eviction list that the slot is in. */
  readonly #place = new Column(Uint8Array);
  readonly #isUsed = new Column(Uint8Array);
  readonly #free: number[] = [];
  readonly #onGrow: ((capacity: number) => void)[] = [];
  #count = 0;
  #capacity = 0;

  constructor() {
    this.#grow(FIRST_CAPACITY);
  }

  get capacity(): number {
    return this.#capacity;
  }

  /** Slots in use. */
  get count(): number {
    return this.#count;
  }

  /** Calls `grow` now and whenever the capacity rises. */
  follow(grow: (capacity: number) => void): void {
    this.#onGrow.push(grow);
    grow(this.capacity);
  }

  take(held: T, bytes: number, hash: number): number {
    const slot = this.#free.pop() ?? this.#end++;
    if (slot >= this.#capacity) this.#grow(Math.min(this.#capacity * 2, this.#capacity + PAGE_SLOTS));
    this.#held.set(slot, held);
    this.#bytes.set(slot, bytes);
    this.#hash.set(slot, hash);
    this.#uses.set(slot, 0);
    this.#hits.set(slot, 0);
    this.#isUsed.set(slot, 1);
    this.#count++;
    return slot;
  }

  isUsed(slot: number): boolean {
    return this.#isUsed.get(slot) === 1;
  }

  give(slot: number): void {
    this.#isUsed.set(slot, 0);
    this.#held.set(slot, undefined);
    this.#free.push(slot);
    this.#count--;
  }

  at(slot: number): T | undefined {
    return this.#held.get(slot);
  }

  /** Holds what the slot is about as another object, or as none. */
  hold(slot: number, held: T | undefined): void {
    this.#held.set(slot, held);
  }

  replace(slot: number, held: T, bytes: number): void {
    this.#held.set(slot, held);
    this.#bytes.set(slot, bytes);
  }

  bytes(slot: number): number {
    return this.#bytes.get(slot);
  }

  hash(slot: number): number {
    return this.#hash.get(slot);
  }

  uses(slot: number): number {
    return this.#uses.get(slot);
  }

  /** Slots that were ever in use: each held one is below. */
  get end(): number {
    return this.#end;
  }

  hits(slot: number): number {
    return this.#hits.get(slot);
  }

  setHits(slot: number, hits: number): void {
    this.#hits.set(slot, hits);
  }

  use(slot: number): void {
    const hits = this.#hits.get(slot);
    if (hits < MAX_HITS) this.#hits.set(slot, hits + 1);
    const uses = this.#uses.get(slot);
    if (uses < MAX_USES) this.#uses.set(slot, uses + 1);
  }

  setUses(slot: number, uses: number): void {
    this.#uses.set(slot, uses);
  }

  place(slot: number): number {
    return this.#place.get(slot);
  }

  setPlace(slot: number, place: number): void {
    this.#place.set(slot, place);
  }

  #grow(capacity: number): void {
    this.#capacity = capacity;
    for (const column of [this.#bytes, this.#hash, this.#uses, this.#hits, this.#place, this.#isUsed])
      column.grow(capacity);
    for (const grow of this.#onGrow) grow(capacity);
  }
}
