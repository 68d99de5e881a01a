/** A clock that stands still until a test moves it. */
import type { Clock, Timer } from '../../lib/base/clock.js';

interface Pending {
  at: number;
  readonly everyMs: number | undefined;
  readonly run: () => void;
}

export class FakeClock implements Clock {
  #now: number;
  #wallOffset = 0;
  /** Set forward so far. */
  #jumpedMs = 0;
  readonly #pending = new Set<Pending>();

  /** Starts at 2026-01-01T00:00:00Z unless told otherwise. */
  constructor(start: number = Date.UTC(2026, 0, 1)) {
    this.#now = start;
  }

  now(): number {
    return this.#now;
  }

  wall(): number {
    return this.#now + this.#wallOffset;
  }

  /** Steps the wall clock alone, as an operator or NTP does. */
  stepWall(ms: number): void {
    this.#wallOffset += ms;
  }

  steady(): number {
    return this.#now - this.#jumpedMs;
  }

  /** The wall clock is set forward, and now() follows: nothing falls due by that. */
  jump(ms: number): void {
    this.#now += ms;
    this.#jumpedMs += ms;
    for (const pending of this.#pending) pending.at += ms;
  }

  after(delayMs: number, run: () => void): Timer {
    return this.#add({ at: this.#now + delayMs, everyMs: undefined, run });
  }

  every(everyMs: number, run: () => void): Timer {
    return this.#add({ at: this.#now + everyMs, everyMs, run });
  }

  #add(pending: Pending): Timer {
    this.#pending.add(pending);
    return { cancel: () => this.#pending.delete(pending) };
  }

  /** Moves time on, running what falls due in order. */
  advance(ms: number): void {
    const end = this.#now + ms;
    for (;;) {
      let next: Pending | undefined;
      for (const pending of this.#pending)
        if (pending.at <= end && (next === undefined || pending.at < next.at)) next = pending;
      if (next === undefined) break;
      this.#now = next.at;
      if (next.everyMs === undefined) this.#pending.delete(next);
      else next.at += next.everyMs;
      next.run();
    }
    this.#now = end;
  }

  /** Timers not yet run or cancelled. */
  get pendingCount(): number {
    return this.#pending.size;
  }
}
