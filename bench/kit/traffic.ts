/** What the clients ask for, apart from the tool that asks. */
import { pathOf } from './swift.js';

export interface OnePath {
  readonly kind: 'one';
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Every request for a URL that nobody has asked for before. */
export interface DistinctPaths {
  readonly kind: 'distinct';
  readonly prefix: string;
}

/** Paths in this order, over and over; NEW_PATH among them stands for a URL that nobody has asked for before. */
export interface DrawnPaths {
  readonly kind: 'drawn';
  readonly paths: readonly string[];
  /** Of the URLs that are new. */
  readonly prefix: string;
}

export type Traffic = OnePath | DistinctPaths | DrawnPaths;

export const NEW_PATH = '*';

/** The same numbers in every run and for every proxy (a linear congruential generator: the quality of 16 bits is enough). */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

export interface ZipfOrder {
  readonly keys: number;
  readonly exponent: number;
  readonly draws: number;
  readonly seed: number;
}

/** Ranks from 0, the popularity of each being 1 / (rank + 1) ** exponent. */
export function drawZipf({ keys, exponent, draws, seed }: ZipfOrder): number[] {
  const upTo = new Float64Array(keys);
  let sum = 0;
  for (let rank = 0; rank < keys; rank++) {
    sum += 1 / (rank + 1) ** exponent;
    upTo[rank] = sum;
  }
  const random = seededRandom(seed);
  return Array.from({ length: draws }, () => {
    const point = random() * sum;
    let low = 0;
    let high = keys - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((upTo[middle] ?? 0) < point) low = middle + 1;
      else high = middle;
    }
    return low;
  });
}

/**
 * Misses until V8 has compiled the code that they take. By count, since on a busy machine a time says nothing of how many there were: the
 * first 5,000 took 218 microseconds of the main thread each, and 120 of the threads that compile; those from there on 91 to 130, and no more.
 */
export const MISSES_UNTIL_COMPILED = 10_000;

/** Paths for them. `name`: of the scenario, since in a quick run several share a server. */
export function* untilCompiled(name: string, bytes: number): Iterable<string> {
  for (let i = 0; i < MISSES_UNTIL_COMPILED; i++) yield pathOf(bytes, 3600, `compiled-${name}-${i}`);
}
