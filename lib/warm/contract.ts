/** What warming needs of the house, and what its parts hand to each other. No socket, no engine: both are behind a port. */
import type { WarmRefusal } from '../observe/warm.js';

/** When a page was last changed, as far as a sitemap tells: at some instant of this span, on the wall clock in ms. */
export interface Lastmod {
  readonly from: number;
  /** Not within the span. */
  readonly until: number;
}

/** One URL of a sitemap. */
export interface Listed {
  /** In the form of a key (policy/key): two spellings of one URL are one. */
  readonly url: string;
  readonly lastmod: Lastmod | undefined;
}

/** What one document lists. A feed shows the newest entries alone: what leaves it is not gone. */
export type Listing =
  | { readonly kind: 'urls'; readonly isWindow: boolean; readonly entries: readonly Listed[] }
  | { readonly kind: 'index'; readonly sitemaps: readonly string[] };

/** What stands for a URL in the store. */
export type Standing =
  | { readonly kind: 'absent' }
  /** Its rule lets requests for it past the cache, or serves what was pushed. */
  | { readonly kind: 'not-ours' }
  /** `askedAt`: when the origin was last asked about the variant that was asked about longest ago, on the wall clock. */
  | { readonly kind: 'stored'; readonly askedAt: number };

export type WarmEnd = 'filled' | 'freshened' | 'replaced' | 'uncacheable' | 'failed' | 'skipped';

/** The store and the origin as warming sees them; each request to the origin is one of many, and none of a visitor waits for it. */
export interface Warmer {
  look(url: string): Standing;
  /** Whether something may be added without pushing out what visitors chose. */
  readonly hasRoom: boolean;
  /** Asks the origin for what is not stored. Never rejects. */
  fill(url: string): Promise<WarmEnd>;
  /** Asks the origin by condition about all that is stored for the URL. Never rejects. */
  refresh(url: string): Promise<WarmEnd>;
  /** What was asked for this URL and has not begun is not wanted any more: it ends as `skipped`. */
  withdraw(url: string): void;
  /** Makes what is stored for the URL stale as of now. Returns how many responses that were. */
  expire(url: string): Promise<number>;
}

/** What a stored document was validated by when it was last received. */
export interface Validators {
  readonly etag: string | undefined;
  readonly lastModified: string | undefined;
}

/** The head of an answer to the request for a sitemap, and its body as it comes. */
export interface SitemapAnswer {
  readonly status: number;
  /** The value of a response field, lower case name. */
  field(name: string): string | undefined;
  /** Rejects where the answer breaks off, or was given up. To be iterated once. */
  readonly body: AsyncIterable<Buffer>;
}

/** The way to the origin. Rejects with an OriginError where there is no answer, or `signal` came first. */
export interface SitemapSource {
  ask(url: string, validators: Validators, signal: AbortSignal): Promise<SitemapAnswer>;
}

export interface WarmSettings {
  readonly sitemaps: readonly string[];
  /** In lower case, those of the sitemaps included; with a port where it is not the default one. */
  readonly hosts: ReadonlySet<string>;
  /** By which scheme clients come; `listed`: as each URL says. */
  readonly scheme: 'listed' | 'http' | 'https';
  readonly everyMs: number;
  /** Share of it by which each pause is moved at random, up or down. */
  readonly jitter: number;
  /** Requests to the origin in a second. */
  readonly rate: number;
  /** Such requests at once. */
  readonly concurrency: number;
  readonly vanished: 'keep' | 'expire';
  readonly maxUrls: number;
  /** Whether there is a tier below memory on this machine. */
  readonly hasDisk: boolean;
  /** Names and values of the fields of requests that fill, in turn. */
  readonly fields: readonly string[];
}

/** A sitemap, or a part of one, that is not taken: why, and which circumstance a person should know. */
export class Refusal extends Error {
  override readonly name = 'Refusal';
  readonly reason: WarmRefusal;
  /** After how long asking again makes sense, where the origin said so. */
  readonly retryAfterMs: number | undefined;

  constructor(
    reason: WarmRefusal,
    detail: string,
    options: { cause?: unknown; retryAfterMs?: number | undefined } = {},
  ) {
    super(detail, options.cause === undefined ? undefined : { cause: options.cause });
    this.reason = reason;
    this.retryAfterMs = options.retryAfterMs;
  }
}
