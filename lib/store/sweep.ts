/**
 * What is past keep goes, and what is past grace is told, in bounded steps: at each instant only what is due then is looked at. Runs
 * only while something is stored.
 */
import type { Clock } from '../base/clock.js';
import { STORE_STEP_DELAY_MS, SWEEP_EVERY_MS, SWEEP_STEP_COUNT } from '../base/limits.js';
import type { StoredResponse } from '../object/stored.js';
import type { Groups } from './groups.js';
import type { Slots } from './slots.js';
import { Stepper } from './stepper.js';
import { Wheel } from './wheel.js';

export interface SweepParts {
  readonly slots: Slots<StoredResponse>;
  readonly groups: Pick<Groups, 'graceUntil' | 'keepUntil'>;
  readonly clock: Clock;
  /** Before each step. */
  begun(): void;
  graceEnded(slot: number): void;
  /** It gives the slot back. */
  keepEnded(slot: number): void;
}

export class Sweep {
  readonly #parts: SweepParts;
  readonly #wheel: Wheel;
  readonly #stepper: Stepper;

  constructor(parts: SweepParts) {
    this.#parts = parts;
    this.#wheel = new Wheel(parts.slots, SWEEP_EVERY_MS, parts.clock.now());
    this.#stepper = new Stepper(parts.clock, () => this.#step());
  }

  /** Something is about to be stored. */
  start(now: number): void {
    if (this.#stepper.isRunning) return;
    // While nothing was stored the wheel stood still.
    this.#wheel.turn(now);
    this.#stepper.start(SWEEP_EVERY_MS);
  }

  stop(): void {
    this.#stepper.stop();
  }

  /** A response came into its slot, or another record took its place there. */
  schedule(slot: number, graceUntil: number, keepUntil: number, now: number): void {
    this.#wheel.schedule(slot, graceUntil > now ? graceUntil : keepUntil);
  }

  /** It is looked at in the next step. */
  hasten(slot: number): void {
    this.#wheel.hasten(slot);
  }

  cancel(slot: number): void {
    this.#wheel.cancel(slot);
  }

  #step(): number | undefined {
    const { clock, groups, slots } = this.#parts;
    const now = clock.now();
    this.#parts.begun();
    this.#wheel.turn(now);
    for (let count = 0; count < SWEEP_STEP_COUNT && this.#wheel.hasDue; count++) {
      const slot = this.#wheel.takeDue();
      const graceUntil = groups.graceUntil(slot);
      const keepUntil = groups.keepUntil(slot);
      if (keepUntil <= now) this.#parts.keepEnded(slot);
      else {
        if (graceUntil <= now) this.#parts.graceEnded(slot);
        this.schedule(slot, graceUntil, keepUntil, now);
      }
    }
    if (slots.count === 0) return undefined;
    return this.#wheel.hasDue ? STORE_STEP_DELAY_MS : SWEEP_EVERY_MS;
  }
}
