/**
 * The bytes of a connection whose reader takes what it wants before the next read: small answers of all connections come
 * in one buffer, and a body is copied out of it at its own size; a body that keeps coming is read into large buffers of
 * its own, no larger than what it still owes, which are handed on as they are.
 */
import { ORIGIN_LARGE_READ_BYTES, ORIGIN_READ_BYTES } from '../base/limits.js';
import { MAX_IN_SLAB_BYTES, Slab } from '../base/slab.js';
import { type OnRead, own, SMALL_SHARE, sharedBytes } from './read-ahead.js';

export interface Taker {
  /** Takes bytes that are good until it returns, but for those given to keep(). Returns whether it wants more now. */
  take(bytes: Buffer, length: number): boolean;
  /** How many bytes of a body are still to come, as far as known; Infinity where they may be any number. */
  readonly expectedBytes: number;
}

/** Small pieces lie in one buffer together: one of its own would cost more than it holds. */
let slab = new Slab();

function placed(bytes: Buffer, from: number, until: number): Buffer {
  const length = until - from;
  if (!slab.hasRoom(length)) slab = new Slab();
  const at = slab.take(length);
  bytes.copy(slab.bytes, at, from, until);
  return slab.bytes.subarray(at, at + length);
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

  /**
   * A part of what is being taken, in memory that no read goes into again and that pins no more than twice its size. A
   * small one pins what came with it: who keeps that for long has a place of his own for it.
   */
  keep(bytes: Buffer, from: number, until: number): Buffer {
    if (bytes !== sharedBytes && (until - from) * 2 > bytes.buffer.byteLength) {
      if (bytes === this.#next) this.#isHandedOn = true;
      return bytes.subarray(from, until);
    }
    if (until - from <= MAX_IN_SLAB_BYTES) return placed(bytes, from, until);
    const copy = own(until - from);
    copy.set(from === 0 && until === bytes.length ? bytes : bytes.subarray(from, until));
    return copy;
  }
}
