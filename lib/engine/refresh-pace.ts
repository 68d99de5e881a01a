/**
 * How the origin fares, told by its answers: how slow it is beside what is usual for it, and how often it fails. Work
 * that no client waits for gives way by it, in degrees (decision 0014).
 */
import {
  PACE_BASELINE_MS,
  PACE_FORGET_MS,
  PACE_NOISE_MS,
  PACE_RECENT_MS,
  PACE_WARM_UP_COUNT,
} from '../base/refresh-limits.js';
import { isFailureStatus } from './verdict.js';

/** From 0, all is well, to 4. What gives way at which is the queue's to say. */
export type Strain = 0 | 1 | 2 | 3 | 4;

/** By how much the origin is slower than usual, and which part of its answers fails, from which on each degree holds. */
const SLOWNESS_FROM: readonly number[] = [2, 3, 5, 8];
/** A quarter of calls failing is what some origins always do. */
const FAILING_FROM: readonly number[] = [0.5, 0.65, 0.8, 0.95];
/** The least that one answer counts in what is recent, however many come at once; and the most, after however long a silence. */
const LEAST_SHARE = 1 / 16;
const MOST_SHARE = 1 / 4;

function degree(value: number, bounds: readonly number[]): Strain {
  let passed = 0;
  while (passed < bounds.length && value >= (bounds[passed] as number)) passed++;
  return passed as Strain;
}

/** The share of a mean over `overMs` that what came `sinceMs` after the last one has. */
function share(sinceMs: number, overMs: number): number {
  return 1 - Math.exp(-Math.max(0, sinceMs) / overMs);
}

/**
 * Time to the head of answers of one sort, recent ones against what is usual. In logarithms: of a few slow pages among
 * many quick ones neither mean is moved much.
 */
class Track {
  #recent = 0;
  #usual = 0;
  #count = 0;
  #heardAt = 0;

  heard(latencyMs: number, now: number): void {
    const value = Math.log(Math.max(0, latencyMs) + PACE_NOISE_MS);
    const sinceMs = now - this.#heardAt;
    this.#heardAt = now;
    this.#count++;
    if (this.#count === 1) {
      this.#recent = value;
      this.#usual = value;
      return;
    }
    const weight = Math.min(MOST_SHARE, Math.max(LEAST_SHARE, share(sinceMs, PACE_RECENT_MS)));
    this.#recent += weight * (value - this.#recent);
    const learning = this.#count <= PACE_WARM_UP_COUNT ? 1 / this.#count : 0;
    this.#usual += Math.max(learning, share(sinceMs, PACE_BASELINE_MS)) * (value - this.#usual);
  }

  /** How many times as slow as usual; what was heard long ago counts less and less. */
  slowness(now: number): number {
    const forgotten = share(now - this.#heardAt, PACE_FORGET_MS);
    return Math.exp((this.#recent - this.#usual) * (1 - forgotten));
  }
}

/** `now` is on the steady clock: a wall clock that is set forward would pass for an origin that took so long. */
export class OriginPace {
  /** A 304 is quicker than a whole answer: more of the one than usual must not pass for a change of the other. */
  readonly #unchanged = new Track();
  readonly #whole = new Track();
  #failing = 0;
  #heardAt = 0;

  /** The head of an answer is here, `latencyMs` after it was asked for. */
  answered(latencyMs: number, status: number, now: number): void {
    (status === 304 ? this.#unchanged : this.#whole).heard(latencyMs, now);
    this.#count(isFailureStatus(status), now);
  }

  /** None came. */
  failed(now: number): void {
    this.#count(true, now);
  }

  #count(hasFailed: boolean, now: number): void {
    this.#failing += LEAST_SHARE * ((hasFailed ? 1 : 0) - this.#failing);
    this.#heardAt = now;
  }

  strain(now: number): Strain {
    const slowness = Math.max(this.#unchanged.slowness(now), this.#whole.slowness(now));
    const failing = this.#failing * (1 - share(now - this.#heardAt, PACE_FORGET_MS));
    return Math.max(degree(slowness, SLOWNESS_FROM), degree(failing, FAILING_FROM)) as Strain;
  }
}
