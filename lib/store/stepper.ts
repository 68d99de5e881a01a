/** Does long work in small steps with pauses between them, so that the process answers requests meanwhile. */
import type { Clock, Timer } from '../base/clock.js';
import { STEP_AGAIN_MS } from '../base/limits.js';

export class Stepper {
  readonly #clock: Clock;
  readonly #step: () => number | undefined;
  #timer: Timer | undefined;
  #isStopped = false;

  /** `step` does a bounded piece of work and returns the pause before the next, or undefined where there is none. */
  constructor(clock: Clock, step: () => number | undefined) {
    this.#clock = clock;
    this.#step = step;
  }

  get isRunning(): boolean {
    return this.#timer !== undefined;
  }

  /** Takes the first step after `delayMs`, unless one is due already. */
  start(delayMs: number): void {
    if (this.#timer !== undefined || this.#isStopped) return;
    this.#timer = this.#clock.after(delayMs, () => {
      this.#timer = undefined;
      let pauseMs: number | undefined = STEP_AGAIN_MS;
      try {
        pauseMs = this.#step();
      } finally {
        // What one of them throws the clock is told; who waits for the others would wait for ever.
        if (pauseMs !== undefined) this.start(pauseMs);
      }
    });
  }

  /** For good. */
  stop(): void {
    this.#isStopped = true;
    this.#timer?.cancel();
    this.#timer = undefined;
  }
}
