/** Lets so many begin in a second, evenly, and so many run at once. */
import type { Clock } from '../base/clock.js';
import { WARM_BURST_MS } from '../base/limits.js';

const SECOND_MS = 1000;

export class Pace {
  readonly #clock: Clock;
  readonly #everyMs: number;
  readonly #most: number;
  #running = 0;
  /** When the next one may begin. */
  #dueAt = Number.NEGATIVE_INFINITY;
  /** Waits for a place. There is one at most: a round takes its places one after another. */
  #waiting: (() => void) | undefined;

  constructor(clock: Clock, perSecond: number, most: number) {
    this.#clock = clock;
    this.#everyMs = SECOND_MS / perSecond;
    this.#most = most;
  }

  get running(): number {
    return this.#running;
  }

  /** Resolves when the next one may begin, which then has begun; `leave` is called at its end. */
  async enter(): Promise<void> {
    while (this.#running >= this.#most) {
      await new Promise<void>((resolve) => {
        this.#waiting = resolve;
      });
    }
    this.#running++;
    const now = this.#clock.now();
    // What timers lost is caught up on; a pause is not.
    const beginAt = this.#dueAt < now - WARM_BURST_MS ? now : this.#dueAt;
    const waitMs = beginAt - now;
    this.#dueAt = beginAt + this.#everyMs;
    if (waitMs > 0) await new Promise<void>((resolve) => void this.#clock.after(waitMs, resolve));
  }

  leave(): void {
    this.#running--;
    this.#waiting?.();
    this.#waiting = undefined;
  }
}
