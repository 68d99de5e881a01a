/** A small map of keys to values, bounded in number and in the length of its keys; the one entered first goes first. */

export class Remembered<V> {
  readonly #entries = new Map<string, V>();
  readonly #maxCount: number;
  readonly #maxKeyBytes: number;
  #keyBytes = 0;
  /** Walks from the oldest on: what it has passed is gone. A new walk would pass thousands of empty places each time. */
  #walk = this.#entries.entries();
  /** Where the walk stands, unless that was deleted. */
  #oldest: [key: string, value: V] | undefined;

  constructor(maxCount: number, maxKeyBytes: number) {
    this.#maxCount = maxCount;
    this.#maxKeyBytes = maxKeyBytes;
  }

  get size(): number {
    return this.#entries.size;
  }

  get(key: string): V | undefined {
    // Mostly it is empty, and then no hash of the key is needed.
    return this.#entries.size === 0 ? undefined : this.#entries.get(key);
  }

  /** Enters a key anew, as the last. */
  set(key: string, value: V): void {
    this.delete(key);
    this.#entries.set(key, value);
    this.#keyBytes += key.length;
    while (this.#entries.size > this.#maxCount || this.#keyBytes > this.#maxKeyBytes) {
      const oldest = this.oldest();
      if (oldest === undefined) return;
      this.delete(oldest[0]);
    }
  }

  delete(key: string): boolean {
    const wasThere = this.#entries.size > 0 && this.#entries.delete(key);
    if (!wasThere) return false;
    this.#keyBytes -= key.length;
    if (this.#oldest?.[0] === key) this.#oldest = undefined;
    return true;
  }

  /** Deletes each key that `isMeant` is true for. */
  deleteWhere(isMeant: (key: string) => boolean): void {
    for (const key of this.#entries.keys()) if (isMeant(key)) this.delete(key);
  }

  oldest(): [key: string, value: V] | undefined {
    if (this.#oldest !== undefined || this.#entries.size === 0) return this.#oldest;
    let next = this.#walk.next();
    if (next.done === true) {
      // It came to the end when there was nothing, and sees nothing of what was entered since.
      this.#walk = this.#entries.entries();
      next = this.#walk.next();
    }
    this.#oldest = next.value;
    return this.#oldest;
  }
}
