/** Reads one sitemap as its bytes come, whatever its form, in steps between which the event loop turns. */
import { MAX_SITEMAP_URL_LENGTH, MAX_SITEMAP_URLS, SITEMAP_STEP_BYTES } from '../base/warm-limits.js';
import { type Listed, type Listing, Refusal } from './contract.js';
import { type Shaped, shapeOf, urlAsKey } from './shapes.js';
import { parseEntries, type XmlEntry } from './xml.js';
import { XmlCutter } from './xml-cutter.js';

/** Bytes from which its encoding, and whether it is XML, can be told. */
const HEAD_BYTES = 256;
const NOT_SPACE = /[^\s\ufeff]/;

export interface ReadOptions {
  /** Where it was found, for what is written relative to that. */
  readonly base: string;
  readonly contentType: string | undefined;
  /** Most URLs that it may list. */
  readonly maxUrls: number;
  /** Whether a URL may be warmed at all. */
  isOurs(url: string): boolean;
  /** A page as visitors ask for it. */
  asVisited(url: string): string;
}

export interface ReadSitemap {
  readonly listing: Listing;
  /** Entries that were passed over: not a URL, of a host that is not ours. */
  readonly badUrls: number;
  readonly foreign: number;
  /** One of the foreign ones. */
  readonly foreignExample: string | undefined;
}

/** What takes the text of a document. */
interface Form {
  write(text: string): void;
  end(): void;
}

/** Throws a Refusal, or what `bytes` throws. */
export async function readSitemap(bytes: AsyncIterable<Buffer>, options: ReadOptions): Promise<ReadSitemap> {
  const reading = new Reading(options);
  for await (const chunk of bytes) {
    for (let from = 0; from < chunk.length; from += SITEMAP_STEP_BYTES) {
      reading.write(chunk.subarray(from, from + SITEMAP_STEP_BYTES));
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
  }
  return reading.end();
}

class Reading {
  readonly #options: ReadOptions;
  #head: Buffer = Buffer.alloc(0);
  #decoder: InstanceType<typeof TextDecoder> | undefined;
  #form: Form | undefined;
  /** Text before it is known what it is. */
  #early = '';
  #shape: Shaped | undefined;
  readonly #entries: Listed[] = [];
  readonly #sitemaps: string[] = [];
  #badUrls = 0;
  #foreign = 0;
  #foreignExample: string | undefined;

  constructor(options: ReadOptions) {
    this.#options = options;
  }

  write(chunk: Buffer): void {
    if (this.#decoder === undefined) {
      this.#head = this.#head.length === 0 ? chunk : Buffer.concat([this.#head, chunk]);
      if (this.#head.length >= HEAD_BYTES) this.#begin();
    } else this.#take(this.#decode(this.#decoder, chunk));
  }

  end(): ReadSitemap {
    const decoder = this.#decoder ?? this.#begin();
    this.#take(this.#decode(decoder));
    if (this.#form === undefined) throw new Refusal('empty', 'there is nothing in it');
    this.#form.end();
    return {
      listing:
        this.#shape?.kind === 'index'
          ? { kind: 'index', sitemaps: this.#sitemaps }
          : { kind: 'urls', isWindow: this.#shape?.isWindow ?? false, entries: this.#entries },
      badUrls: this.#badUrls,
      foreign: this.#foreign,
      foreignExample: this.#foreignExample,
    };
  }

  #begin(): InstanceType<typeof TextDecoder> {
    const label = encodingOf(this.#head, this.#options.contentType);
    try {
      this.#decoder = new TextDecoder(label, { fatal: true });
    } catch (cause) {
      throw new Refusal('charset', `${label} is not known`, { cause });
    }
    this.#take(this.#decode(this.#decoder, this.#head));
    this.#head = Buffer.alloc(0);
    return this.#decoder;
  }

  #decode(decoder: InstanceType<typeof TextDecoder>, chunk?: Buffer): string {
    try {
      return chunk === undefined ? decoder.decode() : decoder.decode(chunk, { stream: true });
    } catch (cause) {
      throw new Refusal('charset', `it is not ${decoder.encoding}`, { cause });
    }
  }

  #take(text: string): void {
    let piece = text;
    if (this.#form === undefined) {
      piece = this.#early + text;
      const first = NOT_SPACE.exec(piece)?.[0];
      // Space alone tells nothing, and is of no use.
      this.#early = '';
      if (first === undefined) return;
      this.#form = first === '<' ? this.#xml() : this.#lines();
    }
    this.#form.write(piece);
  }

  /** XML: entries are cut out, and parsed a step's worth at a time. */
  #xml(): Form {
    let batch = '';
    const cutter = new XmlCutter(
      (root) => {
        this.#shape = shapeOf(root);
        return this.#shape.layout;
      },
      (entry) => {
        batch += entry;
      },
    );
    const flush = (): void => {
      const shape = this.#shape;
      if (shape === undefined || batch === '') return;
      const content = batch;
      batch = '';
      for (const entry of parseEntries(content, shape.entryName)) this.#entry(shape, entry);
    };
    return {
      write: (text) => {
        cutter.write(text);
        flush();
      },
      end: () => {
        cutter.end();
        flush();
      },
    };
  }

  #entry(shape: Shaped, entry: XmlEntry): void {
    const url = this.#url(shape.urlOf(entry) ?? '');
    if (url === undefined) {
      this.#count();
      return;
    }
    if (shape.kind === 'index') this.#sitemaps.push(url);
    else this.#entries.push({ url: this.#options.asVisited(url), lastmod: shape.lastmodOf(entry) });
    this.#count();
  }

  /** One URL on each line (sitemap protocol, "Text file"). */
  #lines(): Form {
    let rest = '';
    let isFirst = true;
    const line = (written: string): void => {
      if (written.trim() === '') return;
      if (isFirst && !/^\s*https?:\/\//i.test(written))
        throw new Refusal('not-a-sitemap', 'it does not begin with a URL');
      isFirst = false;
      const url = /^\s*https?:\/\//i.test(written) ? this.#url(written) : this.#url('');
      if (url !== undefined) this.#entries.push({ url: this.#options.asVisited(url), lastmod: undefined });
      this.#count();
    };
    return {
      write: (text) => {
        const lines = (rest + text).split(/\r\n|\n|\r/);
        rest = lines.pop() ?? '';
        for (const one of lines) line(one);
        if (rest.length > 2 * MAX_SITEMAP_URL_LENGTH)
          throw new Refusal('not-a-sitemap', 'it has lines that are no URLs');
      },
      end: () => line(rest),
    };
  }

  /** A URL that may be warmed; one that may not is counted. */
  #url(written: string): string | undefined {
    const url = urlAsKey(written, this.#options.base);
    if (url === undefined) this.#badUrls++;
    else if (!this.#options.isOurs(url)) {
      this.#foreign++;
      this.#foreignExample ??= url;
    } else return url;
    return undefined;
  }

  #count(): void {
    const passedOver = this.#badUrls + this.#foreign;
    if (this.#entries.length + this.#sitemaps.length + passedOver > MAX_SITEMAP_URLS)
      throw new Refusal('too-many-urls', `more than ${MAX_SITEMAP_URLS} in one file`);
    if (this.#entries.length > this.#options.maxUrls)
      throw new Refusal('too-many-urls', 'more than warm.max_urls allows in all');
  }
}

/** RFC 7303 §3: a byte order mark counts first, then the charset of the answer, then the declaration, then UTF-8. */
function encodingOf(head: Buffer, contentType: string | undefined): string {
  if (head[0] === 0xff && head[1] === 0xfe) return 'utf-16le';
  if (head[0] === 0xfe && head[1] === 0xff) return 'utf-16be';
  if (head[0] === 0xef && head[1] === 0xbb && head[2] === 0xbf) return 'utf-8';
  const [, charset] = /;\s*charset\s*=\s*"?([\w.:-]+)/i.exec(contentType ?? '') ?? [];
  if (charset !== undefined) return charset;
  const [, declared] = /^\s*<\?xml[^>]*\sencoding\s*=\s*["']([\w.:-]+)["']/.exec(head.toString('latin1')) ?? [];
  return declared ?? 'utf-8';
}
