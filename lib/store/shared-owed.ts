/**
 * Leases that could not be given back, because the shared tier gave no answer: others would wait for nobody until they
 * lapse. They are given back once it answers again.
 */
import type { Clock } from '../base/clock.js';
import { MAX_SHARED_OWED } from '../base/shared-limits.js';
import type { LeasePlace } from './shared-contract.js';

interface Owed {
  readonly place: LeasePlace;
  readonly key: string;
  /** When it lapses by itself, on this machine's clock. */
  readonly until: number;
}

export class SharedOwed {
  readonly #clock: Clock;
  readonly #leaseMs: number;
  /** By holder, the oldest first. */
  readonly #byHolder = new Map<string, Owed>();

  constructor(clock: Clock, leaseMs: number) {
    this.#clock = clock;
    this.#leaseMs = leaseMs;
  }

  /** The lease could not be given back. */
  note(place: LeasePlace, key: string): void {
    if (this.#byHolder.has(place.holder)) return;
    this.#byHolder.set(place.holder, { place, key, until: this.#clock.now() + this.#leaseMs });
    if (this.#byHolder.size <= MAX_SHARED_OWED) return;
    for (const oldest of this.#byHolder.keys()) {
      this.#byHolder.delete(oldest);
      return;
    }
  }

  /** Has each that has not lapsed given back by `release`, which resolves with whether it could be. */
  async settle(release: (place: LeasePlace, key: string) => Promise<boolean>): Promise<void> {
    for (const [holder, { place, key, until }] of [...this.#byHolder]) {
      // Before it is tried, or a further round would try it as well.
      if (!this.#byHolder.delete(holder) || this.#clock.now() >= until) continue;
      if (await release(place, key)) continue;
      this.#byHolder.set(holder, { place, key, until });
      return;
    }
  }
}
