/**
 * Instants on the clock of the server that machines share: what one machine wrote is read by another whose clock differs.
 * The difference is measured by what replies say, best by the quickest of them.
 */
import type { Clock } from '../base/clock.js';
import { SHARED_CLOCK_TTL_MS } from '../base/shared-limits.js';

export class SharedClock {
  readonly #clock: Clock;
  /** By how much the server's clock is ahead of the steady one here, which nobody sets. */
  #aheadMs: number | undefined;
  /** Time of the round trip by which that was measured: the bound of its error. */
  #errorMs = Number.POSITIVE_INFINITY;
  #measuredAt = Number.NEGATIVE_INFINITY;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** This moment: for note(), and for what is to be told of it later. */
  mark(): number {
    return this.#clock.steady();
  }

  /** The moment at which it was `here` by the clock of this machine. */
  markOf(here: number): number {
    return here - this.#leadMs;
  }

  /** A reply that was asked for at the moment `sentAt` said that it is `serverNow` there. */
  note(sentAt: number, serverNow: number): void {
    const now = this.mark();
    const tripMs = now - sentAt;
    if (tripMs > this.#errorMs && now - this.#measuredAt < SHARED_CLOCK_TTL_MS) return;
    this.#aheadMs = serverNow - (sentAt + tripMs / 2);
    this.#errorMs = tripMs;
    this.#measuredAt = now;
  }

  /** By how much the server's clock is ahead. */
  get offsetMs(): number {
    return this.#aheadMs === undefined ? 0 : this.#aheadMs - this.#leadMs;
  }

  /** What now() is ahead of the steady clock: more, once the clock of this machine is set forward. */
  get #leadMs(): number {
    return this.#clock.now() - this.#clock.steady();
  }

  /** By how much an instant may be wrong: half of the round trip by which the clock was measured. */
  get errorMs(): number {
    return Number.isFinite(this.#errorMs) ? this.#errorMs / 2 : 0;
  }

  toServer(here: number): number {
    return here + this.offsetMs;
  }

  /** The same of a moment, as mark() gave it. */
  ofMark(mark: number): number {
    return mark + (this.#aheadMs ?? this.#leadMs);
  }

  toHere(server: number): number {
    return server - this.offsetMs;
  }

  now(): number {
    return this.ofMark(this.mark());
  }
}
