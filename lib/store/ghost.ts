/**
 * Remembers the keys of responses that were evicted unused, by hash alone: one that is asked for again so soon was
 * evicted too early. Four bytes each, bounded; a hash collision costs one wrong guess of the eviction policy, no more.
 */

/** Places that one hash may be kept in. */
const WAYS = 4;
const FIRST_CAPACITY = 1024;

export class Ghost {
  /** Sets of WAYS hashes; 0 is an empty place. In each set the newest comes first. */
  #hashes = new Uint32Array(FIRST_CAPACITY);
  /** What was remembered before the last growth: to sort a million anew would stop the process. */
  #older: Uint32Array | undefined;

  /** Remembers about `capacity` keys from now on, rounded down to a power of two. */
  resize(capacity: number): void {
    let { length } = this.#hashes;
    while (length * 2 <= capacity) length *= 2;
    if (length === this.#hashes.length) return;
    this.#older = this.#hashes;
    this.#hashes = new Uint32Array(length);
  }

  add(hash: number): void {
    const set = setOf(this.#hashes, hash);
    this.#hashes.copyWithin(set + 1, set, set + WAYS - 1);
    this.#hashes[set] = hash === 0 ? 1 : hash;
  }

  /** Whether the key was evicted lately; it is forgotten with that. */
  recall(hash: number): boolean {
    return takeOut(this.#hashes, hash) || (this.#older !== undefined && takeOut(this.#older, hash));
  }
}

function takeOut(hashes: Uint32Array, hash: number): boolean {
  const wanted = hash === 0 ? 1 : hash;
  const set = setOf(hashes, wanted);
  for (let at = set; at < set + WAYS; at++) {
    if (hashes[at] !== wanted) continue;
    hashes.copyWithin(at, at + 1, set + WAYS);
    hashes[set + WAYS - 1] = 0;
    return true;
  }
  return false;
}

function setOf(hashes: Uint32Array, hash: number): number {
  const wanted = hash === 0 ? 1 : hash;
  // The low bits of FNV-1a mix worse than the high ones.
  return ((wanted ^ (wanted >>> 15)) & (hashes.length / WAYS - 1)) * WAYS;
}
