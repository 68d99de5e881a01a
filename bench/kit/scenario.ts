/** What a scenario is, and what it finds out. One file of bench/scenarios/ each; bench/scenarios/index.ts lists them. */
import { Agent, get } from 'node:http';
import type { Fleet, FleetSettings, LeftOut } from './fleet.js';
import type { ProxyName } from './proxies.js';
import type { RateOrder } from './rate.js';
import type { Scope } from './scope.js';

export interface Target {
  readonly is: 'at most' | 'at least' | 'exactly';
  readonly value: number;
}

export interface Figure {
  /** A proxy, or what it is compared with. */
  readonly subject: string;
  readonly what: string;
  readonly value: number;
  readonly unit: string;
  readonly target?: Target | undefined;
  /** Spread, tool and the like. */
  readonly note?: string;
}

export interface Bench {
  /** Of this scenario alone: ended before the next. */
  readonly scope: Scope;
  readonly isQuick: boolean;
  /** What to measure; the first is judged by the targets, the others are its rivals. */
  readonly subjects: readonly ProxyName[];
  /** Picks by mode. */
  pick(full: number, quick: number): number;
  /** The subjects in front of the origin for loads. */
  fleet(settings: FleetSettings): Promise<Fleet>;
}

export interface Outcome {
  readonly figures: readonly Figure[];
  /** Rivals that could not be compared. */
  readonly leftOut: readonly LeftOut[];
}

export interface Scenario {
  readonly name: string;
  readonly about: string;
  /** Whether proxies other than the judged one are measured beside it. */
  readonly hasRivals: boolean;
  /** Not in a quick run unless it is named: it takes long whatever is cut, or says little when it is short. */
  readonly isLong?: boolean;
  /** The load that a profile of it is taken under; without it there is none. */
  readonly rate?: RateOrder;
  run(bench: Bench): Promise<Outcome | readonly Figure[]>;
}

/** One subject after the other; a rival that cannot do it is left out. */
export async function measureEach(
  bench: Bench,
  measure: (subject: ProxyName) => Promise<readonly Figure[]>,
): Promise<Outcome> {
  const figures: Figure[] = [];
  const leftOut: LeftOut[] = [];
  for (const [i, subject] of bench.subjects.entries()) {
    try {
      figures.push(...(await measure(subject)));
    } catch (error) {
      if (i === 0) throw error;
      leftOut.push({ subject, why: error instanceof Error ? error.message : String(error) });
    }
  }
  return { figures, leftOut };
}

/** Undefined where the figure has no target. */
export function meets({ value, target }: Figure): boolean | undefined {
  if (target === undefined) return undefined;
  if (target.is === 'exactly') return value === target.value;
  return target.is === 'at most' ? value <= target.value : value >= target.value;
}

/** A target for the judged subject; none for its rivals. */
export function judged(bench: Bench, subject: string, is: Target['is'], value: number): Target | undefined {
  return subject === bench.subjects[0] ? { is, value } : undefined;
}

const agent = new Agent({ keepAlive: true });

/** One GET, over a connection that is kept; the status, once the body has come. */
export function fetchOnce(url: string, headers: Readonly<Record<string, string>> = {}): Promise<number> {
  return new Promise((resolve, reject) => {
    get(url, { agent, headers }, (response) => {
      response.resume();
      response.once('error', reject);
      response.once('end', () => resolve(response.statusCode ?? 0));
    }).once('error', reject);
  });
}

/** As fetchOnce, but anything but 200 is an error: for the requests that lay the ground. */
export async function warm(url: string): Promise<void> {
  const status = await fetchOnce(url);
  if (status !== 200) throw new Error(`${url} answers ${status} before the measurement has begun`);
}
