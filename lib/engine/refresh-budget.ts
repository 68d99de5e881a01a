/** What the origin may be asked with no client waiting: so many requests a second, and so many at once. */

/** `origin.refresh` of the conf file. */
export interface RefreshBudget {
  /** Requests a second. */
  readonly rate: number;
  /** Requests at once. */
  readonly concurrency: number;
}

/** Part of a second whose requests may go at once after a pause. */
const BURST_SEC = 0.1;

/** In any stretch of T seconds it gives rate x T and one burst at most. */
export class TokenBucket {
  #rate: number;
  #tokens: number;
  #filledAt: number;

  constructor(rate: number, now: number) {
    this.#rate = rate;
    this.#tokens = burstOf(rate);
    this.#filledAt = now;
  }

  /** Another rate from now on. What was saved up beyond its burst is gone. */
  setRate(rate: number, now: number): void {
    this.#fill(now);
    this.#rate = rate;
    this.#tokens = Math.min(this.#tokens, burstOf(rate));
  }

  take(now: number): boolean {
    this.#fill(now);
    if (this.#tokens < 1) return false;
    this.#tokens--;
    return true;
  }

  /** One that was taken was not used. */
  giveBack(): void {
    this.#tokens = Math.min(this.#tokens + 1, burstOf(this.#rate));
  }

  /** Milliseconds until there is one. */
  waitMs(now: number): number {
    this.#fill(now);
    return this.#tokens >= 1 ? 0 : Math.ceil(((1 - this.#tokens) / this.#rate) * 1000);
  }

  #fill(now: number): void {
    const sec = Math.max(0, now - this.#filledAt) / 1000;
    this.#tokens = Math.min(this.#tokens + sec * this.#rate, burstOf(this.#rate));
    this.#filledAt = now;
  }
}

function burstOf(rate: number): number {
  return Math.max(1, Math.ceil(rate * BURST_SEC));
}
