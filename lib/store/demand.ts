/**
 * How often stored responses are asked for, told at the instants when that matters: shortly before one of them expires.
 * A hit costs nothing here. The counts of uses that the slots keep anyway are read when a timing wheel says so, and
 * compared with what they were up to `withinMs` before; nobody ever looks through all that is stored.
 */
import type { Clock } from '../base/clock.js';
import { STORE_STEP_DELAY_MS } from '../base/limits.js';
import { DEMAND_STEP_COUNT, DEMAND_TICK_MS } from '../base/refresh-limits.js';
import type { StoredResponse } from '../object/stored.js';
import { Column } from './column.js';
import type { DemandWatch } from './contract.js';
import type { Slots } from './slots.js';
import { Stepper } from './stepper.js';
import { Wheel } from './wheel.js';

/** What is known of one slot, for the slot that replaces it. */
export interface Counted {
  readonly openedAt: number;
  readonly openedHits: number;
  readonly beforeHits: number;
}

interface Due {
  readonly stored: StoredResponse;
  readonly hits: number;
}

export class Demand {
  readonly #slots: Slots<StoredResponse>;
  readonly #at: (slot: number) => StoredResponse;
  readonly #clock: Clock;
  readonly #wheel: Wheel;
  readonly #stepper: Stepper;
  #watch: DemandWatch | undefined;
  /** When the present window of a slot began; 0: it has none. */
  readonly #openedAt = new Column(Float64Array);
  /** Its uses then. */
  readonly #openedHits = new Column(Uint32Array);
  /** Uses in a window as long as the rule says before that. */
  readonly #beforeHits = new Column(Float64Array);

  /** `at`: what is in a slot in use. */
  constructor(slots: Slots<StoredResponse>, clock: Clock, at: (slot: number) => StoredResponse) {
    this.#slots = slots;
    this.#at = at;
    this.#clock = clock;
    this.#wheel = new Wheel(slots, DEMAND_TICK_MS, clock.now());
    this.#stepper = new Stepper(clock, () => this.#step());
    slots.follow((capacity) => {
      this.#openedAt.grow(capacity);
      this.#openedHits.grow(capacity);
      this.#beforeHits.grow(capacity);
    });
  }

  /** Undefined: nobody wants to know any more. What is stored comes under another watch when it is freshened. */
  setWatch(watch: DemandWatch | undefined): void {
    this.#watch = watch;
  }

  stop(): void {
    this.#stepper.stop();
  }

  /** A response came into its slot, or another record took its place there. */
  schedule(slot: number, stored: StoredResponse, now: number): void {
    const plan = this.#watch?.planFor(stored);
    if (plan === undefined) {
      this.drop(slot);
      return;
    }
    if (this.#openedAt.get(slot) === 0) this.#open(slot, now, 0);
    if (!this.#stepper.isRunning) {
      // While nothing was planned the wheel stood still.
      this.#wheel.turn(now);
      this.#stepper.start(DEMAND_TICK_MS);
    }
    const opensAt = plan.at - plan.withinMs;
    this.#wheel.schedule(slot, opensAt > now ? opensAt : plan.at);
  }

  drop(slot: number): void {
    this.#wheel.cancel(slot);
    this.#openedAt.set(slot, 0);
  }

  counted(slot: number): Counted {
    return {
      openedAt: this.#openedAt.get(slot),
      openedHits: this.#openedHits.get(slot),
      beforeHits: this.#beforeHits.get(slot),
    };
  }

  /** People ask for the key, not for the bytes: what replaces a response goes on with its counts. */
  inherit(slot: number, { openedAt, openedHits, beforeHits }: Counted): void {
    this.#openedAt.set(slot, openedAt);
    this.#openedHits.set(slot, openedHits);
    this.#beforeHits.set(slot, beforeHits);
  }

  #open(slot: number, now: number, beforeHits: number): void {
    this.#openedAt.set(slot, now);
    this.#openedHits.set(slot, this.#slots.hits(slot));
    this.#beforeHits.set(slot, beforeHits);
  }

  /**
   * Uses in the last `withinMs`: those of the present window, and as much of the one before as it lacks in length. A
   * window that is full is closed, and the next one opened.
   */
  #read(slot: number, now: number, withinMs: number): number {
    const elapsedMs = now - this.#openedAt.get(slot);
    const hits = this.#slots.hits(slot) - this.#openedHits.get(slot);
    if (elapsedMs < withinMs) return hits + this.#beforeHits.get(slot) * (1 - elapsedMs / withinMs);
    const shareOfIt = hits * (withinMs / elapsedMs);
    this.#open(slot, now, shareOfIt);
    return shareOfIt;
  }

  #step(): number | undefined {
    const now = this.#clock.now();
    this.#wheel.turn(now);
    const due: Due[] = [];
    for (let count = 0; count < DEMAND_STEP_COUNT && this.#wheel.hasDue; count++) {
      const found = this.#look(this.#wheel.takeDue(), now);
      if (found !== undefined) due.push(found);
    }
    // The hottest first: the first ones may take what budget there is.
    due.sort((one, other) => other.hits - one.hits);
    for (const { stored, hits } of due) this.#watch?.due(stored, hits);
    if (this.#watch === undefined || this.#slots.count === 0) return undefined;
    return this.#wheel.hasDue ? STORE_STEP_DELAY_MS : DEMAND_TICK_MS;
  }

  /** At the instant of its plan, what is to be told; before that the window is opened that matters then. */
  #look(slot: number, now: number): Due | undefined {
    const stored = this.#at(slot);
    const plan = this.#watch?.planFor(stored);
    if (plan === undefined) return undefined;
    const opensAt = plan.at - plan.withinMs;
    if (opensAt > now) {
      // The wheel is coarse far ahead, and early.
      this.#wheel.schedule(slot, opensAt);
      return undefined;
    }
    const hits = this.#read(slot, now, plan.withinMs);
    if (plan.at <= now) return { stored, hits };
    this.#wheel.schedule(slot, plan.at);
    return undefined;
  }
}
