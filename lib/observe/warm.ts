/** What warming tells: how each URL ended, why a sitemap was refused, how a round went; and the counters of it. */
import { counter, type Family, single } from './families.js';
import { ClosedSet, Tally } from './tallies.js';

/** Why a sitemap, or something in one, was refused: the code of metrics and log, and the sentence about it. */
export const WARM_REFUSALS = {
  'foreign-host': 'It names a host that is not among those to be warmed (warm.hosts).',
  'bad-url': 'It names something that is no absolute http or https URL, or a longer one than the protocol allows.',
  'not-found': 'The origin has no such sitemap.',
  'client-error': 'The origin refused the request for the sitemap.',
  'origin-error': 'The origin answered with an error.',
  'no-answer': 'The origin gave no complete answer.',
  'too-slow': 'The sitemap took too long to arrive.',
  'unexpected-304': 'The origin says "not modified" of something that it was not asked about.',
  redirects: 'It redirects too often, or to nowhere.',
  'content-coding': 'Its Content-Encoding is not one that was asked for.',
  'broken-gzip': 'What is compressed cannot be unpacked: it is cut off or damaged.',
  'too-large': 'It is larger than 50 MB unpacked, the most that the protocol allows.',
  'too-many-urls': 'It lists more URLs than the protocol or warm.max_urls allow.',
  'too-many-sitemaps': 'There are more sitemaps in all than are read.',
  'too-deep': 'Index files lie too deep within each other.',
  cyclic: 'An index file leads back to itself.',
  charset: 'It is not in the character encoding that it claims.',
  doctype: 'It has a document type declaration, by which entities could be defined: no sitemap needs one.',
  'broken-xml': 'It is not well-formed XML.',
  'entry-too-large': 'One entry of it is larger than any URL and date could make it.',
  'not-a-sitemap': 'It is neither a sitemap, nor a sitemap index, nor RSS 2.0 or Atom, nor a list of URLs.',
  empty: 'It lists nothing any more, which is more often a fault than meant.',
} as const;

export type WarmRefusal = keyof typeof WARM_REFUSALS;

/**
 * How one URL of a round ended. `filled`: it was not stored, and is now. `freshened`: by a 304. `replaced`: by a 200.
 * `current`: nothing had to be done. `expired`: it is listed no longer. `uncacheable`: its answer may not be stored, or its
 * rule lets it past. `failed`: the origin failed. `no-room`: memory is nearly full, and what visitors chose stays in it.
 * `skipped`: too much is under way, or it left the store meanwhile.
 */
export const WARM_OUTCOMES = [
  'filled',
  'freshened',
  'replaced',
  'current',
  'expired',
  'uncacheable',
  'failed',
  'no-room',
  'skipped',
] as const;
export type WarmOutcome = (typeof WARM_OUTCOMES)[number];

/** `partial`: something was refused or put off. `failed`: nothing could be read. `superseded`: the next one took its work over. */
export const WARM_ROUNDS = ['complete', 'partial', 'failed', 'superseded'] as const;
export type WarmRound = (typeof WARM_ROUNDS)[number];

export type WarmEvent =
  | { readonly kind: 'url'; readonly outcome: WarmOutcome }
  | { readonly kind: 'refused'; readonly reason: WarmRefusal; readonly count: number }
  | { readonly kind: 'round'; readonly outcome: WarmRound; readonly endedWall: number }
  | { readonly kind: 'standing'; readonly listed: number; readonly remaining: number };

/** Counts what warming did. */
export class WarmSide {
  readonly #round = new ClosedSet('outcome', WARM_ROUNDS);
  readonly #outcome = new ClosedSet('outcome', WARM_OUTCOMES);
  readonly #reason = new ClosedSet('reason', Object.keys(WARM_REFUSALS));
  readonly #rounds = new Tally([this.#round], true);
  readonly #urls = new Tally([this.#outcome], true);
  readonly #refused = new Tally([this.#reason], true);
  #listed = 0;
  #remaining = 0;
  #lastSuccessWall: number | undefined;

  warmed(event: WarmEvent): void {
    switch (event.kind) {
      case 'url':
        this.#urls.add(this.#outcome.indexOf(event.outcome), 0, 1);
        break;
      case 'refused':
        this.#refused.add(this.#reason.indexOf(event.reason), 0, event.count);
        break;
      case 'round':
        this.#rounds.add(this.#round.indexOf(event.outcome), 0, 1);
        if (event.outcome === 'complete') this.#lastSuccessWall = event.endedWall;
        break;
      case 'standing':
        this.#listed = event.listed;
        this.#remaining = event.remaining;
        break;
    }
  }

  families(): Family[] {
    return [
      counter('patina_warm_rounds_total', 'Rounds of warming, by how they went.', this.#rounds),
      counter('patina_warm_urls_total', 'URLs that rounds of warming went through, by how each ended.', this.#urls),
      counter('patina_warm_refused_total', 'Sitemaps, and entries of sitemaps, that were refused.', this.#refused),
      single('patina_warm_listed', 'gauge', 'URLs that the sitemaps list now.', () => this.#listed),
      single('patina_warm_remaining', 'gauge', 'URLs that the present round has before it.', () => this.#remaining),
      single('patina_warm_last_success_timestamp_seconds', 'gauge', 'When the last complete round ended.', () =>
        this.#lastSuccessWall === undefined ? undefined : this.#lastSuccessWall / 1000,
      ),
    ];
  }
}
