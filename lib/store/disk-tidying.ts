/** When the disk tier is looked at for what has expired, and for what is to go: now and then, and soon again while there is more. */
import type { Clock, Timer } from '../base/clock.js';
import { DISK_TIDY_EVERY_MS, DISK_TIDY_STEP_MS } from '../base/disk-limits.js';

export class DiskTidying {
  readonly #clock: Clock;
  readonly #step: () => void;
  #timer: Timer | undefined;

  /** `step` has it done, where that is possible just then. */
  constructor(clock: Clock, step: () => void) {
    this.#clock = clock;
    this.#step = step;
    this.#after(DISK_TIDY_EVERY_MS);
  }

  /** There is more. */
  soon(): void {
    this.#after(DISK_TIDY_STEP_MS);
  }

  stop(): void {
    this.#timer?.cancel();
  }

  #after(delayMs: number): void {
    this.#timer?.cancel();
    this.#timer = this.#clock.after(delayMs, () => {
      this.#after(DISK_TIDY_EVERY_MS);
      this.#step();
    });
  }
}
