/**
 * One sitemap as it is known: what it last listed, by which validators that can be asked about, and how the last attempt
 * went. Asked again it is asked by condition; what fails, in whatever way, leaves what was known as it is.
 */
import type { Clock, Timer } from '../base/clock.js';
import { OriginError } from '../base/errors.js';
import { MAX_SITEMAP_REDIRECTS, SITEMAP_FETCH_MAX_MS, WARM_RETRY_AFTER_MAX_MS } from '../base/warm-limits.js';
import { parseHttpDate } from '../http/dates.js';
import type { WarmRefusal } from '../observe/warm.js';
import { type Listing, Refusal, type SitemapAnswer, type SitemapSource, type Validators } from './contract.js';
import { type ReadSitemap, readSitemap } from './reader.js';
import { urlAsKey } from './shapes.js';
import { unpacked } from './unpack.js';

const NO_VALIDATORS: Validators = { etag: undefined, lastModified: undefined };
const NOTHING: Listing = { kind: 'urls', isWindow: false, entries: [] };

export interface DocumentParts {
  readonly clock: Clock;
  readonly source: SitemapSource;
  isOurs(url: string): boolean;
  /** A page as visitors ask for it. */
  asVisited(url: string): string;
}

/** How asking for a document went. */
export type Asked =
  | { readonly kind: 'not-modified' }
  | { readonly kind: 'read'; readonly read: ReadSitemap }
  /** The origin said when to come back, and it is not time yet. */
  | { readonly kind: 'put-off' }
  | { readonly kind: 'refused'; readonly refusal: Refusal };

/** Reasons that may be others in a moment. */
const PASSING: ReadonlySet<WarmRefusal> = new Set([
  'origin-error',
  'no-answer',
  'too-slow',
  'broken-gzip',
  'broken-xml',
  'empty',
]);

export class SitemapDocument {
  readonly url: string;
  /** What it listed when it was last read whole. */
  listing: Listing = NOTHING;
  wasRead = false;
  #validators = NO_VALIDATORS;
  /** Where it was in the end, after redirects: what the validators are of. */
  #foundAt: string;
  #notBefore = 0;
  #lastRefusal: WarmRefusal | undefined;
  #running: AbortController | undefined;

  constructor(url: string) {
    this.url = url;
    this.#foundAt = url;
  }

  /** Whether the last attempt failed in a way that passes. */
  get isWaiting(): boolean {
    return this.#lastRefusal !== undefined && PASSING.has(this.#lastRefusal);
  }

  /** When the origin wants to be asked again, on Clock.now's scale; 0: it did not say. */
  get notBefore(): number {
    return this.#notBefore;
  }

  /** What it listed stays, but it is asked for whole the next time: another origin knows nothing of the validators. */
  forget(): void {
    this.#validators = NO_VALIDATORS;
    this.#notBefore = 0;
  }

  /** Gives up what is under way. */
  abort(): void {
    this.#running?.abort();
  }

  /** Asks for it, unless the origin said to come back later. `maxUrls`: what it may list. Never rejects. */
  async ask(parts: DocumentParts, maxUrls: number): Promise<Asked> {
    if (parts.clock.now() < this.#notBefore) return { kind: 'put-off' };
    const running = new AbortController();
    this.#running = running;
    let isLate = false;
    const deadline: Timer = parts.clock.after(SITEMAP_FETCH_MAX_MS, () => {
      isLate = true;
      running.abort();
    });
    try {
      const read = await this.#fetch(parts, maxUrls, running.signal);
      this.#lastRefusal = undefined;
      this.#notBefore = 0;
      return read === undefined ? { kind: 'not-modified' } : { kind: 'read', read };
    } catch (error) {
      const refusal = isLate
        ? new Refusal('too-slow', `it was not here after ${SITEMAP_FETCH_MAX_MS / 1000} s`, { cause: error })
        : asRefusal(error);
      const { retryAfterMs = 0 } = refusal;
      this.#notBefore = retryAfterMs === 0 ? 0 : parts.clock.now() + Math.min(retryAfterMs, WARM_RETRY_AFTER_MAX_MS);
      this.#lastRefusal = refusal.reason;
      return { kind: 'refused', refusal };
    } finally {
      deadline.cancel();
      // The connection is closed where an answer was not read to the end.
      running.abort();
      this.#running = undefined;
    }
  }

  /** Undefined: not modified. */
  async #fetch(parts: DocumentParts, maxUrls: number, signal: AbortSignal): Promise<ReadSitemap | undefined> {
    let url = this.url;
    for (let hops = 0; ; hops++) {
      // Validators are of the place that gave them.
      const validators = this.wasRead && url === this.#foundAt ? this.#validators : NO_VALIDATORS;
      const answer = await parts.source.ask(url, validators, signal);
      if (answer.status === 304) {
        if (validators === NO_VALIDATORS) throw new Refusal('unexpected-304', url);
        return undefined;
      }
      const next = redirectOf(answer, url);
      if (next === undefined) {
        const read = await this.#read(answer, url, parts, maxUrls);
        this.#foundAt = url;
        return read;
      }
      if (hops >= MAX_SITEMAP_REDIRECTS) throw new Refusal('redirects', `more than ${MAX_SITEMAP_REDIRECTS} of them`);
      if (!parts.isOurs(next)) throw new Refusal('foreign-host', `it redirects to ${next}`);
      url = next;
    }
  }

  async #read(answer: SitemapAnswer, base: string, parts: DocumentParts, maxUrls: number): Promise<ReadSitemap> {
    judgeStatus(answer, parts.clock.wall());
    const bytes = unpacked(answer.body, answer.field('content-encoding'));
    const contentType = answer.field('content-type');
    const { isOurs, asVisited } = parts;
    const read = await readSitemap(bytes, { base, contentType, maxUrls, isOurs, asVisited });
    if (isEmpty(read.listing) && !isEmpty(this.listing)) throw new Refusal('empty', 'it listed something before');
    this.listing = read.listing;
    this.wasRead = true;
    this.#validators = { etag: answer.field('etag'), lastModified: answer.field('last-modified') };
    return read;
  }
}

function isEmpty(listing: Listing): boolean {
  return listing.kind === 'index' ? listing.sitemaps.length === 0 : listing.entries.length === 0;
}

/** Where it is now (RFC 9110 §15.4); undefined where it is here. */
function redirectOf(answer: SitemapAnswer, base: string): string | undefined {
  if (![301, 302, 303, 307, 308].includes(answer.status)) return undefined;
  const location = answer.field('location');
  const next = location === undefined ? undefined : urlAsKey(location, base);
  if (next === undefined) throw new Refusal('redirects', `${answer.status} without a Location that is a URL`);
  return next;
}

function judgeStatus(answer: SitemapAnswer, nowWall: number): void {
  const { status } = answer;
  if (status === 200) return;
  if (status === 404 || status === 410) throw new Refusal('not-found', `the status is ${status}`);
  const retryAfterMs = retryAfterOf(answer.field('retry-after'), nowWall);
  // RFC 6585 §4: 429 is about the moment, as 503 is.
  const reason = status >= 500 || status === 429 ? 'origin-error' : status >= 400 ? 'client-error' : 'not-a-sitemap';
  throw new Refusal(reason, `the status is ${status}`, { retryAfterMs });
}

/** RFC 9110 §10.2.3. */
function retryAfterOf(value: string | undefined, nowWall: number): number | undefined {
  if (value === undefined) return undefined;
  if (/^\d{1,9}$/.test(value)) return Number(value) * 1000;
  const at = parseHttpDate(value, nowWall);
  return at === undefined ? undefined : Math.max(0, at - nowWall);
}

function asRefusal(error: unknown): Refusal {
  if (error instanceof Refusal) return error;
  if (error instanceof OriginError) {
    const retryAfterMs = error.retryAfterSec === undefined ? undefined : error.retryAfterSec * 1000;
    return new Refusal('no-answer', `${error.code}: ${error.message}`, { cause: error, retryAfterMs });
  }
  throw error;
}
