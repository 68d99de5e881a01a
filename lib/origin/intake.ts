/**
 * The bytes of a connection whose reader takes what it wants before the next read: small answers of all connections come
 * in one buffer, and a body is copied out of it at its own size; a body that keeps coming is read into large buffers of
 * its own, no larger than what it still owes, which are handed on as they are.
 */
import { ORIGIN_LARGE_READ_BYTES, ORIGIN_READ_BYTES } from '../base/limits.js';
import { type OnRead, own, SMALL_SHARE, sharedBytes } from './read-ahead.js';

export interface Taker {
  /** Takes bytes that are good until it returns, but for those given to keep(). Returns whether it wants more now. */
  take(bytes: Buffer, length: number): boolean;
  /** How many bytes of a body are still to come, as far as known; Infinity where they may be any number. */
  readonly expectedBytes: number;
}

export class Intake implements OnRead {
  readonly #taker: Taker;
  #next: Buffer = sharedBytes;
  #isHandedOn = false;

  constructor(taker: Taker) {
    this.#taker = taker;
  }

  /** Where the next read goes; asked after each. */
  readonly buffer = (): Buffer => this.#next;

  readonly callback = (length: number): boolean => {
    const read = this.#next;
    this.#isHandedOn = false;
    const goesOn = this.#taker.take(read, length);
    const expectedBytes = this.#taker.expectedBytes;
    const isFull = length === read.length;
    if (expectedBytes <= ORIGIN_READ_BYTES || length < read.length * SMALL_SHARE) this.#next = sharedBytes;
    else if (isFull || this.#isHandedOn) this.#next = own(Math.min(expectedBytes, ORIGIN_LARGE_READ_BYTES));
    return goesOn;
  };

  /** A part of what is being taken, in memory that no read goes into again and that pins no more than twice its size. */
  keep(bytes: Buffer, from: number, until: number): Buffer {
    if (bytes !== sharedBytes && (until - from) * 2 > bytes.buffer.byteLength) {
      if (bytes === this.#next) this.#isHandedOn = true;
      return bytes.subarray(from, until);
    }
    const copy = own(until - from);
    copy.set(from === 0 && until === bytes.length ? bytes : bytes.subarray(from, until));
    return copy;
  }
}
