/**
 * How the last exchange with the origin for each key ended: failures too, which the stored response does not show.
 *
 * Noted at each miss, it must make nothing that the garbage collector has to carry along: each key has one place by its hash,
 * in columns, and drives out what had it before. Two keys with one hash and one length are taken for one, which what an
 * operator is shown of the past can bear.
 */
import { NOTED_REFRESHES } from '../base/admin-limits.js';
import type { Clock } from '../base/clock.js';
import { hashOf } from '../base/hash.js';
import { type AskedEnd, type AskedEvent, type Events, SILENT } from '../observe/events.js';

export interface LastRefresh {
  /** By the wall clock. */
  readonly wall: number;
  readonly end: AskedEnd;
  readonly reason: string;
  readonly status: number | undefined;
  readonly durationMs: number;
}

export interface LastRefreshes {
  /** The listener that notes them. */
  readonly events: Events;
  /** Undefined where there was none, or it is forgotten. */
  of(key: string): LastRefresh | undefined;
}

class Noted implements LastRefreshes {
  readonly #clock: Clock;
  readonly #hashes = new Uint32Array(NOTED_REFRESHES);
  /** Of the key; 0: nothing is noted here, for no key is empty. */
  readonly #lengths = new Uint32Array(NOTED_REFRESHES);
  /** By clock.now(), which costs less than the wall clock. */
  readonly #instants = new Float64Array(NOTED_REFRESHES);
  readonly #durations = new Float64Array(NOTED_REFRESHES);
  /** 0: there was none. */
  readonly #statuses = new Uint16Array(NOTED_REFRESHES);
  readonly #ends: AskedEnd[] = new Array<AskedEnd>(NOTED_REFRESHES).fill('stored');
  readonly #reasons: string[] = new Array<string>(NOTED_REFRESHES).fill('');
  readonly events: Events = { ...SILENT, asked: (event) => this.#note(event) };

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  #note({ key, end, reason, status, durationMs, askedFor }: AskedEvent): void {
    // What goes past the cache says nothing of what is stored.
    if (askedFor === 'uncacheable') return;
    const hash = hashOf(key);
    const place = hash % NOTED_REFRESHES;
    this.#hashes[place] = hash;
    this.#lengths[place] = key.length;
    this.#instants[place] = this.#clock.now();
    this.#durations[place] = durationMs;
    this.#statuses[place] = status ?? 0;
    this.#ends[place] = end;
    this.#reasons[place] = reason;
  }

  of(key: string): LastRefresh | undefined {
    const hash = hashOf(key);
    const place = hash % NOTED_REFRESHES;
    if (this.#hashes[place] !== hash || this.#lengths[place] !== key.length) return undefined;
    const status = this.#statuses[place] as number;
    return {
      wall: (this.#instants[place] as number) + this.#clock.wall() - this.#clock.now(),
      end: this.#ends[place] as AskedEnd,
      reason: this.#reasons[place] as string,
      status: status === 0 ? undefined : status,
      durationMs: this.#durations[place] as number,
    };
  }
}

export function createLastRefreshes(clock: Clock): LastRefreshes {
  return new Noted(clock);
}
