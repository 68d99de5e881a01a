/**
 * Doubly linked lists of slot numbers in two typed arrays: moving a slot from list to list is a few integer writes,
 * allocates nothing, and a million entries are two blocks that the garbage collector never walks.
 */

/** What first() and last() give for an empty list. */
export const NO_SLOT = -1;

export class Links {
  readonly #listCount: number;
  /** Nodes 0..listCount-1 are the lists' own ends; slot s is node listCount + s. A node that is in no list points at itself. */
  #next: Int32Array;
  #prev: Int32Array;

  constructor(listCount: number) {
    this.#listCount = listCount;
    this.#next = Int32Array.from({ length: listCount }, (_, node) => node);
    this.#prev = this.#next.slice();
  }

  /** Makes room for slots 0..capacity-1. */
  grow(capacity: number): void {
    const from = this.#next.length;
    const to = capacity + this.#listCount;
    if (to <= from) return;
    const next = new Int32Array(to);
    const prev = new Int32Array(to);
    next.set(this.#next);
    prev.set(this.#prev);
    for (let node = from; node < to; node++) {
      next[node] = node;
      prev[node] = node;
    }
    this.#next = next;
    this.#prev = prev;
  }

  isEmpty(list: number): boolean {
    return this.#next[list] === list;
  }

  first(list: number): number {
    const node = this.#next[list] as number;
    return node === list ? NO_SLOT : node - this.#listCount;
  }

  last(list: number): number {
    const node = this.#prev[list] as number;
    return node === list ? NO_SLOT : node - this.#listCount;
  }

  /** Puts a slot that is in no list at the head of one. */
  pushFront(list: number, slot: number): void {
    const node = slot + this.#listCount;
    const after = this.#next[list] as number;
    this.#next[node] = after;
    this.#prev[node] = list;
    this.#prev[after] = node;
    this.#next[list] = node;
  }

  /** Takes a slot out of the list it is in; does nothing where it is in none. */
  remove(slot: number): void {
    const node = slot + this.#listCount;
    const before = this.#prev[node] as number;
    const after = this.#next[node] as number;
    this.#next[before] = after;
    this.#prev[after] = before;
    this.#next[node] = node;
    this.#prev[node] = node;
  }

  /** Moves all of one list to the head of another in constant time. */
  splice(from: number, to: number): void {
    const first = this.#next[from] as number;
    if (first === from) return;
    const last = this.#prev[from] as number;
    const after = this.#next[to] as number;
    this.#next[to] = first;
    this.#prev[first] = to;
    this.#next[last] = after;
    this.#prev[after] = last;
    this.#next[from] = from;
    this.#prev[from] = from;
  }
}
