/**
 * Lets all in who come together before any of them is served (decision 0047). The event loop accepts one connection in each of its turns.
 * Where each turn serves whoever is in already, every one who comes makes the turns longer for those behind: of 256 that
 * came at once the last was accepted after half a second. So while connections come turn after turn, requests are read and held.
 */
import type { Clock, Timer } from '../base/clock.js';
import {
  HANDED_GAP_MS,
  HELD_READ_MS,
  MAX_ACCEPTS_BEFORE_DRAIN_MS,
  MAX_ADMITTED_AT_ONCE,
  MAX_HOLD_MS,
  SHORT_TURN_MS,
  TURNS_BEFORE_DRAIN,
} from '../base/limits.js';

/** Who has something to do once all are in. */
export interface Held {
  release(): void;
}

export class Door {
  /** Whether what is read is to be held. */
  isHolding = false;
  readonly #clock: Clock;
  readonly #nextTurn: (run: () => void) => void;
  #held: Held[] = [];
  /** Connections that came since this hold began, and those of them that the last look knew of. */
  #came = 0;
  #seen = 0;
  #begunAt = 0;
  /** When it last looked, and how many were held then. */
  #lookedAt = 0;
  #heldThen = 0;
  /** Until when the connection that is to be handed over next is waited for. */
  #overdue: Timer | undefined;

  /** `nextTurn` runs it once, behind all that this turn of the event loop, or the next one, brings. */
  constructor(clock: Clock, nextTurn: (run: () => void) => void = setImmediate) {
    this.#clock = clock;
    this.#nextTurn = nextTurn;
  }

  /** A connection was accepted. */
  came(): void {
    if (this.isHolding) this.#came++;
    else {
      this.#begin();
      this.#nextTurn(this.#look);
    }
  }

  /**
   * A connection was handed over by the process that accepts (decision 0020). The next one comes some turns later, when that knows that this one
   * has: so it says whether there is one for this process. Who comes alone is not held.
   */
  handedOver(isMore: boolean): void {
    if (this.isHolding) this.#came++;
    else if (isMore) this.#begin();
    else return;
    this.#overdue?.cancel();
    this.#overdue = undefined;
    const leftMs = MAX_HOLD_MS - (this.#clock.steady() - this.#begunAt);
    const isWaiting = isMore && leftMs > 0 && this.#came < MAX_ADMITTED_AT_ONCE;
    if (isWaiting) this.#overdue = this.#clock.after(Math.min(HANDED_GAP_MS, leftMs), this.#end);
    else this.#nextTurn(this.#end);
  }

  /** Called once for each hold, by each who has something. */
  hold(one: Held): void {
    this.#held.push(one);
  }

  #begin(): void {
    this.isHolding = true;
    this.#came = 1;
    this.#seen = 0;
    this.#heldThen = 0;
    this.#begunAt = this.#clock.steady();
  }

  readonly #look = (): void => {
    if (this.#goesOn(this.#clock.steady())) this.#nextTurn(this.#look);
    else this.#end();
  };

  #goesOn(now: number): boolean {
    const { length: held } = this.#held;
    const [seen, heldThen, lastAt] = [this.#seen, this.#heldThen, this.#lookedAt];
    [this.#seen, this.#heldThen, this.#lookedAt] = [this.#came, held, now];
    if (this.#came === seen || this.#came >= MAX_ADMITTED_AT_ONCE || now - this.#begunAt >= MAX_HOLD_MS) return false;
    // Where a turn that only accepts and reads is long, by bodies or by answers of the origin, to hold makes it no shorter.
    return seen === 0 || now - lastAt <= SHORT_TURN_MS + (held - heldThen) * HELD_READ_MS;
  }

  readonly #end = (): void => {
    this.#overdue?.cancel();
    this.#overdue = undefined;
    const held = this.#held;
    this.#held = [];
    this.isHolding = false;
    this.#release(held);
  };

  /** Whatever one of them does, the others go on. */
  #release(held: readonly Held[]): void {
    let count = 0;
    try {
      for (const one of held) {
        count++;
        one.release();
      }
    } finally {
      if (count < held.length) this.#nextTurn(() => this.#release(held.slice(count)));
    }
  }
}

/**
 * Lets the event loop accept and read what the kernel has already: a connection that is closed with a request unread is reset, and
 * so is one that nobody has accepted, and either would cost a client its answer. Where others come all the time it ends after `atMostMs`, or
 * MAX_ACCEPTS_BEFORE_DRAIN_MS where that is less. `acceptedCount`: of all connections so far.
 */
export async function readWhatArrived(acceptedCount: () => number, clock: Clock, atMostMs: number): Promise<void> {
  const until = clock.steady() + Math.min(atMostMs, MAX_ACCEPTS_BEFORE_DRAIN_MS);
  let known = acceptedCount();
  for (let quiet = 0; quiet < TURNS_BEFORE_DRAIN && clock.steady() <= until; ) {
    await new Promise<void>((resolve) => setImmediate(resolve));
    quiet = acceptedCount() > known ? 0 : quiet + 1;
    known = acceptedCount();
  }
}
