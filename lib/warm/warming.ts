/**
 * Warming as a whole: sitemaps are read at the start and on a schedule, each reading is followed by a round of work, and a
 * reading that comes while work is left has its round take that over. So a change that a sitemap tells of waits for no
 * more than the next reading, however much there is still to fill.
 */
import type { Clock, Timer } from '../base/clock.js';
import { WARM_MERGE_COUNT, WARM_RETRY_FIRST_MS, WARM_STEP_COUNT } from '../base/warm-limits.js';
import type { Events } from '../observe/events.js';
import { WARM_REFUSALS, type WarmOutcome, type WarmRefusal, type WarmRound } from '../observe/warm.js';
import type { Refusal, SitemapSource, Warmer, WarmSettings } from './contract.js';
import { Pace } from './pace.js';
import { ProgressLine, type Terminal } from './progress.js';
import type { ReadSitemap } from './reader.js';
import { type Noted, Round, type RoundEnd } from './round.js';
import { isReadAlike, isSame } from './settings.js';
import { type ReadTree, SitemapTree, type TreeParts, type Wanted } from './tree.js';
import { progressWords, summaryWords } from './words.js';

export interface WarmingParts {
  readonly clock: Clock;
  readonly events: Events;
  readonly random: () => number;
  readonly source: SitemapSource;
  makeWarmer(settings: WarmSettings): Warmer;
  /** Where progress is shown; undefined: nowhere. */
  readonly terminal?: Terminal | undefined;
}

/** What holds from one configuration to the next one. */
interface Regime {
  readonly settings: WarmSettings;
  readonly warmer: Warmer;
  readonly pace: Pace;
}

export class Warming {
  readonly #parts: WarmingParts;
  #tree = new SitemapTree();
  readonly #noted = new Map<string, Noted>();
  readonly #troubled = new Set<string>();
  readonly #progress: ProgressLine | undefined;
  #regime: Regime | undefined;
  /** What is listed, and what was and may only be missing for a fault. */
  #listed: ReadonlyMap<string, Wanted> = new Map();
  #timer: Timer | undefined;
  #reading: Promise<void> | undefined;
  /** Asked for while one was under way: what that reads may be older than what was asked for. */
  #isWantedAgain = false;
  #round: Round | undefined;
  #roundOver: Promise<void> = Promise.resolve();
  /** Readings, and rounds, in a row that failed for a passing reason. */
  #failedReadings = 0;
  #failedRounds = 0;
  /** Refusals of the last reading that were told already: each is told when it begins. */
  #told = new Set<string>();

  constructor(parts: WarmingParts) {
    this.#parts = parts;
    const { clock, terminal } = parts;
    if (terminal !== undefined) this.#progress = new ProgressLine(clock, terminal, () => this.#progressText());
  }

  /** Puts settings in force; where they are others than before, or the origin is, everything is read again now. */
  configure(settings: WarmSettings, isNewOrigin = false): void {
    if (isNewOrigin) this.#tree.forgetValidators();
    if (this.#regime !== undefined && !isNewOrigin && isSame(this.#regime.settings, settings)) return;
    this.#halt();
    // What was read by other rules about hosts and schemes is of no use.
    if (this.#regime !== undefined && !isReadAlike(this.#regime.settings, settings)) this.#tree = new SitemapTree();
    // What another configuration leaves out did not vanish.
    this.#listed = new Map();
    if (settings.sitemaps.length === 0) {
      this.#regime = undefined;
      this.#noted.clear();
      this.#troubled.clear();
      this.#tell(0, 0);
      return;
    }
    const pace = new Pace(this.#parts.clock, settings.rate, settings.concurrency);
    this.#regime = { settings, warmer: this.#parts.makeWarmer(settings), pace };
    this.warmNow();
  }

  /** Reads the sitemaps now. Returns how many are configured: 0 where there is nothing to do. */
  warmNow(): number {
    const regime = this.#regime;
    if (regime === undefined) return 0;
    if (this.#reading === undefined) this.#begin(regime);
    else this.#isWantedAgain = true;
    return regime.settings.sitemaps.length;
  }

  stop(): void {
    this.#halt();
    this.#regime = undefined;
  }

  #halt(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#tree.stop();
    this.#round?.stop();
    this.#progress?.end();
    this.#isWantedAgain = false;
  }

  #begin(regime: Regime): void {
    this.#timer?.cancel();
    this.#progress?.begin();
    this.#reading = this.#read(regime)
      .catch((error: unknown) => this.#atFault(error))
      .finally(() => {
        this.#reading = undefined;
        const now = this.#regime;
        if (now === undefined) return;
        if (now !== regime || this.#isWantedAgain) {
          this.#isWantedAgain = false;
          this.#begin(now);
        } else if (this.#timer === undefined) this.#schedule(this.#pauseMs(regime.settings));
      });
  }

  async #read(regime: Regime): Promise<void> {
    const { settings } = regime;
    this.#timer = undefined;
    const startedAt = this.#parts.clock.now();
    const told = new Set<string>();
    const read = await this.#tree.read(settings.sitemaps, settings.maxUrls, this.#treeParts(settings, told));
    if (this.#regime !== regime) return;
    this.#told = told;
    this.#failedReadings = read.isWaiting ? this.#failedReadings + 1 : 0;
    this.#schedule(this.#pauseMs(settings, read));
    this.#round?.stop();
    await this.#roundOver;
    if (this.#regime !== regime) return;
    await this.#expireVanished(regime, read);
    if (this.#regime !== regime) return;
    const round = new Round(read.urls, {
      clock: this.#parts.clock,
      warmer: regime.warmer,
      pace: regime.pace,
      noted: this.#noted,
      troubled: this.#troubled,
      told: (outcome) => this.#count(outcome),
    });
    this.#round = round;
    this.#tell(read.urls.size, round.remaining);
    this.#roundOver = round
      .run()
      .then((end) => this.#roundEnded(regime, round, read, end, startedAt))
      .catch((error: unknown) => this.#atFault(error));
  }

  #atFault(error: unknown): void {
    const message = 'Warming failed on a fault of its own; it goes on with the next reading.';
    this.#parts.events.notice('error', 'warm-fault', message, { error: String(error) });
    this.#progress?.end();
  }

  #treeParts({ hosts, scheme }: WarmSettings, told: Set<string>): TreeParts {
    const tell = (url: string, reason: WarmRefusal, count: number, detail: string): void => {
      this.#parts.events.warmed({ kind: 'refused', reason, count });
      const id = `${reason} ${url}`;
      if (!this.#told.has(id) && !told.has(id)) {
        const message = `Warming passes over something in or about a sitemap. ${WARM_REFUSALS[reason]}`;
        this.#parts.events.notice('warn', 'warm-refused', message, { sitemap: url, reason, detail, count });
      }
      told.add(id);
    };
    return {
      clock: this.#parts.clock,
      source: this.#parts.source,
      isOurs: (url) => hosts.has(hostOf(url)),
      asVisited: (url) => (scheme === 'listed' ? url : url.replace(/^https?(?=:)/, scheme)),
      refused: (url: string, { reason, message }: Refusal) => tell(url, reason, 1, message),
      passedOver: (url: string, { badUrls, foreign, foreignExample = '' }: ReadSitemap) => {
        if (badUrls > 0) tell(url, 'bad-url', badUrls, 'entries without one that can be asked for');
        if (foreign > 0) tell(url, 'foreign-host', foreign, foreignExample);
      },
    };
  }

  /** Makes stale what a sitemap listed and none lists now, where that is wanted and can be known. */
  async #expireVanished({ settings, warmer }: Regime, read: ReadTree): Promise<void> {
    const before = this.#listed;
    if (!read.isWhole) {
      // What was listed may only be missing for a fault. Without bound this would grow from fault to fault.
      if (before.size <= settings.maxUrls) this.#listed = await both(before, read.urls);
      return;
    }
    this.#listed = read.urls;
    let seen = 0;
    for (const [url, { isWindow }] of before) {
      if (++seen % WARM_STEP_COUNT === 0) await new Promise<void>((resolve) => setImmediate(resolve));
      if (read.urls.has(url)) continue;
      this.#noted.delete(url);
      this.#troubled.delete(url);
      if (isWindow || settings.vanished === 'keep') continue;
      if ((await warmer.expire(url)) > 0) this.#parts.events.warmed({ kind: 'url', outcome: 'expired' });
    }
  }

  #roundEnded({ settings }: Regime, round: Round, read: ReadTree, end: RoundEnd, startedAt: number): void {
    const { clock, events } = this.#parts;
    const outcome = outcomeOf(end, read, round.counts.failed ?? 0);
    this.#tell(read.urls.size, outcome === 'superseded' ? 0 : round.remaining);
    events.warmed({ kind: 'round', outcome, endedWall: clock.wall() });
    const { changed, notModified, failed } = read;
    events.notice('info', 'warm-round', summaryWords(round.counts, read, outcome), {
      outcome,
      sitemaps: { read: changed, not_modified: notModified, failed },
      urls: { listed: read.urls.size, left: round.remaining, ...round.counts },
      seconds: Math.round((clock.now() - startedAt) / 100) / 10,
    });
    if (this.#round !== round) return;
    this.#progress?.end();
    this.#failedRounds = end === 'given-up' ? this.#failedRounds + 1 : 0;
    if (end === 'given-up' && this.#regime?.settings === settings && this.#reading === undefined)
      this.#schedule(Math.min(this.#pauseMs(settings), this.#backoffMs(this.#failedRounds)));
  }

  #count(outcome: WarmOutcome): void {
    this.#parts.events.warmed({ kind: 'url', outcome });
    this.#tell(this.#round?.size ?? 0, this.#round?.remaining ?? 0);
  }

  #tell(listed: number, remaining: number): void {
    this.#parts.events.warmed({ kind: 'standing', listed, remaining });
  }

  #schedule(delayMs: number): void {
    this.#timer?.cancel();
    this.#timer = this.#parts.clock.after(delayMs, () => void this.warmNow());
  }

  /** Until the next reading: sooner where this one failed for a passing reason, but not before the origin wants it. */
  #pauseMs({ everyMs, jitter }: WarmSettings, read?: ReadTree): number {
    const { clock, random } = this.#parts;
    const regular = everyMs * (1 + jitter * (2 * random() - 1));
    if (read === undefined || this.#failedReadings === 0) return regular;
    return Math.min(regular, Math.max(this.#backoffMs(this.#failedReadings), read.notBefore - clock.now()));
  }

  #backoffMs(failures: number): number {
    return WARM_RETRY_FIRST_MS * 2 ** Math.min(failures - 1, 20) * (0.75 + this.#parts.random() / 2);
  }

  #progressText(): string {
    const round = this.#round;
    return this.#reading !== undefined || round === undefined
      ? 'warming: reading sitemaps'
      : progressWords(round.size, round.remaining, round.counts);
  }
}

/** The URLs of two lists; of one that is in both what the later one says. */
async function both(
  earlier: ReadonlyMap<string, Wanted>,
  later: ReadonlyMap<string, Wanted>,
): Promise<ReadonlyMap<string, Wanted>> {
  const merged = new Map<string, Wanted>();
  for (const list of [earlier, later]) {
    for (const [url, wanted] of list) {
      if (merged.size % WARM_MERGE_COUNT === 0) await new Promise<void>((resolve) => setImmediate(resolve));
      merged.set(url, wanted);
    }
  }
  return merged;
}

function hostOf(url: string): string {
  const from = url.indexOf('://') + 3;
  return url.slice(from, url.indexOf('/', from));
}

function outcomeOf(end: RoundEnd, read: ReadTree, failedPages: number): WarmRound {
  if (end === 'stopped') return 'superseded';
  if (read.urls.size === 0 && read.failed > 0) return 'failed';
  return end === 'done' && read.failed + failedPages === 0 ? 'complete' : 'partial';
}
