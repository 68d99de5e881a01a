/** The turns of the shared tier, one after the other: what may have been lost on its way is read, what is owed is given back. */
import type { Clock, Timer } from '../base/clock.js';
import { SHARED_LOG_EVERY_MS } from '../base/shared-limits.js';

export class SharedPulse {
  readonly #take: () => Promise<void>;
  readonly #faulted: (error: unknown) => void;
  readonly #timer: Timer;
  #isAtIt = false;

  constructor(clock: Clock, take: () => Promise<void>, faulted: (error: unknown) => void) {
    this.#take = take;
    this.#faulted = faulted;
    this.#timer = clock.every(SHARED_LOG_EVERY_MS, () => void this.#turn());
  }

  async #turn(): Promise<void> {
    if (this.#isAtIt) return;
    this.#isAtIt = true;
    try {
      await this.#take();
    } catch (error) {
      this.#faulted(error);
    } finally {
      this.#isAtIt = false;
    }
  }

  stop(): void {
    this.#timer.cancel();
  }
}
