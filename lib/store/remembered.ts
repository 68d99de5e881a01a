/** A small map of keys to values, bounded in number and in the length of its keys; the one entered first goes first. */

export class Remembered<V> {
  readonly #entries = new Map<string, V>();
  readonly #maxCount: number;
  readonly #maxKeyBytes: number;
  #keyBytes = 0;

  constructor(maxCount: number, maxKeyBytes: number) {
    this.#maxCount = maxCount;
    this.#maxKeyBytes = maxKeyBytes;
  }

  get size(): number {
    return this.#entries.size;
  }

  get(key: string): V | undefined {
    return this.#entries.get(key);
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
    const wasThere = this.#entries.delete(key);
    if (wasThere) this.#keyBytes -= key.length;
    return wasThere;
  }

  /** Deletes each key that `isMeant` is true for. */
  deleteWhere(isMeant: (key: string) => boolean): void {
    for (const key of this.#entries.keys()) if (isMeant(key)) this.delete(key);
  }

  oldest(): [key: string, value: V] | undefined {
    return this.#entries.entries().next().value;
  }
}
