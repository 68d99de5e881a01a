/**
 * How long this process has run, and how long it has waited for a core: on a machine with other work that is most of what looks like a
 * pause of its own. What is neither is time in which a hypervisor had the core, and no core of this machine ran.
 */
import { readFileSync } from 'node:fs';

/** In all, so far, of its main thread. */
export interface CoreUse {
  readonly ranMs: number;
  readonly waitedMs: number;
}

/** Undefined on systems without /proc. */
export function readCoreUse(): CoreUse | undefined {
  // Linux brings the first of these up to date every few milliseconds, and for who asks so.
  process.cpuUsage();
  try {
    const [ran, waited] = readFileSync('/proc/self/schedstat', 'utf8').split(' ');
    return { ranMs: Number(ran) / 1e6, waitedMs: Number(waited) / 1e6 };
  } catch {
    return undefined;
  }
}

interface Look {
  readonly at: number;
  readonly use: CoreUse;
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
  readonly #readUse: () => CoreUse | undefined;

  constructor(now: () => number = () => performance.now(), readUse: () => CoreUse | undefined = readCoreUse) {
    this.#now = now;
    this.#readUse = readUse;
  }

  /** Returns the time. */
  look(): number {
    let at = this.#now();
    let use = this.#readUse();
    for (let readings = 1; this.#now() - at > MAX_APART_MS && readings < MAX_READINGS; readings++) {
      at = this.#now();
      use = this.#readUse();
    }
    if (use !== undefined) this.#looks.push({ at, use });
    if (this.#looks.length > MAX_LOOKS) this.#looks.shift();
    return at;
  }

  /**
   * What of a time was not spent waiting, and can have been spent running. Both are those between the looks around it: where it is a part
   * of a turn of the loop, the waits beside it are taken off too.
   */
  ownMs(startTime: number, duration: number): number {
    const before = this.#looks.findLast(({ at }) => at <= startTime);
    const after = this.#looks.find(({ at }) => at >= startTime + duration);
    if (before === undefined || after === undefined) return duration;
    const waitedMs = after.use.waitedMs - before.use.waitedMs;
    return Math.max(0, Math.min(duration - waitedMs, after.use.ranMs - before.use.ranMs));
  }
}
