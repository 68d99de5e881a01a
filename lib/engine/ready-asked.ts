/** Tells what is asked for often enough to be kept ready. */
import { READY_ASKED_TIMES, READY_COUNT_PLACES } from '../base/ready-limits.js';

/** How often what is not kept ready was asked for since the last pruning, by hash: to note each key in a map costs more than its hit. */
export class Asked {
  readonly #counts = new Uint8Array(READY_COUNT_PLACES);
  #isAny = false;

  /** Counts a key by its hash. Returns whether it is asked for often. */
  isOften(hash: number): boolean {
    const place = hash % READY_COUNT_PLACES;
    const count = (this.#counts[place] as number) + 1;
    this.#isAny = true;
    if (count >= READY_ASKED_TIMES) return true;
    this.#counts[place] = count;
    return false;
  }

  forget(): void {
    if (this.#isAny) this.#counts.fill(0);
    this.#isAny = false;
  }
}
