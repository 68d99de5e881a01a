/**
 * Which faults of our own get a line in the log. One that comes with each request would fill it; the metrics count them all.
 */
import type { Clock } from '../base/clock.js';
import { FAULT_LINES_MS, MAX_FAULT_LINES } from '../base/limits.js';

type Circumstances = Readonly<Record<string, unknown>>;

export class FaultLines {
  readonly #clock: Clock;
  #since = Number.NEGATIVE_INFINITY;
  #lines = 0;
  #leftOut = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Has what is told of a notice written, where it is none of them, or still gets a line. */
  pass(code: string, fields: Circumstances, write: (told: Circumstances) => void): void {
    const told = code === 'internal' ? this.#next(fields) : fields;
    if (told !== undefined) write(told);
  }

  #next(fields: Circumstances): Circumstances | undefined {
    const now = this.#clock.steady();
    if (now - this.#since >= FAULT_LINES_MS) {
      this.#since = now;
      this.#lines = 0;
    }
    if (++this.#lines > MAX_FAULT_LINES) {
      this.#leftOut++;
      return undefined;
    }
    const leftOut = this.#leftOut;
    this.#leftOut = 0;
    return leftOut === 0 ? fields : { ...fields, leftOut };
  }
}
