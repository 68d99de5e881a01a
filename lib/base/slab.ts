/**
 * Buffers that many small stored things lie in together: a buffer of its own costs some 300 bytes beside its content and
 * is three objects for the garbage collector. A place is never given out twice, so what once was read stays true for
 * whoever still holds it; a slab goes as a whole, by the garbage collector, when nothing refers to it any more.
 */

/** Size of one slab. */
export const SLAB_BYTES = 64 * 1024;
/** Something larger has a buffer of its own. */
export const MAX_IN_SLAB_BYTES = 4 * 1024;

export class Slab {
  readonly bytes: Buffer;
  /** Who counts what is in use of it, and its number there: to look that up by the slab would take a hash of its identity. */
  owner: object | undefined;
  number = 0;
  #usedBytes = 0;

  /** `size`: of one that is for a single thing. */
  constructor(size = SLAB_BYTES) {
    this.bytes = Buffer.allocUnsafeSlow(size);
  }

  /** Whether so many bytes more have a place in it. */
  hasRoom(length: number): boolean {
    return this.#usedBytes + length <= this.bytes.length;
  }

  /** The place that take() gives out next. */
  get next(): number {
    return this.#usedBytes;
  }

  /** Gives a place out, for good; its first byte. */
  take(length: number): number {
    const at = this.#usedBytes;
    this.#usedBytes += length;
    return at;
  }
}
