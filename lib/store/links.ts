/**
 * Doubly linked lists of slot numbers in two columns: moving a slot from list to list is a few integer writes,
 * allocates nothing, and the garbage collector never walks them.
 */
import { Column } from './column.js';

/** What first() and last() give for an empty list. */
export const NO_SLOT = -1;

export class Links {
  readonly #listCount: number;
  /** Nodes 0..listCount-1 are the lists' own ends; slot s is node listCount + s. A node that is in no list points at itself. */
  readonly #next = new Column(Uint32Array);
  readonly #prev = new Column(Uint32Array);
  #nodes = 0;

  constructor(listCount: number) {
    this.#listCount = listCount;
    this.grow(0);
  }

  /** Makes room for slots 0..capacity-1. */
  grow(capacity: number): void {
    const to = capacity + this.#listCount;
    this.#next.grow(to);
    this.#prev.grow(to);
    for (; this.#nodes < to; this.#nodes++) this.#link(this.#nodes, this.#nodes);
  }

  #link(before: number, after: number): void {
    this.#next.set(before, after);
    this.#prev.set(after, before);
  }

  isEmpty(list: number): boolean {
    return this.#next.get(list) === list;
  }

  first(list: number): number {
    const node = this.#next.get(list);
    return node === list ? NO_SLOT : node - this.#listCount;
  }

  last(list: number): number {
    const node = this.#prev.get(list);
    return node === list ? NO_SLOT : node - this.#listCount;
  }

  /** Puts a slot that is in no list at the head of one. */
  pushFront(list: number, slot: number): void {
    this.#insertBefore(this.#next.get(list), slot);
  }

  /** The same at its end. */
  pushBack(list: number, slot: number): void {
    this.#insertBefore(list, slot);
  }

  /** Each list is a ring, closed by a node of its own. */
  #insertBefore(after: number, slot: number): void {
    const node = slot + this.#listCount;
    const before = this.#prev.get(after);
    this.#next.set(node, after);
    this.#prev.set(node, before);
    this.#next.set(before, node);
    this.#prev.set(after, node);
  }

  /** The one before another in its list; NO_SLOT: that is the first. */
  before(list: number, slot: number): number {
    const node = this.#prev.get(slot + this.#listCount);
    return node === list ? NO_SLOT : node - this.#listCount;
  }

  /** Takes a slot out of the list it is in; does nothing where it is in none. */
  remove(slot: number): void {
    const node = slot + this.#listCount;
    const before = this.#prev.get(node);
    const after = this.#next.get(node);
    this.#next.set(before, after);
    this.#prev.set(after, before);
    this.#next.set(node, node);
    this.#prev.set(node, node);
  }

  /** Moves all of one list to the head of another in constant time. */
  splice(from: number, to: number): void {
    const first = this.#next.get(from);
    if (first === from) return;
    const last = this.#prev.get(from);
    const after = this.#next.get(to);
    this.#next.set(to, first);
    this.#prev.set(first, to);
    this.#next.set(last, after);
    this.#prev.set(after, last);
    this.#next.set(from, from);
    this.#prev.set(from, from);
  }
}
