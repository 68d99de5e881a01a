/** Lets so many begin in a second, evenly, and so many run at once. One waits for its turn at a time. */
import type { Clock, Timer } from '../base/clock.js';
import { WARM_BURST_MS } from '../base/warm-limits.js';

const SECOND_MS = 1000;
/** What is due within so little begins at once: timers know nothing shorter. */
const TIMER_GRAIN_MS = 1;

export class Pace {
  readonly #clock: Clock;
  readonly #everyMs: number;
  readonly #most: number;
  #running = 0;
  /** When the next one may begin. */
  #dueAt = Number.NEGATIVE_INFINITY;
  #timer: Timer | undefined;
  /** Ends the wait, for a place or for the time; whether the one who waits may go on. */
  #wake: ((mayBegin: boolean) => void) | undefined;

  constructor(clock: Clock, perSecond: number, most: number) {
    this.#clock = clock;
    this.#everyMs = SECOND_MS / perSecond;
    this.#most = most;
  }

  /** Resolves when the next one may begin: true, and it has; `leave` is called at its end. False: it was interrupted. */
  async enter(): Promise<boolean> {
    while (this.#running >= this.#most) if (!(await this.#woken())) return false;
    const now = this.#clock.now();
    // What timers lost is caught up on; a pause is not.
    const beginAt = this.#dueAt < now - WARM_BURST_MS ? now : this.#dueAt;
    if (beginAt - now >= TIMER_GRAIN_MS) {
      this.#timer = this.#clock.after(beginAt - now, () => this.#wake?.(true));
      if (!(await this.#woken())) return false;
    }
    this.#dueAt = beginAt + this.#everyMs;
    this.#running++;
    return true;
  }

  leave(): void {
    this.#running--;
    if (this.#timer === undefined) this.#wake?.(true);
  }

  /** Who waits for its turn does so no longer. */
  interrupt(): void {
    this.#wake?.(false);
  }

  async #woken(): Promise<boolean> {
    const mayBegin = await new Promise<boolean>((resolve) => {
      this.#wake = resolve;
    });
    this.#wake = undefined;
    this.#timer?.cancel();
    this.#timer = undefined;
    return mayBegin;
  }
}
