/**
 * Cuts bytes that arrive in any pieces into lines that end with CRLF: a line that is whole in one piece is read where it
 * lies, one that is not is put together. Implements RFC 9112 §2.2; a bare LF ends no line here, though it might.
 */
import { NO_BYTES } from '../object/chunks.js';

const LF = 0x0a;
const CR = 0x0d;
const FIRST_BYTES = 256;

export class Lines {
  /** Where the last line lies: `from` up to but not including its CRLF. Good until the next call. */
  line: Buffer = NO_BYTES;
  from = 0;
  until = 0;
  /** The last line ended with LF alone. */
  isBare = false;
  #held: Buffer = NO_BYTES;
  #heldBytes = 0;

  /** Bytes of a line that is not complete. */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** The part of that line which is here. */
  get held(): Buffer {
    return this.#held.subarray(0, this.#heldBytes);
  }

  /** Reads one line from `at` on. The position behind it; -1 where it is not complete: all bytes were taken then. */
  take(bytes: Buffer, at: number, until: number): number {
    let end = at;
    while (end < until && bytes[end] !== LF) end++;
    if (end === until) {
      this.#hold(bytes, at, until);
      return -1;
    }
    if (this.#heldBytes === 0) {
      this.line = bytes;
      this.from = at;
      this.until = end;
    } else {
      this.#hold(bytes, at, end);
      this.line = this.#held;
      this.from = 0;
      this.until = this.#heldBytes;
      this.#heldBytes = 0;
    }
    this.isBare = this.until === this.from || this.line[this.until - 1] !== CR;
    if (!this.isBare) this.until--;
    return end + 1;
  }

  /** Forgets what is held. */
  clear(): void {
    this.#held = NO_BYTES;
    this.#heldBytes = 0;
    this.line = NO_BYTES;
  }

  #hold(bytes: Buffer, from: number, until: number): void {
    const size = this.#heldBytes + until - from;
    if (size > this.#held.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(FIRST_BYTES, size * 2));
      larger.set(this.#held.subarray(0, this.#heldBytes));
      this.#held = larger;
    }
    this.#held.set(bytes.subarray(from, until), this.#heldBytes);
    this.#heldBytes = size;
  }
}
