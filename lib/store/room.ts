/** Makes room in the memory tier: at once for what comes in, and ahead of that in the background. All in bounded steps. */
import type { Clock } from '../base/clock.js';
import {
  MAX_EVICTIONS_AT_ONCE,
  PRUNE_STEP_BYTES,
  PRUNE_STEP_COUNT,
  STORE_STEP_DELAY_MS,
  SWEEP_EVERY_MS,
} from '../base/limits.js';
import type { Eviction } from './eviction.js';
import type { Ledger } from './ledger.js';
import { NO_SLOT } from './links.js';
import type { Slots } from './slots.js';
import { Stepper } from './stepper.js';

export interface RoomOptions {
  readonly clock: Clock;
  readonly ledger: Ledger;
  readonly eviction: Eviction;
  readonly slots: Slots<unknown>;
  /** Takes out for good what is evicted. */
  readonly evict: (slot: number) => void;
}

export class Room {
  readonly #ledger: Ledger;
  readonly #eviction: Eviction;
  readonly #slots: Slots<unknown>;
  readonly #evict: (slot: number) => void;
  readonly #pruning: Stepper;

  constructor({ clock, ledger, eviction, slots, evict }: RoomOptions) {
    this.#ledger = ledger;
    this.#eviction = eviction;
    this.#slots = slots;
    this.#evict = evict;
    this.#pruning = new Stepper(clock, () => this.#pruneStep());
  }

  /**
   * Evicts until `bytes` more fit under `limit`; false where they cannot. `withdrawnBytes` of what is stored cannot be
   * evicted just now.
   */
  make(bytes: number, withdrawnBytes: number, limit: number): boolean {
    if (bytes <= 0) return true;
    if (this.#ledger.fixedBytes + withdrawnBytes + bytes > limit) {
      if (this.#ledger.isTakenUp) this.#evictTaken();
      return false;
    }
    for (let count = 0; this.#ledger.usedBytes + bytes > limit; count++)
      if (count === MAX_EVICTIONS_AT_ONCE || this.#evictOne() === 0) return false;
    return true;
  }

  /** Evicts in the background, where that is wanted. */
  prune(): void {
    if (this.#ledger.wantsPruning) this.#pruning.start(STORE_STEP_DELAY_MS);
  }

  /** For good. */
  stop(): void {
    this.#pruning.stop();
  }

  #pruneStep(): number | undefined {
    let stepBytes = 0;
    for (let count = 0; count < PRUNE_STEP_COUNT && stepBytes < PRUNE_STEP_BYTES; count++) {
      if (!this.#ledger.wantsPruning) return undefined;
      const bytes = this.#evictOne();
      // Clients take what there is: some of it may be nobody's by then.
      if (bytes === 0) return SWEEP_EVERY_MS;
      stepBytes += bytes;
    }
    return STORE_STEP_DELAY_MS;
  }

  /** Evicts one response. Returns its bytes, or 0 where none was found that no client takes. */
  #evictOne(): number {
    const slot = this.#eviction.takeVictim();
    if (slot === NO_SLOT) return 0;
    const bytes = this.#slots.bytes(slot);
    this.#evict(slot);
    return bytes;
  }

  /** Evicts one that clients take: nobody begins to take it any more, and its room comes back with the last of those who do. */
  #evictTaken(): void {
    const slot = this.#eviction.takeTaken();
    if (slot !== NO_SLOT) this.#evict(slot);
  }
}
