/**
 * The bytes of a connection whose reader takes what it wants before the next read: small answers of all connections come
 * in one buffer, and a body is copied out of it at its own size; a body that keeps coming is read into large buffers,
 * which are handed on as they are. Whoever gets one may give it back, and it is read into again; where that happens at once,
 * nothing is copied.
 */
import { ORIGIN_LARGE_READ_BYTES, ORIGIN_READ_BYTES } from '../base/limits.js';
import { ReadBuffer } from '../base/read-buffer.js';
import { MAX_IN_SLAB_BYTES, Slab } from '../base/slab.js';
import { type OnRead, own, SMALL_SHARE, sharedBytes } from './read-ahead.js';

export interface IntakeOwner {
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
  readonly #owner: IntakeOwner;
  #next: Buffer = sharedBytes;
  /** What that is of, where it may be read into again. */
  #buffer: ReadBuffer | undefined;
  /** The last one that was handed on, until it is known to have come back. */
  #out: ReadBuffer | undefined;
  #isHandedOn = false;
  /** Whoever takes the bytes gives back what they lie in. */
  #comesBack = false;
  /** What the bytes lie in that keep() gave last, held for them; undefined where they lie in a place of their own. */
  lent: ReadBuffer | undefined;

  constructor(owner: IntakeOwner) {
    this.#owner = owner;
  }

  /** Where the next read goes; asked after each. */
  readonly buffer = (): Buffer => this.#next;

  readonly callback = (length: number): boolean => {
    const read = this.#next;
    this.#isHandedOn = false;
    this.#lookBack();
    const goesOn = this.#owner.take(read, length);
    const expectedBytes = this.#owner.expectedBytes;
    if (expectedBytes <= ORIGIN_READ_BYTES || length < read.length * SMALL_SHARE) this.#readSmall();
    else if (length === read.length || this.#isHandedOn) this.#readLarge(expectedBytes);
    return goesOn;
  };

  #lookBack(): void {
    if (this.#out === undefined || this.#out.isShared) return;
    this.#comesBack = true;
    this.#out.letGo();
    this.#out = undefined;
  }

  /** Whether what was handed on of this read is back already. */
  #noteReturn(): void {
    if (this.#isHandedOn && this.#buffer !== undefined) this.#comesBack = !this.#buffer.isShared;
  }

  #readSmall(): void {
    this.#noteReturn();
    this.#out?.letGo();
    this.#out = undefined;
    this.#buffer?.letGo();
    this.#buffer = undefined;
    this.#next = sharedBytes;
  }

  #readLarge(expectedBytes: number): void {
    const read = this.#buffer;
    this.#noteReturn();
    if (read?.isShared === false) return;
    this.#out?.letGo();
    this.#out = read;
    const isWorthIt = this.#comesBack || expectedBytes >= ORIGIN_LARGE_READ_BYTES;
    this.#buffer = isWorthIt ? ReadBuffer.take() : undefined;
    this.#next = this.#buffer?.bytes ?? own(expectedBytes);
  }

  /**
   * A part of what is being taken, in memory that no read goes into, or none before that is let go, and that pins no more than
   * twice its size where it does not come back at once. A small one pins what came with it: who keeps that for long has a
   * place of his own for it.
   */
  keep(bytes: Buffer, from: number, until: number): Buffer {
    const length = until - from;
    const isCurrent = bytes === this.#next;
    this.lent = undefined;
    if (length <= MAX_IN_SLAB_BYTES && length * 2 <= bytes.buffer.byteLength) return placed(bytes, from, until);
    const isLarge = bytes !== sharedBytes && length * 2 > bytes.buffer.byteLength;
    if (isLarge || (isCurrent && this.#buffer !== undefined && this.#comesBack)) {
      if (isCurrent) this.#isHandedOn = true;
      if (isCurrent) this.lent = this.#buffer;
      this.lent?.hold();
      return bytes.subarray(from, until);
    }
    const copy = own(length);
    copy.set(from === 0 && until === bytes.length ? bytes : bytes.subarray(from, until));
    return copy;
  }
}
