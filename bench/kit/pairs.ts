/** Runs that are compared are made one after the other, in turns: what the machine does meanwhile hits both. */
import { median, spread } from './stats.js';

export interface Pair<T> {
  readonly own: T;
  readonly other: T;
}

/** Compared with several others: each pair has a run of its own (A B, then B A), or, to be quick, a round shares one. */
export async function inTurns<T>(
  rounds: number,
  isShared: boolean,
  own: () => Promise<T>,
  others: ReadonlyMap<string, () => Promise<T | undefined>>,
  took: (name: string, pair: Pair<T>) => void,
): Promise<T[]> {
  const all: T[] = [];
  const runOwn = async () => {
    const result = await own();
    all.push(result);
    return result;
  };
  for (let round = 0; round < rounds; round++) {
    let shared = isShared || others.size === 0 ? await runOwn() : undefined;
    for (const [name, run] of others) {
      if (isShared && shared !== undefined) {
        const other = await run();
        if (other !== undefined) took(name, { own: shared, other });
      } else if (round % 2 === 0) {
        shared = await runOwn();
        const other = await run();
        if (other !== undefined) took(name, { own: shared, other });
      } else {
        const other = await run();
        if (other !== undefined) took(name, { own: await runOwn(), other });
      }
    }
  }
  return all;
}

export interface Ratio {
  readonly value: number;
  readonly note: string;
}

/** The median of the pairs, and how far they are apart. */
export function ratioOf<T>(pairs: readonly Pair<T>[], value: (one: T) => number): Ratio {
  const ratios = pairs.map(({ own, other }) => value(own) / value(other));
  return { value: median(ratios), note: `${spread(ratios, 2)}, ${ratios.length} pairs` };
}
