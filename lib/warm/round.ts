/**
 * The work of one round: each URL that is listed is looked up, and what is missing or out of date is asked for, at a bounded
 * pace. What the sitemap says was changed comes before what is only not stored yet; what the origin failed on comes last.
 */
import type { Clock } from '../base/clock.js';
import { WARM_FAILURES_MAX, WARM_STEP_COUNT, WARM_UNCACHEABLE_MS } from '../base/warm-limits.js';
import type { WarmOutcome } from '../observe/warm.js';
import type { WarmEnd, Warmer } from './contract.js';
import { type Acted, isDue } from './due.js';
import type { Pace } from './pace.js';
import type { Wanted } from './tree.js';

/** What is remembered of a URL from round to round. */
export interface Noted extends Acted {
  /** When its answer turned out not to be storable; undefined: it did not. */
  readonly uncacheableAt: number | undefined;
}

export interface RoundParts {
  readonly clock: Clock;
  readonly warmer: Warmer;
  readonly pace: Pace;
  /** What earlier rounds found; this one adds to it. */
  readonly noted: Map<string, Noted>;
  /** On which the origin failed: they come last, so that they keep nothing else from its turn. */
  readonly troubled: Set<string>;
  told(outcome: WarmOutcome): void;
}

/** `given-up`: the origin failed too often in a row. `stopped`: another round, or the end, came first. */
export type RoundEnd = 'done' | 'given-up' | 'stopped';

type Work = 'refresh' | 'fill' | 'uncacheable' | 'none';
type ToDo = 'refresh' | 'fill';

export class Round {
  readonly #parts: RoundParts;
  readonly #urls: ReadonlyMap<string, Wanted>;
  readonly counts: Partial<Record<WarmOutcome, number>> = {};
  #remaining: number;
  #failuresInARow = 0;
  readonly #asked = new Set<string>();
  #isStopped = false;

  constructor(urls: ReadonlyMap<string, Wanted>, parts: RoundParts) {
    this.#urls = urls;
    this.#parts = parts;
    this.#remaining = urls.size;
  }

  get size(): number {
    return this.#urls.size;
  }

  /** URLs that have not had their turn. */
  get remaining(): number {
    return this.#remaining;
  }

  /** Begins nothing more. What is under way ends by itself. */
  stop(): void {
    this.#isStopped = true;
    this.#parts.pace.interrupt();
    for (const url of this.#asked) this.#parts.warmer.withdraw(url);
  }

  async run(): Promise<RoundEnd> {
    const plan = await this.#plan();
    const { pace, warmer } = this.#parts;
    const running = new Set<Promise<void>>();
    for (const [url, work] of plan) {
      if (this.#isStopped) break;
      if (work === 'fill' && !warmer.hasRoom) {
        this.#over('no-room');
        continue;
      }
      if (!(await pace.enter())) break;
      if (this.#isStopped || this.#failuresInARow >= WARM_FAILURES_MAX) {
        pace.leave();
        break;
      }
      const one = this.#one(url).finally(() => {
        running.delete(one);
        pace.leave();
      });
      running.add(one);
    }
    await Promise.all(running);
    if (this.#remaining === 0) return 'done';
    return this.#isStopped ? 'stopped' : 'given-up';
  }

  /** What is to be done, in its order. */
  async #plan(): Promise<readonly (readonly [url: string, work: ToDo])[]> {
    const changed: [string, ToDo][] = [];
    const missing: [string, ToDo][] = [];
    const troubled: [string, ToDo][] = [];
    let looked = 0;
    for (const [url, wanted] of this.#urls) {
      if (++looked % WARM_STEP_COUNT === 0) await new Promise<void>((resolve) => setImmediate(resolve));
      if (this.#isStopped) return [];
      const work = this.#workFor(url, wanted);
      if (work === 'none') this.#over('current');
      else if (work === 'uncacheable') this.#over(work);
      else if (this.#parts.troubled.has(url)) troubled.push([url, work]);
      else (work === 'refresh' ? changed : missing).push([url, work]);
    }
    return [...changed, ...missing, ...troubled];
  }

  #workFor(url: string, { lastmod }: Wanted): Work {
    const { clock, noted, warmer } = this.#parts;
    const before = noted.get(url);
    const now = clock.wall();
    const standing = warmer.look(url);
    if (standing.kind === 'not-ours') return 'uncacheable';
    if (standing.kind === 'absent') {
      const isKnown = before?.uncacheableAt !== undefined && now - before.uncacheableAt < WARM_UNCACHEABLE_MS;
      return isKnown && !hasMoved(lastmod?.from, before) ? 'uncacheable' : 'fill';
    }
    if (lastmod === undefined) return 'none';
    if (isDue(lastmod, standing.askedAt, before, now)) return 'refresh';
    const at = before?.at ?? Number.NEGATIVE_INFINITY;
    noted.set(url, { from: lastmod.from, at, uncacheableAt: undefined });
    return 'none';
  }

  /** It may have been a while since it was looked up: what is stored now decides. */
  async #one(url: string): Promise<void> {
    const { clock, noted, troubled, warmer } = this.#parts;
    const askedAt = clock.wall();
    const isStored = warmer.look(url).kind === 'stored';
    this.#asked.add(url);
    const end: WarmEnd = await (isStored ? warmer.refresh(url) : warmer.fill(url));
    this.#asked.delete(url);
    this.#over(end);
    if (end === 'failed') {
      this.#failuresInARow++;
      troubled.add(url);
    } else if (end !== 'skipped') {
      this.#failuresInARow = 0;
      troubled.delete(url);
      const from = this.#urls.get(url)?.lastmod?.from ?? Number.NEGATIVE_INFINITY;
      noted.set(url, { from, at: askedAt, uncacheableAt: end === 'uncacheable' ? askedAt : undefined });
    }
  }

  #over(outcome: WarmOutcome): void {
    this.#remaining--;
    this.counts[outcome] = (this.counts[outcome] ?? 0) + 1;
    this.#parts.told(outcome);
  }
}

function hasMoved(from: number | undefined, before: Acted): boolean {
  return from !== undefined && from > before.from;
}
