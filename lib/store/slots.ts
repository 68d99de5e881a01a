/**
 * The table of stored responses: each has a slot number, and what eviction and accounting need of it is kept in typed
 * arrays by that number, some 45 bytes each, instead of in objects.
 */

const FIRST_CAPACITY = 1024;
/** Uses beyond this are not told apart. */
const MAX_USES = 3;
/** Hits beyond this are not counted. */
const MAX_HITS = 2 ** 32 - 1;

export class Slots<T> {
  /** What each slot holds; undefined where it is free. */
  #held: (T | undefined)[] = [];
  /** Bytes that each slot is charged for. */
  #bytes = new Float64Array(FIRST_CAPACITY);
  /** Hash of the key, for the memory of evicted keys. */
  #hash = new Uint32Array(FIRST_CAPACITY);
  /** Uses since the slot was last considered for eviction, up to MAX_USES. */
  #uses = new Uint8Array(FIRST_CAPACITY);
  /** Uses in all; what replaces a response goes on counting. */
  #hits = new Uint32Array(FIRST_CAPACITY);
  /** Number of the eviction list that the slot is in. */
  #place = new Uint8Array(FIRST_CAPACITY);
  readonly #free: number[] = [];
  readonly #onGrow: ((capacity: number) => void)[] = [];
  #count = 0;

  get capacity(): number {
    return this.#uses.length;
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
    const slot = this.#free.pop() ?? this.#held.length;
    if (slot >= this.capacity) this.#grow(this.capacity * 2);
    this.#held[slot] = held;
    this.#bytes[slot] = bytes;
    this.#hash[slot] = hash;
    this.#uses[slot] = 0;
    this.#hits[slot] = 0;
    this.#count++;
    return slot;
  }

  give(slot: number): void {
    this.#held[slot] = undefined;
    this.#free.push(slot);
    this.#count--;
  }

  at(slot: number): T | undefined {
    return this.#held[slot];
  }

  replace(slot: number, held: T, bytes: number): void {
    this.#held[slot] = held;
    this.#bytes[slot] = bytes;
  }

  bytes(slot: number): number {
    return this.#bytes[slot] as number;
  }

  hash(slot: number): number {
    return this.#hash[slot] as number;
  }

  uses(slot: number): number {
    return this.#uses[slot] as number;
  }

  /** Slots that were ever in use: each held one is below. */
  get end(): number {
    return this.#held.length;
  }

  hits(slot: number): number {
    return this.#hits[slot] as number;
  }

  setHits(slot: number, hits: number): void {
    this.#hits[slot] = hits;
  }

  use(slot: number): void {
    const hits = this.#hits[slot] as number;
    if (hits < MAX_HITS) this.#hits[slot] = hits + 1;
    const uses = this.#uses[slot] as number;
    if (uses < MAX_USES) this.#uses[slot] = uses + 1;
  }

  setUses(slot: number, uses: number): void {
    this.#uses[slot] = uses;
  }

  place(slot: number): number {
    return this.#place[slot] as number;
  }

  setPlace(slot: number, place: number): void {
    this.#place[slot] = place;
  }

  #grow(capacity: number): void {
    this.#bytes = grown(new Float64Array(capacity), this.#bytes);
    this.#hash = grown(new Uint32Array(capacity), this.#hash);
    this.#uses = grown(new Uint8Array(capacity), this.#uses);
    this.#hits = grown(new Uint32Array(capacity), this.#hits);
    this.#place = grown(new Uint8Array(capacity), this.#place);
    for (const grow of this.#onGrow) grow(capacity);
  }
}

function grown<A extends Float64Array | Uint32Array | Uint8Array>(to: A, from: A): A {
  to.set(from);
  return to;
}

/** A 32-bit hash of a key (FNV-1a). Never told from equality: two keys of one hash share no more than eviction's memory. */
export function hashOf(key: string): number {
  // What is stored is looked up several times in a row.
  if (key === lastKey) return lastHash;
  let hash = 0x811c9dc5;
  for (let i = 0; i < key.length; i++) hash = Math.imul(hash ^ key.charCodeAt(i), 0x01000193);
  lastKey = key;
  lastHash = hash >>> 0;
  return lastHash;
}

let lastKey = '';
let lastHash = 0x811c9dc5;
