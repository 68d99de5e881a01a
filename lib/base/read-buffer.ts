/**
 * Large buffers that are read into again and again. One that is new each time costs a fault of each of its pages, and is in
 * no cache of the processor; one that was just read from is. It is free again once all who hold it have let it go; whoever
 * never does keeps it, and it goes the way of all garbage.
 */
import assert from 'node:assert';
import { MAX_SPARE_READ_BUFFERS, ORIGIN_LARGE_READ_BYTES } from './limits.js';

const spare: ReadBuffer[] = [];

export class ReadBuffer {
  readonly bytes = Buffer.allocUnsafeSlow(ORIGIN_LARGE_READ_BYTES);
  #holders = 0;

  private constructor() {}

  /** One that nobody holds but who takes it: the one that came back last. */
  static take(): ReadBuffer {
    const taken = spare.pop() ?? new ReadBuffer();
    taken.hold();
    return taken;
  }

  /** How many are kept to be taken. */
  static get spareCount(): number {
    return spare.length;
  }

  /** Whether others than one hold it. */
  get isShared(): boolean {
    return this.#holders > 1;
  }

  /** Nothing is read into it before this is let go. */
  hold(): void {
    this.#holders++;
  }

  letGo(): void {
    assert(this.#holders > 0, 'what is let go was held');
    if (--this.#holders === 0 && spare.length < MAX_SPARE_READ_BUFFERS) spare.push(this);
  }
}
