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
  /** When it lapses by itself, by the steady clock. */
  readonly until: number;
  isTried: boolean;
  readonly whenOver: (() => void)[];
}

export class SharedOwed {
  readonly #clock: Clock;
  readonly #leaseMs: number;
  /** The oldest first. */
  readonly #byPlace = new Map<string, Owed>();
  /** What is in the place of this list. */
  #next: SharedOwed | 'none' | undefined;

  constructor(clock: Clock, leaseMs: number) {
    this.#clock = clock;
    this.#leaseMs = leaseMs;
  }

  /** The lease could not be given back. */
  note(place: LeasePlace, key: string): void {
    if (this.#next !== undefined) {
      if (this.#next !== 'none') this.#next.note(place, key);
      return;
    }
    const id = idOf(place);
    if (this.#byPlace.has(id)) return;
    const until = this.#clock.steady() + this.#leaseMs;
    this.#enter(id, { place, key, until, isTried: false, whenOver: [] });
  }

  #enter(id: string, one: Owed): void {
    this.#byPlace.set(id, one);
    if (this.#byPlace.size <= MAX_SHARED_OWED) return;
    for (const [oldest, owed] of this.#byPlace) {
      this.#over(oldest, owed);
      return;
    }
  }

  /** Another tier is in the place of this one, and gives back what is owed here; where there is none, nobody can. */
  replacedBy(next: SharedOwed | undefined): void {
    this.#next = next ?? 'none';
    for (const [id, owed] of [...this.#byPlace]) {
      if (next === undefined) this.#over(id, owed);
      else next.#enter(id, owed);
    }
    this.#byPlace.clear();
  }

  /** Resolves once it has been given back, or has lapsed; at once where it is not owed. */
  over(place: LeasePlace): Promise<void> {
    if (this.#next !== undefined && this.#next !== 'none') return this.#next.over(place);
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
      if (this.#clock.steady() < owed.until) {
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
