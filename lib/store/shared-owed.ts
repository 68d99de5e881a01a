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
  isTried: boolean;
  readonly whenOver: (() => void)[];
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
    const until = this.#clock.now() + this.#leaseMs;
    this.#byPlace.set(id, { place, key, until, isTried: false, whenOver: [] });
    if (this.#byPlace.size <= MAX_SHARED_OWED) return;
    for (const [oldest, owed] of this.#byPlace) {
      this.#over(oldest, owed);
      return;
    }
  }

  /** Resolves once it has been given back, or has lapsed; at once where it is not owed. */
  over(place: LeasePlace): Promise<void> {
    const owed = this.#byPlace.get(idOf(place));
    return owed === undefined ? Promise.resolve() : new Promise((resolve) => owed.whenOver.push(resolve));
  }

  #over(id: string, { whenOver }: Owed): void {
    this.#byPlace.delete(id);
    for (const resolve of whenOver) resolve();
  }

  /** Has each that has not lapsed given back by `release`, which resolves with whether it could be. */
  async settle(release: (place: LeasePlace, key: string) => Promise<boolean>): Promise<void> {
    for (const [id, owed] of [...this.#byPlace]) {
      // A round before this one is at it.
      if (owed.isTried) continue;
      if (this.#clock.now() < owed.until) {
        owed.isTried = true;
        const isBack = await release(owed.place, owed.key);
        owed.isTried = false;
        if (!isBack) return;
      }
      this.#over(id, owed);
    }
  }
}

/** A process that is gone may have held more than one lease. */
function idOf({ name, variant, holder }: LeasePlace): string {
  return `${holder} ${name} ${variant}`;
}
