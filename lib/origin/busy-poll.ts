/**
 * Keeps the event loop awake through waits that are over sooner than a processor which has gone to sleep comes back
 * (decisions/0042): for the origin's answer to a request that is the only one under way, and for the next such request behind it.
 */
import type { Clock } from '../base/clock.js';
import { BUSY_POLL_MS, BUSY_POLL_TURNS, MAX_BUSY_POLL_PAUSE_WAITS, WAKE_UP_MS } from '../base/origin-limits.js';

/** How much the last wait counts beside all before it. */
const NEWEST = 1 / 8;
/** So much of the waits must have been short lately. */
const MOST = 1 / 2;

/** One kind of wait, and whether to stay awake through it has been worth it lately. */
class Waits {
  /** Of the last ones, how much was short. Until there have been some, they count as long. */
  #shortShare = 0;
  #begunAt = 0;
  #isPolled = false;
  /** So many are slept through before the next try. */
  #pause = 0;
  /** How many that will be where the next try was for nothing too. */
  #nextPause = 1;

  /** Returns whether to stay awake. */
  begin(now: number): boolean {
    this.#begunAt = now;
    this.#isPolled = this.#shortShare >= MOST && this.#pause === 0;
    if (this.#pause > 0) this.#pause--;
    return this.#isPolled;
  }

  over(now: number): void {
    // One that is slept through is longer by what it takes to wake up.
    const isShort = now - this.#begunAt <= (this.#isPolled ? BUSY_POLL_MS : BUSY_POLL_MS + WAKE_UP_MS);
    this.#shortShare += ((isShort ? 1 : 0) - this.#shortShare) * NEWEST;
    if (!this.#isPolled) return;
    if (isShort) {
      this.#nextPause = 1;
      return;
    }
    this.#pause = this.#nextPause;
    this.#nextPause = Math.min(2 * this.#nextPause, MAX_BUSY_POLL_PAUSE_WAITS);
  }
}

export class BusyPoll {
  readonly #clock: Clock;
  readonly #nextTurn: (run: () => void) => void;
  readonly #forAnswer = new Waits();
  readonly #forRequest = new Waits();
  /** What is waited for. */
  #present: Waits | undefined;
  #isRunning = false;
  #until = 0;
  #turnsLeft = 0;

  /** `nextTurn` runs something in the next turn of the event loop, which does not sleep before. */
  constructor(clock: Clock, nextTurn: (run: () => void) => void = setImmediate) {
    this.#clock = clock;
    this.#nextTurn = nextTurn;
  }

  /** A request goes to the origin, and no other is under way. */
  asked(): void {
    const now = this.#clock.steady();
    if (this.#present === this.#forRequest) this.#forRequest.over(now);
    this.#begin(this.#forAnswer, now);
  }

  /** Whether the answer to such a request is waited for. */
  get awaitsAnswer(): boolean {
    return this.#present === this.#forAnswer;
  }

  /** That request is over. */
  answered(): void {
    const now = this.#clock.steady();
    this.#forAnswer.over(now);
    this.#begin(this.#forRequest, now);
  }

  /** Others are under way: there is enough to be awake for, and no wait says anything about the origin alone. */
  crowded(): void {
    this.#present = undefined;
    this.#turnsLeft = 0;
  }

  #begin(waits: Waits, now: number): void {
    this.#present = waits;
    if (!waits.begin(now)) {
      this.#turnsLeft = 0;
      return;
    }
    this.#until = now + BUSY_POLL_MS;
    this.#turnsLeft = BUSY_POLL_TURNS;
    if (this.#isRunning) return;
    this.#isRunning = true;
    this.#nextTurn(this.#turn);
  }

  readonly #turn = (): void => {
    if (this.#turnsLeft > 0 && this.#clock.steady() < this.#until) {
      this.#turnsLeft--;
      this.#nextTurn(this.#turn);
    } else this.#isRunning = false;
  };
}
