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
  /** The oldest first. */
  readonly #byPlace = new Map<string, Owed>();

  constructor(clock: Clock, leaseMs: number) {
    this.#clock = clock;
    this.#leaseMs = leaseMs;
  }

  /** The lease could not be given back. */
  note(place: LeasePlace, key: string): void {
    const id = idOf(place);
    if (this.#byPlace.has(id)) return;
    this.#byPlace.set(id, { place, key, until: this.#clock.now() + this.#leaseMs });
    if (this.#byPlace.size <= MAX_SHARED_OWED) return;
    for (const oldest of this.#byPlace.keys()) {
      this.#byPlace.delete(oldest);
      return;
    }
  }

  /** Has each that has not lapsed given back by `release`, which resolves with whether it could be. */
  async settle(release: (place: LeasePlace, key: string) => Promise<boolean>): Promise<void> {
    for (const [id, { place, key, until }] of [...this.#byPlace]) {
      // Before it is tried, or a further round would try it as well.
      if (!this.#byPlace.delete(id) || this.#clock.now() >= until) continue;
      if (await release(place, key)) continue;
      this.#byPlace.set(id, { place, key, until });
      return;
    }
  }
}

/** A process that is gone may have held more than one lease. */
function idOf({ name, variant, holder }: LeasePlace): string {
  return `${holder} ${name} ${variant}`;
}
