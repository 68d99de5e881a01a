/**
 * The documents that list URLs: sitemaps and index files of the sitemap protocol 0.9, RSS 2.0, and Atom (RFC 4287).
 * Which child of an entry is its URL, and which say when it was last changed.
 */
import { MAX_SITEMAP_URL_LENGTH } from '../base/warm-limits.js';
import { keyOfUrl } from '../policy/key.js';
import { type Lastmod, Refusal } from './contract.js';
import { readLastmod } from './lastmod.js';
import type { XmlEntry } from './xml.js';
import type { Layout } from './xml-cutter.js';

interface Shape {
  readonly kind: 'urls' | 'index';
  readonly isWindow: boolean;
  readonly path: readonly string[];
  /** The URL as it is written. */
  urlOf(entry: XmlEntry, prefix: string): string | undefined;
  /** Names of what says when. Of several the latest counts. */
  readonly dates: readonly string[];
  /** Children that are read, beside the dates. */
  readonly fields: readonly string[];
}

function firstText(entry: XmlEntry, name: string): string | undefined {
  return entry.all(name)[0]?.text;
}

/** RFC 4287 §4.2.7.2: a link without `rel` is the page itself. */
function atomLink(entry: XmlEntry, prefix: string): string | undefined {
  const pages = entry.all(`${prefix}link`).filter((link) => (link.attribute('rel') ?? 'alternate') === 'alternate');
  const html = pages.find((link) => link.attribute('type')?.includes('html'));
  return (html ?? pages[0])?.attribute('href');
}

/** RSS 2.0: a guid that is not said to be none is the address of the page as well. */
function rssLink(entry: XmlEntry): string | undefined {
  const link = firstText(entry, 'link');
  if (link !== undefined && link.trim() !== '') return link;
  const guid = entry.all('guid')[0];
  return guid?.attribute('isPermaLink') === 'false' ? undefined : guid?.text;
}

const locOf = (entry: XmlEntry, prefix: string): string | undefined => firstText(entry, `${prefix}loc`);

const SHAPES: Readonly<Partial<Record<string, Shape>>> = {
  urlset: { kind: 'urls', isWindow: false, path: ['url'], urlOf: locOf, dates: ['lastmod'], fields: ['loc'] },
  sitemapindex: { kind: 'index', isWindow: false, path: ['sitemap'], urlOf: locOf, dates: [], fields: ['loc'] },
  feed: {
    kind: 'urls',
    isWindow: true,
    path: ['entry'],
    urlOf: atomLink,
    dates: ['updated', 'published'],
    fields: ['link'],
  },
};
/** RSS has no namespace of its own, and borrows dates from those of others. */
const RSS: Shape = {
  kind: 'urls',
  isWindow: true,
  path: ['channel', 'item'],
  urlOf: rssLink,
  dates: ['pubDate', 'dc:date', 'atom:updated'],
  fields: ['link', 'guid'],
};

/** A shape in a document of which the root has been seen. */
export interface Shaped {
  readonly kind: 'urls' | 'index';
  readonly isWindow: boolean;
  readonly layout: Layout;
  /** Name of an entry. */
  readonly entryName: string;
  urlOf(entry: XmlEntry): string | undefined;
  lastmodOf(entry: XmlEntry): Lastmod | undefined;
}

/** The shape of a document whose root has this name. Throws a Refusal where there is none. */
export function shapeOf(root: string): Shaped {
  const colon = root.indexOf(':');
  // The names of the vocabulary have the prefix of its root.
  const prefix = root.slice(0, colon + 1);
  const local = root.slice(colon + 1);
  const shape = root === 'rss' ? RSS : Object.hasOwn(SHAPES, local) ? SHAPES[local] : undefined;
  if (shape === undefined) throw new Refusal('not-a-sitemap', `its root element is ${root}`);
  const path = shape.path.map((name) => prefix + name);
  const dates = shape.dates.map((name) => prefix + name);
  return {
    kind: shape.kind,
    isWindow: shape.isWindow,
    layout: { path, fields: new Set([...shape.fields.map((name) => prefix + name), ...dates]) },
    entryName: path.at(-1) ?? '',
    urlOf: (entry) => shape.urlOf(entry, prefix),
    lastmodOf: (entry) => {
      let latest: Lastmod | undefined;
      for (const name of dates) {
        for (const { text } of entry.all(name)) {
          const read = readLastmod(text);
          if (read !== undefined && (latest === undefined || read.until > latest.until)) latest = read;
        }
      }
      return latest;
    },
  };
}

/**
 * A URL of a sitemap in the form of a key; undefined where it is none. One that is not absolute is of `base`: feeds do
 * that. A copy of its own, for a part of a text keeps the whole text in memory.
 */
export function urlAsKey(written: string, base: string): string | undefined {
  const trimmed = written.trim();
  if (trimmed === '' || trimmed.length > MAX_SITEMAP_URL_LENGTH) return undefined;
  const isAbsolute = /^[a-z][a-z0-9+.-]*:/i.test(trimmed);
  const absolute = isAbsolute ? trimmed : URL.canParse(trimmed, base) ? new URL(trimmed, base).href : '';
  const key = keyOfUrl(absolute);
  return key === undefined ? undefined : Buffer.from(key, 'latin1').toString('latin1');
}
