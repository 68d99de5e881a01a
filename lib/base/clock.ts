/**
 * The one door to time. Everything that depends on time takes a Clock, so that tests can own it.
 * No other file of lib/ calls Date.now, performance.now, setTimeout or setInterval (test/tidy holds this).
 */
// Not the global of that name, which is behind a getter: a hit reads this clock twice.
import { PerformanceObserver, performance } from 'node:perf_hooks';

/** A pending one-shot timer. */
export interface Timer {
  /** Stops the timer; a timer that has run or was cancelled ignores this. */
  cancel(): void;
}

export interface Clock {
  /**
   * Milliseconds since the Unix epoch on a scale that never runs backwards. Phases and ages use it.
   * Where the wall clock is set back this keeps its pace; where it is set forward (or the machine slept) this
   * follows, because content must never be believed younger than it is (promise 2 of the design).
   */
  now(): number;
  /** Milliseconds that have passed, from no moment in particular. Nobody sets it: limits of what is under way use it. */
  steady(): number;
  /** The wall clock, in milliseconds since the Unix epoch: for Date fields, for comparison with dates that an origin sent, and for logs. It may step. */
  wall(): number;
  /** Runs `run` once after `delayMs`. A pending timer does not keep the process alive. */
  after(delayMs: number, run: () => void): Timer;
  /** Runs `run` every `everyMs` until cancelled. Does not keep the process alive. */
  every(everyMs: number, run: () => void): Timer;
  /** Hears of what is thrown by what was due: all else that is due goes on. Undefined: it ends the process. */
  faulted?: ((error: unknown) => void) | undefined;
}

/** How often the monotonic scale looks for a wall clock that was set forward. */
const RESYNC_MS = 1000;
/** How long a clock looks at the wall clock when it is made: that tells whole milliseconds, and what is missing is least as one begins. */
const FIRST_LOOK_MS = 1;

export class SystemClock implements Clock {
  faulted: Clock['faulted'];
  #offset = Date.now() - performance.now();

  constructor() {
    // Processes that share what is stored compare instants: what one of them expired now is not to lie ahead for another.
    const begunAt = performance.now();
    while (performance.now() - begunAt < FIRST_LOOK_MS) this.#look();
    this.every(RESYNC_MS, () => this.#look());
  }

  #look(): void {
    const offset = Date.now() - performance.now();
    if (offset > this.#offset) this.#offset = offset;
  }

  now(): number {
    return performance.now() + this.#offset;
  }

  /** Is no earlier than that of a process that began before the wall clock was set back: both compare what they have. */
  keepUpWith(now: number): void {
    this.#offset = Math.max(this.#offset, now - performance.now());
  }

  steady(): number {
    return performance.now();
  }

  wall(): number {
    return Date.now();
  }

  after(delayMs: number, run: () => void): Timer {
    const handle = setTimeout(this.#attempt, delayMs, run);
    handle.unref();
    return { cancel: () => clearTimeout(handle) };
  }

  every(everyMs: number, run: () => void): Timer {
    return every(everyMs, () => this.#attempt(run));
  }

  readonly #attempt = (run: () => void): void => {
    try {
      run();
    } catch (error) {
      if (this.faulted === undefined) throw error;
      this.faulted(error);
    }
  };
}

/** As Clock.every(), for what has no clock since it is about this process alone. */
export function every(everyMs: number, run: () => void): Timer {
  const handle = setInterval(run, everyMs);
  handle.unref();
  return { cancel: () => clearInterval(handle) };
}

/** The clock of a running process. */
export function systemClock(): SystemClock {
  return new SystemClock();
}

/** Calls `run` behind collections of garbage, for good. Does not keep the process alive. */
export function afterCollections(run: () => void): void {
  new PerformanceObserver(run).observe({ entryTypes: ['gc'] });
}
