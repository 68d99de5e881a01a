/** A binary heap whose members know their place in it, so that any of them can be taken out, not the first alone. */

export interface Heaped {
  /** Its place in the heap that it is in, kept by the heap; -1: in none. */
  heapAt: number;
}

export class Heap<T extends Heaped> {
  readonly #items: T[] = [];
  readonly #isBefore: (one: T, other: T) => boolean;

  constructor(isBefore: (one: T, other: T) => boolean) {
    this.#isBefore = isBefore;
  }

  get size(): number {
    return this.#items.length;
  }

  /** The one before all others. */
  get first(): T | undefined {
    return this.#items[0];
  }

  /** One with nobody below it: never the first of several, and not always the very last. */
  get leaf(): T | undefined {
    return this.#items.at(-1);
  }

  push(item: T): void {
    item.heapAt = this.#items.push(item) - 1;
    this.#rise(item);
  }

  remove(item: T): void {
    const { heapAt } = item;
    // A place before the first one is a name to V8, and is looked for by a search.
    if (heapAt < 0 || this.#items[heapAt] !== item) return;
    item.heapAt = -1;
    const last = this.#items.pop();
    if (last === undefined || last === item) return;
    this.#put(last, heapAt);
    this.#rise(last);
    this.#sink(last);
  }

  [Symbol.iterator](): IterableIterator<T> {
    return this.#items[Symbol.iterator]();
  }

  #put(item: T, at: number): void {
    this.#items[at] = item;
    item.heapAt = at;
  }

  #rise(item: T): void {
    while (item.heapAt > 0) {
      const at = item.heapAt;
      const parent = this.#items[(at - 1) >> 1];
      if (parent === undefined || !this.#isBefore(item, parent)) return;
      this.#put(item, parent.heapAt);
      this.#put(parent, at);
    }
  }

  #sink(item: T): void {
    for (;;) {
      const at = item.heapAt;
      const left = this.#items[2 * at + 1];
      const right = this.#items[2 * at + 2];
      const child = left !== undefined && right !== undefined && this.#isBefore(right, left) ? right : left;
      if (child === undefined || !this.#isBefore(child, item)) return;
      this.#put(item, child.heapAt);
      this.#put(child, at);
    }
  }
}
