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

  /** Remembers about `capacity` keys (a power of two) from now on. */
  resize(capacity: number): void {
    const old = this.#hashes;
    if (capacity <= old.length) return;
    this.#hashes = new Uint32Array(capacity);
    // From the oldest of each set to the newest, so that their order stays.
    for (let at = old.length - 1; at >= 0; at--) {
      const hash = old[at] as number;
      if (hash !== 0) this.add(hash);
    }
  }

  add(hash: number): void {
    const set = this.#setOf(hash);
    this.#hashes.copyWithin(set + 1, set, set + WAYS - 1);
    this.#hashes[set] = hash === 0 ? 1 : hash;
  }

  /** Whether the key was evicted lately; it is forgotten with that. */
  recall(hash: number): boolean {
    const wanted = hash === 0 ? 1 : hash;
    const set = this.#setOf(wanted);
    for (let at = set; at < set + WAYS; at++) {
      if (this.#hashes[at] !== wanted) continue;
      this.#hashes.copyWithin(at, at + 1, set + WAYS);
      this.#hashes[set + WAYS - 1] = 0;
      return true;
    }
    return false;
  }

  #setOf(hash: number): number {
    const wanted = hash === 0 ? 1 : hash;
    // The low bits of FNV-1a mix worse than the high ones.
    return ((wanted ^ (wanted >>> 15)) & (this.#hashes.length / WAYS - 1)) * WAYS;
  }
}
