/**
 * Where the thread that answers and the one that writes to disk have one core between them. The writer stands so far back that it runs
 * in what is left over, and in little else: where nothing is left over, the thread that answers leaves it the core now and then
 * (decision 0017).
 */
import type { Clock, Timer } from '../base/clock.js';
import {
  DISK_ASIDE_EVERY_MS,
  DISK_ASIDE_SHARE,
  DISK_STARVED_AFTER_MS,
  MAX_DISK_ASIDE_MS,
} from '../base/disk-limits.js';

const US_PER_MS = 1000;

/** How much longer than it asked for the writer was without the core, in all so far. */
export class Lateness {
  /** To be given to the thread. */
  readonly shared: SharedArrayBuffer;
  readonly #us: Uint32Array;

  constructor(shared = new SharedArrayBuffer(Uint32Array.BYTES_PER_ELEMENT)) {
    this.shared = shared;
    this.#us = new Uint32Array(shared);
  }

  /** It was that much longer. By the writer. */
  add(ms: number): void {
    if (ms > 0) Atomics.add(this.#us, 0, Math.round(ms * US_PER_MS));
  }

  /** For since(). */
  get mark(): number {
    return Atomics.load(this.#us, 0);
  }

  /** In milliseconds, since there was that mark; the count begins anew after an hour of it. */
  since(mark: number): number {
    return ((this.mark - mark) >>> 0) / US_PER_MS;
  }
}

export class StandingAside {
  readonly #lateness: Lateness;
  readonly #clock: Clock;
  readonly #sleep: (ms: number) => void;
  #looks: Timer | undefined;
  #begunAt = 0;
  #lookedAt = 0;
  #mark = 0;

  /** `sleep` leaves the core to others: nothing else happens in this thread meanwhile. */
  constructor(lateness: Lateness, clock: Clock, sleep: (ms: number) => void) {
    this.#lateness = lateness;
    this.#clock = clock;
    this.#sleep = sleep;
  }

  /** The writer has a job. */
  begin(): void {
    this.end();
    this.#begunAt = this.#lookedAt = this.#clock.steady();
    this.#mark = this.#lateness.mark;
    this.#looks = this.#clock.every(DISK_ASIDE_EVERY_MS, () => this.#look());
  }

  /** That is done. */
  end(): void {
    this.#looks?.cancel();
    this.#looks = undefined;
  }

  /** A device that is slow is no reason: the writer has not asked for the core then. */
  #look(): void {
    const now = this.#clock.steady();
    const [passedMs, turnMs] = [now - this.#begunAt, now - this.#lookedAt];
    this.#lookedAt = now;
    if (passedMs < DISK_STARVED_AFTER_MS || this.#lateness.since(this.#mark) < passedMs / 2) return;
    this.#sleep(Math.min(MAX_DISK_ASIDE_MS, turnMs * DISK_ASIDE_SHARE));
  }
}
