/** Sitemaps from a table, read without a socket: documents as an origin would answer, and a store that is a map. */
import { gzipSync } from 'node:zlib';
import { OriginError } from '../../lib/base/errors.js';
import { keyOfUrl } from '../../lib/policy/key.js';
import type { Listed, SitemapAnswer, SitemapSource, Validators } from '../../lib/warm/contract.js';
import { type ReadOptions, type ReadSitemap, readSitemap } from '../../lib/warm/reader.js';

export const SITE = 'http://a.example';
export const MAP = `${SITE}/sitemap.xml`;

export interface Served {
  readonly status?: number;
  readonly fields?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
  /** The bytes end with this failure. */
  readonly breaks?: OriginError;
  /** Sent in pieces of so many bytes. */
  readonly pieceBytes?: number;
}

type Answering = (validators: Validators) => Served | Promise<Served>;

/** An origin that has these documents; what it has not is a 404. */
export class PlayedSource implements SitemapSource {
  readonly documents = new Map<string, Served | Answering | OriginError>();
  readonly asked: string[] = [];
  readonly validators: Validators[] = [];

  async ask(url: string, validators: Validators, signal: AbortSignal): Promise<SitemapAnswer> {
    this.asked.push(url);
    this.validators.push(validators);
    const document = this.documents.get(url) ?? { status: 404, body: 'none' };
    if (document instanceof OriginError) throw document;
    const gone = new Promise<never>((_, reject) => {
      signal.addEventListener('abort', () => reject(new OriginError('origin-aborted', 'given up')), { once: true });
    });
    gone.catch(() => {});
    const served = typeof document === 'function' ? await Promise.race([document(validators), gone]) : document;
    return {
      status: served.status ?? 200,
      field: (name) => served.fields?.[name],
      body: pieces(served),
    };
  }
}

async function* pieces({ body = '', breaks, pieceBytes = 64 * 1024 }: Served): AsyncGenerator<Buffer> {
  const bytes = Buffer.from(body);
  for (let at = 0; at < bytes.length; at += pieceBytes) yield bytes.subarray(at, at + pieceBytes);
  if (breaks !== undefined) throw breaks;
}

export const URLSET = '<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">';

export function urlset(...entries: readonly (string | readonly [string, string])[]): string {
  const urls = entries.map((entry) => {
    const [path, lastmod] = typeof entry === 'string' ? [entry] : entry;
    return `<url><loc>${SITE}${path}</loc>${lastmod === undefined ? '' : `<lastmod>${lastmod}</lastmod>`}</url>`;
  });
  return `<?xml version="1.0" encoding="UTF-8"?>\n${URLSET}${urls.join('\n')}</urlset>\n`;
}

export function index(...paths: readonly string[]): string {
  const maps = paths.map((path) => `<sitemap><loc>${SITE}${path}</loc></sitemap>`);
  return `<sitemapindex xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">${maps.join('')}</sitemapindex>`;
}

export function gzipped(text: string): Buffer {
  return gzipSync(Buffer.from(text));
}

/** Reads these bytes as one document. */
export function read(
  body: string | Buffer,
  options: Partial<ReadOptions> & { readonly pieceBytes?: number } = {},
): Promise<ReadSitemap> {
  const { pieceBytes, ...own } = options;
  return readSitemap(pieces({ body, ...(pieceBytes === undefined ? {} : { pieceBytes }) }), {
    base: MAP,
    contentType: undefined,
    maxUrls: 50_000,
    isOurs: (url) => url.startsWith(`${SITE}/`) || url.startsWith('https://a.example/'),
    asVisited: (url) => url,
    ...own,
  });
}

/** Its URLs, without the site. */
export function pathsOf({ listing }: ReadSitemap): string[] {
  const urls = listing.kind === 'index' ? listing.sitemaps : listing.entries.map(({ url }) => url);
  return urls.map((url) => url.replace(SITE, ''));
}

export function entriesOf({ listing }: ReadSitemap): readonly Listed[] {
  return listing.kind === 'urls' ? listing.entries : [];
}

export function keyed(path: string): string {
  return keyOfUrl(`${SITE}${path}`) ?? '';
}
