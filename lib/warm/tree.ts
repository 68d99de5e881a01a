/**
 * All sitemaps of a configuration: those that it names, and what index files lead to, each read once in a round and in
 * turn. What a sitemap said last holds until it says something else; so a fault at the origin takes nothing away.
 */
import { MAX_SITEMAP_DEPTH, MAX_SITEMAPS, WARM_MERGE_COUNT } from '../base/warm-limits.js';
import { type Lastmod, Refusal } from './contract.js';
import { type DocumentParts, SitemapDocument } from './document.js';
import type { ReadSitemap } from './reader.js';

/** A URL with what all sitemaps say of it. */
export interface Wanted {
  readonly lastmod: Lastmod | undefined;
  /** A feed alone lists it, so that it leaves the list although it is still there. */
  readonly isWindow: boolean;
}

export interface ReadTree {
  readonly urls: ReadonlyMap<string, Wanted>;
  /** What is listed nowhere in it is gone, as far as one can know. */
  readonly isWhole: boolean;
  /** Documents read anew, unchanged, and not to be had now. */
  readonly changed: number;
  readonly notModified: number;
  readonly failed: number;
  /** After how long the origin wants to be asked again, on Clock.now's scale; 0: it did not say. */
  readonly notBefore: number;
  /** Something failed in a way that passes. */
  readonly isWaiting: boolean;
}

export interface TreeParts extends DocumentParts {
  /** Told of each document that was refused, and of entries that were passed over. */
  refused(url: string, refusal: Refusal): void;
  passedOver(url: string, read: ReadSitemap): void;
}

/** Adds the URLs of one more list to what is wanted, the later of two dates counting. Returns whether all of them fit. */
async function merge(into: Map<string, Wanted>, { listing }: SitemapDocument, maxUrls: number): Promise<boolean> {
  if (listing.kind !== 'urls') return true;
  for (const [at, { url, lastmod }] of listing.entries.entries()) {
    if (at % WARM_MERGE_COUNT === WARM_MERGE_COUNT - 1) await new Promise<void>((resolve) => setImmediate(resolve));
    const known = into.get(url);
    if (known === undefined && into.size >= maxUrls) return false;
    const latest = known?.lastmod === undefined || (lastmod !== undefined && lastmod.until > known.lastmod.until);
    into.set(url, {
      lastmod: latest ? lastmod : known.lastmod,
      isWindow: listing.isWindow && known?.isWindow !== false,
    });
  }
  return true;
}

/** One reading of the tree. */
interface Walk {
  readonly seen: Map<string, SitemapDocument>;
  readonly urls: Map<string, Wanted>;
  changed: number;
  notModified: number;
  failed: number;
  notBefore: number;
  isWaiting: boolean;
  /** There may be more that could not be read. */
  isShort: boolean;
}

export class SitemapTree {
  #documents = new Map<string, SitemapDocument>();
  #running: SitemapDocument | undefined;
  #isStopped = false;

  /** Reads all of it, by condition where something is known. `stop()` ends it early, with what is known by then. */
  async read(roots: readonly string[], maxUrls: number, parts: TreeParts): Promise<ReadTree> {
    this.#isStopped = false;
    const walk: Walk = {
      seen: new Map(),
      urls: new Map(),
      changed: 0,
      notModified: 0,
      failed: 0,
      notBefore: 0,
      isWaiting: false,
      isShort: false,
    };
    for (const url of roots) await this.#visit(url, [], walk, maxUrls, parts);
    // What no index leads to any more is forgotten with all that it listed.
    if (!this.#isStopped) this.#documents = walk.seen;
    const { urls, changed, notModified, failed, notBefore, isWaiting } = walk;
    return { urls, isWhole: !walk.isShort && !this.#isStopped, changed, notModified, failed, notBefore, isWaiting };
  }

  async #visit(url: string, above: readonly string[], walk: Walk, maxUrls: number, parts: TreeParts): Promise<void> {
    if (this.#isStopped) return;
    const refuse = (refusal: Refusal): void => {
      walk.failed++;
      parts.refused(url, refusal);
    };
    if (above.includes(url)) return refuse(new Refusal('cyclic', [...above, url].join(' -> ')));
    if (walk.seen.has(url)) return;
    if (walk.seen.size >= MAX_SITEMAPS) {
      walk.isShort = true;
      return refuse(new Refusal('too-many-sitemaps', `more than ${MAX_SITEMAPS}`));
    }
    const document = this.#documents.get(url) ?? new SitemapDocument(url);
    walk.seen.set(url, document);
    this.#running = document;
    const asked = await document.ask(parts, maxUrls - walk.urls.size);
    this.#running = undefined;
    if (this.#isStopped) return;
    if (asked.kind === 'read') {
      walk.changed++;
      parts.passedOver(url, asked.read);
    } else if (asked.kind === 'not-modified') walk.notModified++;
    else if (asked.kind === 'put-off') walk.failed++;
    else refuse(asked.refusal);
    walk.isWaiting ||= document.isWaiting;
    // What one of them lost may have moved to another that cannot be had yet; to one that does not exist it has not.
    walk.isShort ||= !document.wasRead && !(asked.kind === 'refused' && asked.refusal.reason === 'not-found');
    walk.notBefore = Math.max(walk.notBefore, document.notBefore);
    if (!(await merge(walk.urls, document, maxUrls))) {
      walk.isShort = true;
      refuse(new Refusal('too-many-urls', `more than ${maxUrls} in all (warm.max_urls)`));
    }
    if (document.listing.kind !== 'index') return;
    if (above.length + 1 >= MAX_SITEMAP_DEPTH)
      return refuse(new Refusal('too-deep', `an index at depth ${above.length + 1}`));
    for (const below of document.listing.sitemaps) await this.#visit(below, [...above, url], walk, maxUrls, parts);
  }

  /** Another origin is asked from now on. */
  forgetValidators(): void {
    for (const document of this.#documents.values()) document.forget();
  }

  stop(): void {
    this.#isStopped = true;
    this.#running?.abort();
  }
}
