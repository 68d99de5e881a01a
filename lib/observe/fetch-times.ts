/**
 * How long the last full fetch of a key took. Each key has one place by its hash, and drives out what had it before: noted at
 * each miss, it must make nothing that the garbage collector has to carry along. Two keys of one hash are taken for one,
 * which a sum of times can bear.
 */
import { hashOf } from '../base/hash.js';
import { TIMED_KEYS } from '../base/limits.js';

export class FetchTimes {
  readonly #hashes = new Uint32Array(TIMED_KEYS);
  /** Milliseconds; NaN: nothing was noted. */
  readonly #ms = new Float64Array(TIMED_KEYS).fill(Number.NaN);

  note(key: string, ms: number): void {
    const hash = hashOf(key);
    this.#hashes[hash % TIMED_KEYS] = hash;
    this.#ms[hash % TIMED_KEYS] = ms;
  }

  /** Undefined where it is not known. */
  of(key: string): number | undefined {
    const hash = hashOf(key);
    const ms = this.#ms[hash % TIMED_KEYS] as number;
    return this.#hashes[hash % TIMED_KEYS] === hash && !Number.isNaN(ms) ? ms : undefined;
  }
}
