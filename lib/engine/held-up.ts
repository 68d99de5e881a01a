/**
 * Whether clients hold up an answer that is not stored (decision 0009): it waits for them, and in all of a while they took less than
 * half a window of it. One timer for all of its pauses, most of which are short.
 */
import type { Clock, Timer } from '../base/clock.js';
import { FLOW_WINDOW_BYTES } from '../base/limits.js';
import { MAX_HELD_UP_MS } from '../base/origin-limits.js';
import type { Body } from '../object/body.js';
import type { Readers } from '../object/readers.js';

export class HeldUp {
  readonly #clock: Clock;
  readonly #giveWay: () => void;
  /** What waits, and for whom; undefined: nothing does. */
  #body: Body | undefined;
  #readers: Readers | undefined;
  /** Since when, and how far they were then; undefined: it was for no client that it waited. */
  #since = 0;
  #takenBytes: number | undefined;
  #timer: Timer | undefined;

  /** `giveWay`: it was held up for so long. If it stays nevertheless it has as long once more. */
  constructor(clock: Clock, giveWay: () => void) {
    this.#clock = clock;
    this.#giveWay = giveWay;
  }

  pause(body: Body, readers: Readers): void {
    this.#body = body;
    this.#readers = readers;
    this.#begin();
    this.#timer ??= this.#clock.after(MAX_HELD_UP_MS, () => this.#look());
  }

  resume(): void {
    this.#body = undefined;
    this.#readers = undefined;
  }

  stop(): void {
    this.resume();
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #begin(): void {
    this.#since = this.#clock.steady();
    this.#takenBytes = this.#takenSoFar;
  }

  /** How far the furthest client is; undefined where it is a tier below that is behind, or no client's turn to take any of it. */
  get #takenSoFar(): number | undefined {
    return this.#body?.mode === 'flow' ? this.#readers?.furthest : undefined;
  }

  #look(): void {
    this.#timer = undefined;
    if (this.#body === undefined) return;
    const leftMs = this.#since + MAX_HELD_UP_MS - this.#clock.steady();
    let isHeldUp = false;
    if (leftMs <= 0) {
      const before = this.#takenBytes;
      const now = this.#takenSoFar;
      isHeldUp = before !== undefined && now !== undefined && now - before < FLOW_WINDOW_BYTES / 2;
      this.#begin();
    }
    this.#timer = this.#clock.after(leftMs > 0 ? leftMs : MAX_HELD_UP_MS, () => this.#look());
    if (isHeldUp) this.#giveWay();
  }
}
