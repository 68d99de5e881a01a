/**
 * What one reader is given of a body that lies in buffers which are to be read into again (lib/base/read-buffer.ts). A buffer
 * is let go once neither the body nor its reader needs what is in it: then nobody has it, for there is no other reader.
 */
import type { ReadBuffer } from '../base/read-buffer.js';

export class Lent {
  readonly #buffers: ReadBuffer[] = [];
  /** Position behind what lies in each. */
  readonly #ends: number[] = [];
  #droppedBytes = 0;
  #doneBytes = 0;

  /** The bytes before this position that were not added before lie in this one, which is held for them. */
  add(buffer: ReadBuffer, end: number): void {
    this.#buffers.push(buffer);
    this.#ends.push(end);
  }

  /** The body holds nothing before this position any more. */
  dropped(bytes: number): void {
    this.#droppedBytes = bytes;
    this.#letGo();
  }

  /** The reader needs nothing any more of what it was given, which is all before this position. */
  done(bytes: number): void {
    this.#doneBytes = bytes;
    this.#letGo();
  }

  /** Somebody else may look at it as well: nothing of it is ever let go. */
  forget(): void {
    this.#buffers.length = 0;
    this.#ends.length = 0;
  }

  #letGo(): void {
    const until = Math.min(this.#droppedBytes, this.#doneBytes);
    for (let end = this.#ends[0]; end !== undefined && end <= until; end = this.#ends[0]) {
      this.#ends.shift();
      this.#buffers.shift()?.letGo();
    }
  }
}
