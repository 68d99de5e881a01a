/**
 * The table of stored responses: each has a slot number, and what eviction and accounting need of it is kept by that
 * number, some 45 bytes each, instead of in objects.
 */

import { Column, PAGE_SLOTS, Pages, Rows } from './column.js';
import { HASH, HITS, PLACE, ROW_WIDTH, USES } from './row.js';

const FIRST_CAPACITY = 1024;
/** Uses beyond this are not told apart. */
const MAX_USES = 3;
/** Hits beyond this are not counted. */
const MAX_HITS = 2 ** 32 - 1;
/** Beside the number of a list: the slot is in use. */
const IN_USE = 0x100;

export class Slots<T> {
  /** What each slot holds; undefined where it is free, or what it holds is no object just now (asleep.ts). */
  readonly #held = new Pages<T>();
  #end = 0;
  /** Bytes that each slot is charged for. */
  readonly #bytes = new Column(Float64Array);
  /** What else there is by slot: row.ts. */
  readonly rows = new Rows(ROW_WIDTH);
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
    this.rows.set(slot, HASH, hash);
    this.rows.set(slot, USES, 0);
    this.rows.set(slot, HITS, 0);
    this.rows.set(slot, PLACE, IN_USE);
    this.#count++;
    return slot;
  }

  isUsed(slot: number): boolean {
    return this.rows.get(slot, PLACE) >= IN_USE;
  }

  give(slot: number): void {
    this.rows.set(slot, PLACE, 0);
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
    return this.rows.get(slot, HASH);
  }

  uses(slot: number): number {
    return this.rows.get(slot, USES);
  }

  /** Slots that were ever in use: each held one is below. */
  get end(): number {
    return this.#end;
  }

  hits(slot: number): number {
    return this.rows.get(slot, HITS);
  }

  setHits(slot: number, hits: number): void {
    this.rows.set(slot, HITS, hits);
  }

  use(slot: number): void {
    const hits = this.rows.get(slot, HITS);
    if (hits < MAX_HITS) this.rows.set(slot, HITS, hits + 1);
    const uses = this.rows.get(slot, USES);
    if (uses < MAX_USES) this.rows.set(slot, USES, uses + 1);
  }

  setUses(slot: number, uses: number): void {
    this.rows.set(slot, USES, uses);
  }

  place(slot: number): number {
    return this.rows.get(slot, PLACE) & (IN_USE - 1);
  }

  setPlace(slot: number, place: number): void {
    this.rows.set(slot, PLACE, IN_USE | place);
  }

  #grow(capacity: number): void {
    this.#capacity = capacity;
    this.#bytes.grow(capacity);
    this.rows.grow(capacity);
    for (const grow of this.#onGrow) grow(capacity);
  }
}
