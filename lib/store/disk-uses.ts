/** Uses that are to be noted on disk: few at once, with whatever else is written, or alone after a while. */
import type { Clock, Timer } from '../base/clock.js';
import { DISK_USE_FLUSH_MS, MAX_DISK_PENDING_USES } from '../base/disk-limits.js';

export class DiskUses {
  /** Of these nothing is known any more. */
  dropped = 0;
  readonly #clock: Clock;
  readonly #flush: () => void;
  readonly #keys = new Map<string, Buffer>();
  #timer: Timer | undefined;

  /** `flush` has them written. */
  constructor(clock: Clock, flush: () => void) {
    this.#clock = clock;
    this.#flush = flush;
  }

  /** Whether there is time to note another one. */
  takes(): boolean {
    this.#timer ??= this.#clock.after(DISK_USE_FLUSH_MS, () => {
      this.#timer = undefined;
      if (this.#keys.size > 0) this.#flush();
    });
    if (this.#keys.size < MAX_DISK_PENDING_USES) return true;
    this.dropped++;
    return false;
  }

  note(recordKey: Buffer): void {
    this.#keys.set(recordKey.toString('latin1'), recordKey);
  }

  /** The record keys: they do not wait any more. */
  take(): Buffer[] {
    const keys = [...this.#keys.values()];
    this.#keys.clear();
    return keys;
  }

  stop(): void {
    this.#timer?.cancel();
  }
}
