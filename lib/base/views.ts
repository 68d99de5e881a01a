/**
 * Views of one run of bytes that is used again and again, each made once: to make one costs more than most of what is
 * done through it, and the garbage collector has to take it away.
 */

/** Views that are kept; one that ends further behind is made anew each time. */
const MAX_VIEWS = 8 * 1024;

export class Views {
  readonly bytes: Buffer;
  readonly #from: number;
  readonly #views: (Buffer | undefined)[] = [];

  /** Views of `bytes` that begin at `from`. */
  constructor(bytes: Buffer, from = 0) {
    this.bytes = bytes;
    this.#from = from;
  }

  until(end: number): Buffer {
    const known = this.#views[end];
    if (known !== undefined) return known;
    const view = this.bytes.subarray(this.#from, end);
    if (end >= MAX_VIEWS) return view;
    while (this.#views.length < end) this.#views.push(undefined);
    this.#views[end] = view;
    return view;
  }
}
