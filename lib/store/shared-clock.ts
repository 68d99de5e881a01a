/**
 * Instants on the clock of the server that machines share: what one machine wrote is read by another whose clock differs.
 * The difference is measured by what replies say, best by the quickest of them.
 */
import type { Clock } from '../base/clock.js';
import { SHARED_CLOCK_TTL_MS } from '../base/shared-limits.js';
import type { StoredResponse } from '../object/stored.js';

export class SharedClock {
  readonly #clock: Clock;
  #offsetMs = 0;
  /** Time of the round trip by which the offset was measured: the bound of its error. */
  #errorMs = Number.POSITIVE_INFINITY;
  #measuredAt = Number.NEGATIVE_INFINITY;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** A reply that was asked for at `sentAt`, here, said that it is `serverNow` there. */
  note(sentAt: number, serverNow: number): void {
    const now = this.#clock.now();
    const tripMs = now - sentAt;
    if (tripMs > this.#errorMs && now - this.#measuredAt < SHARED_CLOCK_TTL_MS) return;
    this.#offsetMs = serverNow - (sentAt + tripMs / 2);
    this.#errorMs = tripMs;
    this.#measuredAt = now;
  }

  /** By how much the server's clock is ahead. */
  get offsetMs(): number {
    return this.#offsetMs;
  }

  /** By how much an instant may be wrong: half of the round trip by which the clock was measured. */
  get errorMs(): number {
    return Number.isFinite(this.#errorMs) ? this.#errorMs / 2 : 0;
  }

  toServer(here: number): number {
    return here + this.#offsetMs;
  }

  toHere(server: number): number {
    return server - this.#offsetMs;
  }

  now(): number {
    return this.toServer(this.#clock.now());
  }
}

/** When what it answers was asked for. */
export function askedAt({ requestedAt, fetchedAt }: Pick<StoredResponse, 'requestedAt' | 'fetchedAt'>): number {
  return requestedAt ?? fetchedAt;
}
