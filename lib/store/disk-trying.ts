/** Whether the disk can be written, and when one that cannot be is tried again: later and later, for as long as that fails. */
import type { Clock, Timer } from '../base/clock.js';
import { DISK_RETRY_FIRST_MS, DISK_RETRY_MAX_MS } from '../base/disk-limits.js';

export class DiskTrying {
  isWritable = true;
  readonly #clock: Clock;
  readonly #again: () => void;
  #timer: Timer | undefined;
  #delayMs = DISK_RETRY_FIRST_MS;
  /** When it could be written again, the last time. */
  #recoveredAt = Number.NEGATIVE_INFINITY;

  /** `again` tries it. */
  constructor(clock: Clock, again: () => void) {
    this.#clock = clock;
    this.#again = again;
  }

  /** Not all was written, or not in time. Returns whether it could be before. */
  failed(): boolean {
    const isNews = this.isWritable;
    // Where a filesystem is nearly full, what is small goes through and the next batch does not: that is no recovery.
    if (isNews && this.#clock.now() - this.#recoveredAt >= DISK_RETRY_MAX_MS) this.#delayMs = DISK_RETRY_FIRST_MS;
    this.isWritable = false;
    this.#timer = this.#clock.after(this.#delayMs, this.#again);
    this.#delayMs = Math.min(this.#delayMs * 2, DISK_RETRY_MAX_MS);
    return isNews;
  }

  /** Returns whether it could not be written before. */
  succeeded(): boolean {
    if (this.isWritable) return false;
    this.isWritable = true;
    this.#recoveredAt = this.#clock.now();
    return true;
  }

  stop(): void {
    this.#timer?.cancel();
  }
}
