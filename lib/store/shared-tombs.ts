/**
 * What visitors' unsafe requests invalidate, taken out of the tier that machines share. How many such requests come is up to
 * them: so a key is purged once for all that came meanwhile, so many keys at a time, and of a key that is not there nothing
 * is written down. That it is invalid the others were told before.
 */
import type { Clock, Timer } from '../base/clock.js';
import {
  MAX_SHARED_TOMBS,
  SHARED_LOG_EVERY_MS,
  SHARED_TOMB_MS,
  SHARED_TOMB_STEP_MS,
  SHARED_TOMBS_AT_ONCE,
} from '../base/shared-limits.js';
import type { SharedTable } from './shared-contract.js';
import type { SharedGuard } from './shared-guard.js';

export interface SharedTombParts {
  readonly table: Pick<SharedTable, 'purgeName'>;
  readonly guard: Pick<SharedGuard, 'background' | 'isUp'>;
  readonly clock: Clock;
}

export class SharedTombs {
  /** Keys that found no room: what is there of them is left to what the others were told. */
  dropped = 0;
  readonly #parts: SharedTombParts;
  /** Up to when what was asked for is meant, on the server's clock, by name; the oldest first. */
  readonly #waiting = new Map<string, number>();
  #resting: Timer | undefined;
  /** What took over from this one. */
  #next: SharedTombs | undefined;
  #isClosed = false;
  /** The tier is there, and has refused one of them. */
  #hasFailed = false;

  constructor(parts: SharedTombParts) {
    this.#parts = parts;
  }

  get waitingCount(): number {
    return this.#waiting.size;
  }

  note(names: readonly string[], at: number): void {
    if (this.#isClosed) {
      this.#next?.note(names, at);
      return;
    }
    for (const name of names) {
      const before = this.#waiting.get(name);
      this.#waiting.set(name, Math.max(at, before ?? at));
      if (this.#waiting.size <= MAX_SHARED_TOMBS) continue;
      const [oldest] = this.#waiting.keys();
      if (oldest !== undefined) this.#waiting.delete(oldest);
      this.dropped++;
    }
    if (this.#resting === undefined) this.#step();
  }

  /** What another one had to do yet, which is closed. */
  takeOver(from: SharedTombs): void {
    for (const [name, at] of from.#waiting) this.note([name], at);
    from.#next = this;
  }

  #step(): void {
    const { table, guard, clock } = this.#parts;
    this.#resting = undefined;
    if (this.#waiting.size === 0 || this.#isClosed) return;
    let count = 0;
    for (const [name, at] of this.#waiting) {
      // Until the tier is back they wait.
      if (count++ >= SHARED_TOMBS_AT_ONCE || !guard.isUp) break;
      this.#waiting.delete(name);
      void guard
        .background(() => table.purgeName(name, at, SHARED_TOMB_MS, true))
        .then((given) => {
          if (given !== undefined) return;
          this.#hasFailed = true;
          this.note([name], at);
        });
    }
    const restMs = guard.isUp && !this.#hasFailed ? SHARED_TOMB_STEP_MS : SHARED_LOG_EVERY_MS;
    this.#hasFailed = false;
    this.#resting = clock.after(restMs, () => this.#step());
  }

  close(): void {
    this.#isClosed = true;
    this.#resting?.cancel();
    this.#waiting.clear();
  }
}
