/** A time limit that activity pushes ahead: one timer, moved when it fires and not at each byte. */
import type { Clock, Timer } from '../base/clock.js';

export class Deadline {
  readonly #clock: Clock;
  readonly #expired: () => void;
  #ms: number;
  #touchedAt: number;
  #timer: Timer | undefined;
  #firesAt = 0;

  /** Runs `expired` once when `ms` have passed since the last touch() or restart(). */
  constructor(clock: Clock, ms: number, expired: () => void) {
    this.#clock = clock;
    this.#ms = ms;
    this.#expired = expired;
    this.#touchedAt = clock.steady();
    this.#arm(ms);
  }

  #arm(ms: number): void {
    this.#firesAt = this.#clock.steady() + ms;
    this.#timer = this.#clock.after(ms, () => {
      const left = this.#touchedAt + this.#ms - this.#clock.steady();
      this.#timer = undefined;
      if (left > 0) this.#arm(left);
      else this.#expired();
    });
  }

  /** Something happened: counts from now on again. */
  touch(): void {
    this.#touchedAt = this.#clock.steady();
  }

  /** Counts from now on again, also after stop(), with another length where one is given. */
  restart(ms: number = this.#ms): void {
    this.touch();
    this.#ms = ms;
    // A timer that runs out sooner finds out then how much is left.
    if (this.#timer !== undefined && this.#firesAt <= this.#touchedAt + ms) return;
    this.#timer?.cancel();
    this.#arm(ms);
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }
}
