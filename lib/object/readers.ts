/** Who reads a body that still arrives: who is fastest, who still needs what, and who has fallen too far behind. */
import type { ReadBuffer } from '../base/read-buffer.js';
import { Lent } from './lent.js';
import type { Reader } from './reader.js';

export class Readers {
  readonly #all = new Set<Reader>();
  /** Inside a round of waking: what they take is accounted for once, at its end. */
  #isWaking = false;
  /** Position of the fastest, at most what has arrived. */
  #fastest = 0;
  /** Those that still need the first kept chunk. Only when none is left is there anything to drop. */
  #atFirst = 0;
  /** What is lent to the only one; undefined where there are several, or it does not say what it is done with. */
  lent: Lent | undefined;

  get count(): number {
    return this.#all.size;
  }

  get fastest(): number {
    return this.#fastest;
  }

  /** `firstEnd`: position after the first kept chunk, here and below. */
  add(reader: Reader, firstEnd: number): void {
    this.#all.add(reader);
    if (reader.position < firstEnd) this.#atFirst++;
    this.lent?.forget();
    this.lent = undefined;
  }

  lendTo(reader: Reader): Lent | undefined {
    if (this.count > 1 || !this.has(reader)) return undefined;
    this.lent ??= new Lent();
    return this.lent;
  }

  /** Whether what comes before this position from where the last came is lent to the only one. */
  borrow(buffer: ReadBuffer | undefined, end: number): boolean {
    if (buffer === undefined || this.lent === undefined) return false;
    this.lent.add(buffer, end);
    return true;
  }

  has(reader: Reader): boolean {
    return this.#all.has(reader);
  }

  /** Returns whether it was one. */
  remove(reader: Reader): boolean {
    return this.#all.delete(reader);
  }

  /** Position of the furthest of those whose turn it is to take bytes; undefined: it is nobody's. */
  get furthest(): number | undefined {
    let furthest: number | undefined;
    for (const reader of this.#all) {
      if (!reader.isSatisfied && reader.hasTurn) furthest = Math.max(furthest ?? 0, reader.position);
    }
    return furthest;
  }

  /** Whether one still needs bytes before this position. */
  isAnyBefore(position: number): boolean {
    for (const reader of this.#all) if (!reader.isSatisfied && reader.position < position) return true;
    return false;
  }

  /** The chunks were joined: each finds its place anew. */
  rebase(): void {
    for (const reader of this.#all) reader.rebase();
  }

  /** Tells all that there may be something to read. */
  wake(): void {
    const wasWaking = this.#isWaking;
    this.#isWaking = true;
    for (const reader of this.#all) reader.wake();
    this.#isWaking = wasWaking;
  }

  /**
   * One took bytes, and stood at `from` before. `all-past`: nobody needs the first kept chunk any more; `later`: it is
   * accounted for at the end of the round.
   */
  took(reader: Reader, from: number, firstEnd: number): 'all-past' | 'some-left' | 'later' {
    if (reader.position > this.#fastest) this.#fastest = reader.position;
    if (this.#isWaking) return 'later';
    const isPastFirst = reader.position >= firstEnd || reader.isSatisfied;
    return from < firstEnd && isPastFirst && --this.#atFirst === 0 ? 'all-past' : 'some-left';
  }

  /**
   * Position before which nothing is kept for them: the slowest's, and not further behind the fastest than the window.
   * Looks at each, so it is asked once for each chunk that arrives or is dropped, and not at each read.
   */
  keptFrom(droppedBytes: number, receivedBytes: number, windowBytes: number): number {
    let slowest = Number.POSITIVE_INFINITY;
    let fastest = droppedBytes;
    for (const reader of this.#all) {
      // One that has all it asked for neither needs anything nor sets a pace.
      if (reader.isSatisfied) continue;
      // One that waits for a later range needs none of what is here, and has not outrun what arrived.
      const position = Math.min(reader.position, receivedBytes);
      if (position < slowest) slowest = position;
      if (position > fastest) fastest = position;
    }
    this.#fastest = slowest === Number.POSITIVE_INFINITY ? receivedBytes : fastest;
    // The pace is the fastest reader's. One that falls behind by more than the window is cut off (its read() says
    // `failed`): to wait for it would delay the others, and to keep all for it would be memory without a bound.
    return Math.max(slowest, fastest - windowBytes);
  }

  /** Bytes before this position are nowhere any more: who needs some of them counts no more. */
  cutOff(droppedBytes: number, firstEnd: number): void {
    this.#atFirst = 0;
    for (const reader of this.#all) {
      if (reader.isSatisfied) continue;
      if (reader.position < droppedBytes) {
        // Where its client takes bytes it hears of it now, else when the client does.
        this.#all.delete(reader);
        reader.wake();
      } else if (reader.position < firstEnd) this.#atFirst++;
    }
  }
}
