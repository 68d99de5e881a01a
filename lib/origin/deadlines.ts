/**
 * The time limits of all connections to the origin and of all who wait for one, on one timer: it is set for the soonest
 * that is known, and what was put off meanwhile is found out when it fires. An exchange sets no timer and clears none.
 */
import type { Clock, Timer } from '../base/clock.js';

export class Deadlines {
  readonly #clock: Clock;
  readonly #expire: (now: number) => number;
  #timer: Timer | undefined;
  #firesAt = Number.POSITIVE_INFINITY;

  /** `expire`: ends what is due, and returns the soonest deadline of the rest; Infinity where there is none. */
  constructor(clock: Clock, expire: (now: number) => number) {
    this.#clock = clock;
    this.#expire = expire;
  }

  /** There is a deadline at this instant. */
  note(at: number, now: number): void {
    if (at >= this.#firesAt) return;
    this.#timer?.cancel();
    this.#firesAt = at;
    this.#timer = this.#clock.after(at - now, () => this.#fire());
  }

  #fire(): void {
    this.#timer = undefined;
    this.#firesAt = Number.POSITIVE_INFINITY;
    const now = this.#clock.steady();
    const next = this.#expire(now);
    if (next < this.#firesAt) this.note(next, now);
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#firesAt = Number.POSITIVE_INFINITY;
  }
}
