/** How long this process has waited for a core: on a machine with other work that is most of what looks like a pause of its own. */
import { readFileSync } from 'node:fs';

/** In all, so far, of its main thread; undefined on systems without /proc. */
export function waitedMs(): number | undefined {
  try {
    return Number(readFileSync('/proc/self/schedstat', 'utf8').split(' ')[1]) / 1e6;
  } catch {
    return undefined;
  }
}

interface Look {
  readonly at: number;
  readonly waited: number;
}

/**
 * Further than this apart, the time and the wait that were read together say nothing of each other: others had the core in between. That
 * wait would be counted for the turn before, and the same time as its own for the turn after.
 */
const MAX_APART_MS = 0.5;
/** Then both are read again, so often at most. */
const MAX_READINGS = 10;
/** Looks that are kept: what is asked about was a moment ago. */
const MAX_LOOKS = 256;

/** Tells from looks at the clock, a few milliseconds apart, how much of what stopped the process was its own. */
export class Waits {
  readonly #looks: Look[] = [];
  readonly #now: () => number;
  readonly #waitedMs: () => number | undefined;

  constructor(now: () => number = () => performance.now(), readWaitedMs: () => number | undefined = waitedMs) {
    this.#now = now;
    this.#waitedMs = readWaitedMs;
  }

  /** Returns the time. */
  look(): number {
    let at = this.#now();
    let waited = this.#waitedMs();
    for (let readings = 1; this.#now() - at > MAX_APART_MS && readings < MAX_READINGS; readings++) {
      at = this.#now();
      waited = this.#waitedMs();
    }
    if (waited !== undefined) this.#looks.push({ at, waited });
    if (this.#looks.length > MAX_LOOKS) this.#looks.shift();
    return at;
  }

  /**
   * What of a time was not spent waiting. The waits are those between the looks around it: where it is a part of a turn of
   * the loop, those beside it are taken off too.
   */
  ownMs(startTime: number, duration: number): number {
    const before = this.#looks.findLast(({ at }) => at <= startTime);
    const after = this.#looks.find(({ at }) => at >= startTime + duration);
    if (before === undefined || after === undefined) return duration;
    return Math.max(0, duration - (after.waited - before.waited));
  }
}
