/**
 * What is under way, by key: entries that come and go with each request.
 *
 * Not a Map, for the sake of the garbage collector. Whenever V8 makes room in a Map it leaves its table behind, with all
 * entries of that moment and a link to the next table. Once one of these tables is in the old generation it holds all that come
 * after it, and so each request that was ever under way stays until the next major collection (decisions/0032). Here
 * nothing that has been taken out points to anything.
 */
import { randomBytes } from 'node:crypto';
import { hashFrom } from './hash.js';

/** One that was put in, for whoever is to take it out. */
export interface Entry<T> {
  readonly key: string;
  readonly hash: number;
  /** Undefined: it was taken out. */
  value: T | undefined;
  /** Of those in its bucket, the one that came next. */
  next: Entry<T> | undefined;
}

/** A power of two. */
const FIRST_BUCKETS = 64;
/** Clients choose keys, and must not know which of them fall together. */
const SECRET = randomBytes(4).readUInt32LE(0);

let lastKey = '';
let lastHash = SECRET;

/** A request asks for its key several times in a row. */
function secretHashOf(key: string): number {
  if (key !== lastKey) {
    lastKey = key;
    lastHash = hashFrom(SECRET, key);
  }
  return lastHash;
}

export class UnderWay<T> {
  #buckets = emptyBuckets<T>(FIRST_BUCKETS);
  #count = 0;

  get count(): number {
    return this.#count;
  }

  has(key: string): boolean {
    return this.find(key) !== undefined;
  }

  /** Of those under a key that are wanted, the one that came first. */
  find(key: string, isWanted: (value: T) => boolean = anyOne): T | undefined {
    if (this.#count === 0) return undefined;
    const hash = secretHashOf(key);
    for (let entry = this.#buckets[this.#bucketOf(hash)]; entry !== undefined; entry = entry.next) {
      const { value } = entry;
      if (value !== undefined && entry.hash === hash && entry.key === key && isWanted(value)) return value;
    }
    return undefined;
  }

  /** Those under a key, oldest first; a list of the caller's own. */
  of(key: string): T[] {
    const found: T[] = [];
    this.find(key, (value) => {
      found.push(value);
      return false;
    });
    return found;
  }

  /** All, in no order; a list of the caller's own. */
  all(): T[] {
    const found: T[] = [];
    for (const first of this.#buckets)
      for (let entry = first; entry !== undefined; entry = entry.next)
        if (entry.value !== undefined) found.push(entry.value);
    return found;
  }

  add(key: string, value: T): Entry<T> {
    if (this.#count === this.#buckets.length) this.#grow();
    this.#count++;
    const entry: Entry<T> = { key, hash: secretHashOf(key), value, next: undefined };
    this.#append(entry);
    return entry;
  }

  /** Takes out what add() of this table gave, unless that has happened. */
  delete(entry: Entry<T>): void {
    if (entry.value === undefined) return;
    const at = this.#bucketOf(entry.hash);
    let before = this.#buckets[at];
    if (before === entry) this.#buckets[at] = entry.next;
    else {
      while (before !== undefined && before.next !== entry) before = before.next;
      if (before !== undefined) before.next = entry.next;
    }
    entry.next = undefined;
    entry.value = undefined;
    this.#count--;
  }

  #bucketOf(hash: number): number {
    // The lower bits of such a hash come of the lower bits of the secret alone.
    return (hash ^ (hash >>> 16)) & (this.#buckets.length - 1);
  }

  /** Behind those that came before it. */
  #append(entry: Entry<T>): void {
    const at = this.#bucketOf(entry.hash);
    let last = this.#buckets[at];
    if (last === undefined) {
      this.#buckets[at] = entry;
      return;
    }
    while (last.next !== undefined) last = last.next;
    last.next = entry;
  }

  #grow(): void {
    const before = this.#buckets;
    this.#buckets = emptyBuckets(before.length * 2);
    for (const first of before) {
      let entry = first;
      while (entry !== undefined) {
        const { next } = entry;
        entry.next = undefined;
        this.#append(entry);
        entry = next;
      }
    }
  }
}

function anyOne(): boolean {
  return true;
}

function emptyBuckets<T>(count: number): (Entry<T> | undefined)[] {
  return new Array<Entry<T> | undefined>(count).fill(undefined);
}
