/**
 * The line before: of a request like that one, what is asked for in a rush, only the milliseconds and the duration are
 * written anew, which takes half of what it takes to put a line together.
 */
import type { AnsweredEvent } from './events.js';
import { copyWithin, putMs, putThree } from './line-bytes.js';
import { isSameRequest } from './line-texts.js';

export class LineBefore {
  #event: AnsweredEvent | undefined;
  #second = 0;
  // Where it begins, has its milliseconds, has its duration, and ends.
  #from = 0;
  #millisecondAt = 0;
  #durationFrom = 0;
  #durationUntil = 0;
  #until = 0;

  /** Another batch is filled. */
  forget(): void {
    this.#event = undefined;
  }

  /** Whether it is of such a request, in the same second. */
  isOf(event: AnsweredEvent, second: number): boolean {
    return this.#event !== undefined && this.#second === second && isSameRequest(event, this.#event);
  }

  /** Another one begins here. */
  begin(event: AnsweredEvent, second: number, from: number): void {
    this.#event = event;
    this.#second = second;
    this.#from = from;
  }

  /** It has these parts. Returns where it ends. */
  end(millisecondAt: number, durationFrom: number, durationUntil: number, until: number): number {
    this.#millisecondAt = millisecondAt;
    this.#durationFrom = durationFrom;
    this.#durationUntil = durationUntil;
    this.#until = until;
    return until;
  }

  /** Writes it once more, with another time and duration. Returns where it ends. */
  repeat(bytes: Buffer, at: number, millisecond: number, durationMs: number): number {
    const ahead = at - this.#from;
    copyWithin.call(bytes, at, this.#from, this.#until);
    putThree(bytes, this.#millisecondAt + ahead, millisecond);
    const end = putMs(bytes, this.#durationFrom + ahead, durationMs);
    // Mostly it has as many digits.
    if (end !== this.#durationUntil + ahead) copyWithin.call(bytes, end, this.#durationUntil, this.#until);
    return end + this.#until - this.#durationUntil;
  }
}
