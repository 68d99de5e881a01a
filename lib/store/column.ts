/**
 * One number, or one object, for each slot, in pages: a table that doubles is copied as a whole, and the tables of a million slots
 * together stop the process for 60 ms when it does; a page more is some 10 KB.
 */

/** Two to the power of this: numbers in a page. */
const PAGE_BITS = 12;
const PAGE_MASK = (1 << PAGE_BITS) - 1;
/** Slots by which a table grows that has a page already. */
export const PAGE_SLOTS = 1 << PAGE_BITS;

/** No more than two kinds: code that meets five is not made for any of them, and takes ten times as long. */
type Numbers = Float64Array | Uint32Array;

export class Column {
  readonly #makePage: (length: number) => Numbers;
  readonly #pages: Numbers[] = [];

  /** `kind`: what the numbers are held as. All are 0 at first. */
  constructor(kind: new (length: number) => Numbers) {
    this.#makePage = (length) => new kind(length);
  }

  /** Makes room for 0..capacity-1. */
  grow(capacity: number): void {
    while (this.#pages.length << PAGE_BITS < capacity) this.#pages.push(this.#makePage(PAGE_SLOTS));
  }

  /** Of a place below what grow() was told last. */
  get(at: number): number {
    return (this.#pages[at >>> PAGE_BITS] as Numbers)[at & PAGE_MASK] as number;
  }

  set(at: number, value: number): void {
    (this.#pages[at >>> PAGE_BITS] as Numbers)[at & PAGE_MASK] = value;
  }
}

/** Several numbers of 32 bits for each slot, side by side: what is read together is in one line of the processor's cache. */
export class Rows {
  readonly #width: number;
  readonly #pages: Uint32Array[] = [];

  constructor(width: number) {
    this.#width = width;
  }

  grow(capacity: number): void {
    while (this.#pages.length << PAGE_BITS < capacity) this.#pages.push(new Uint32Array(PAGE_SLOTS * this.#width));
  }

  get(at: number, column: number): number {
    return (this.#pages[at >>> PAGE_BITS] as Uint32Array)[(at & PAGE_MASK) * this.#width + column] as number;
  }

  set(at: number, column: number, value: number): void {
    (this.#pages[at >>> PAGE_BITS] as Uint32Array)[(at & PAGE_MASK) * this.#width + column] = value;
  }
}

/** One object for each slot that has one. */
export class Pages<T> {
  readonly #pages: (T | undefined)[][] = [];

  get(at: number): T | undefined {
    return this.#pages[at >>> PAGE_BITS]?.[at & PAGE_MASK];
  }

  set(at: number, value: T | undefined): void {
    let page = this.#pages[at >>> PAGE_BITS];
    if (page === undefined) {
      if (value === undefined) return;
      page = new Array<T | undefined>(PAGE_SLOTS).fill(undefined);
      this.#pages[at >>> PAGE_BITS] = page;
    }
    page[at & PAGE_MASK] = value;
  }
}
