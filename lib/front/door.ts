/**
 * Lets all in who come together before any of them is served (decision 0047). The event loop accepts one connection in each of its turns.
 * Where each turn serves whoever is in already, every one who comes makes the turns longer for those behind: of 256 that
 * came at once the last was accepted after half a second. So while connections come turn after turn, requests are read and held.
 */
import { LISTEN_BACKLOG, MAX_ADMITTED_AT_ONCE, TURNS_BEFORE_DRAIN } from '../base/limits.js';

/** Who has something to do once all are in. */
export interface Held {
  release(): void;
}

export class Door {
  /** Whether what is read is to be held. */
  isHolding = false;
  readonly #nextTurn: (run: () => void) => void;
  #held: Held[] = [];
  /** Connections that came since this hold began, and those of them that the last look knew of. */
  #came = 0;
  #seen = 0;

  /** `nextTurn` runs it once, behind all that this turn of the event loop, or the next one, brings. */
  constructor(nextTurn: (run: () => void) => void = setImmediate) {
    this.#nextTurn = nextTurn;
  }

  /** A connection was accepted. */
  came(): void {
    if (this.isHolding) {
      this.#came++;
      return;
    }
    this.isHolding = true;
    this.#came = 1;
    this.#seen = 0;
    this.#nextTurn(this.#look);
  }

  /** Called once for each hold, by each who has something. */
  hold(one: Held): void {
    this.#held.push(one);
  }

  readonly #look = (): void => {
    if (this.#came > this.#seen && this.#came < MAX_ADMITTED_AT_ONCE) {
      this.#seen = this.#came;
      this.#nextTurn(this.#look);
      return;
    }
    const held = this.#held;
    this.#held = [];
    this.isHolding = false;
    for (const one of held) one.release();
  };
}

/**
 * Lets the event loop accept and read what the kernel has already: a connection that is closed with a request unread is reset, and
 * so is one that nobody has accepted, and either would cost a client its answer. `acceptedCount`: of all connections so far.
 */
export async function readWhatArrived(acceptedCount: () => number): Promise<void> {
  let known = acceptedCount();
  for (let turn = 0, quiet = 0; quiet < TURNS_BEFORE_DRAIN && turn < LISTEN_BACKLOG; turn++, quiet++) {
    await new Promise<void>((resolve) => setImmediate(resolve));
    if (acceptedCount() > known) quiet = 0;
    known = acceptedCount();
  }
}
