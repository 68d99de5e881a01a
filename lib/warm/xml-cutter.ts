/**
 * Cuts an XML document that comes in pieces into its entries, each reduced to the children that are wanted, so that
 * neither the document nor the tree of it is ever held whole, and no turn of the event loop parses more than a piece.
 * It knows of XML what a cut must know (XML 1.0 §2.1, §2.4-2.8, §3.1): where markup begins and ends, and that tags match.
 * A document type declaration is refused: with none of them there are no entities to blow up and no files to read.
 */
import { MAX_SITEMAP_ENTRY_BYTES, MAX_XML_DEPTH, MAX_XML_TOKEN_BYTES } from '../base/warm-limits.js';
import { Refusal } from './contract.js';

/** Where the entries of a document are, and what of them is wanted. Names have their prefixes. */
export interface Layout {
  /** Names of the elements from below the root down to an entry. */
  readonly path: readonly string[];
  readonly fields: ReadonlySet<string>;
}

/** A document that is a page for people: no sitemap, rather than a dangerous one. */
const HTML_DOCTYPE = /^<!doctype\s+html/i;
const NAME = /^[A-Za-z_:\u0080-\uffff][\w:.\-\u0080-\uffff]*$/;
const NOT_SPACE = /[^\s\ufeff]/;

export class XmlCutter {
  readonly #layoutOf: (root: string) => Layout;
  /** An entry with its wanted children, as XML. */
  readonly #found: (entry: string) => void;
  #layout: Layout | undefined;
  #text = '';
  /** Up to where it has been read. */
  #at = 0;
  /** Where the wanted child that is open begins; -1: none is. */
  #fieldFrom = -1;
  #entry: string[] | undefined;
  #entryLength = 0;
  readonly #open: string[] = [];
  /** How many of the open elements are those of the path to an entry, the root left out. */
  #matched = 0;
  #isClosed = false;

  /** `layoutOf` is asked once, with the name of the root; it throws a Refusal where that is none of its own. */
  constructor(layoutOf: (root: string) => Layout, found: (entry: string) => void) {
    this.#layoutOf = layoutOf;
    this.#found = found;
  }

  /** Takes a piece. Throws a Refusal. */
  write(piece: string): void {
    this.#text += piece;
    while (this.#step()) {
      // Each step is one piece of markup with the text before it.
    }
    this.#forget();
  }

  /** The document is here. Throws a Refusal where it is not complete. */
  end(): void {
    if (!this.#isClosed || this.#at < this.#text.length) throw new Refusal('broken-xml', 'it ends in the middle');
  }

  /** Goes on to the end of the next piece of markup; false where that is not here yet. */
  #step(): boolean {
    const from = this.#text.indexOf('<', this.#at);
    const textEnd = from < 0 ? this.#text.length : from;
    if (this.#open.length === 0 && NOT_SPACE.test(this.#text.slice(this.#at, textEnd)))
      throw new Refusal('broken-xml', 'there is text outside of its root element');
    this.#at = textEnd;
    if (from < 0) return false;
    const end = this.#endOfMarkup(from);
    if (end === undefined) {
      if (this.#text.length - from > MAX_XML_TOKEN_BYTES)
        throw new Refusal(
          'entry-too-large',
          `one tag, comment or section has more than ${MAX_XML_TOKEN_BYTES} characters`,
        );
      return false;
    }
    const second = this.#text.charCodeAt(from + 1);
    if (second === SLASH) this.#close(from, end);
    else if (second !== BANG && second !== QUESTION) this.#start(from, end);
    this.#at = end;
    return true;
  }

  /** Just behind the markup that begins at `from`; undefined where its end is not here yet. */
  #endOfMarkup(from: number): number | undefined {
    const text = this.#text;
    if (text.startsWith('<!', from)) {
      // Nine characters tell what it is.
      if (text.length - from < 9) return undefined;
      if (text.startsWith('<!--', from)) return behind(text, '-->', from + 4);
      if (text.startsWith('<![CDATA[', from) && this.#open.length > 0) return behind(text, ']]>', from + 9);
      const end = behind(text, '>', from);
      if (end === undefined) return undefined;
      const declaration = text.slice(from, end);
      if (HTML_DOCTYPE.test(declaration)) throw new Refusal('not-a-sitemap', 'it is an HTML page');
      if (/^<!doctype/i.test(declaration)) throw new Refusal('doctype', declaration.slice(0, 60));
      throw new Refusal('broken-xml', `${declaration.slice(0, 20)} is no markup`);
    }
    if (text.startsWith('<?', from)) return behind(text, '?>', from + 2);
    return endOfTag(text, from);
  }

  #start(from: number, end: number): void {
    if (this.#isClosed) throw new Refusal('broken-xml', 'it has a second root element');
    const isEmpty = this.#text.charCodeAt(end - 2) === SLASH;
    const name = nameIn(this.#text, from + 1, isEmpty ? end - 2 : end - 1);
    const depth = this.#open.length;
    if (depth === 0) this.#layout = this.#layoutOf(name);
    if (depth >= MAX_XML_DEPTH) throw new Refusal('broken-xml', `elements lie deeper than ${MAX_XML_DEPTH}`);
    const { path, fields } = this.#layout ?? NO_LAYOUT;
    const isEntry = depth > 0 && this.#matched === depth - 1 && depth === path.length && path[depth - 1] === name;
    if (depth > 0 && this.#matched === depth - 1 && path[depth - 1] === name && !isEmpty) this.#matched++;
    if (isEntry && !isEmpty) this.#entry = [`<${name}>`];
    else if (this.#entry !== undefined && depth === path.length + 1 && fields.has(name)) {
      if (isEmpty) this.#keep(from, end);
      else this.#fieldFrom = from;
    }
    if (isEmpty && depth === 0) this.#isClosed = true;
    if (!isEmpty) this.#open.push(name);
  }

  #close(from: number, end: number): void {
    const name = nameIn(this.#text, from + 2, end - 1);
    if (this.#open.pop() !== name) throw new Refusal('broken-xml', `</${name}> closes what is not open`);
    const depth = this.#open.length;
    const length = this.#layout?.path.length ?? 0;
    if (this.#fieldFrom >= 0 && depth === length + 1) {
      this.#keep(this.#fieldFrom, end);
      this.#fieldFrom = -1;
    }
    if (this.#entry !== undefined && depth === length) {
      this.#found(`${this.#entry.join('')}</${name}>`);
      this.#entry = undefined;
      this.#entryLength = 0;
    }
    this.#matched = Math.min(this.#matched, Math.max(0, depth - 1));
    if (depth === 0) this.#isClosed = true;
  }

  #keep(from: number, end: number): void {
    this.#entryLength += end - from;
    if (this.#entryLength > MAX_SITEMAP_ENTRY_BYTES)
      throw new Refusal('entry-too-large', `one entry has more than ${MAX_SITEMAP_ENTRY_BYTES} characters`);
    this.#entry?.push(this.#text.slice(from, end));
  }

  /** What was read and is not part of a wanted child is let go. */
  #forget(): void {
    const from = this.#fieldFrom >= 0 ? this.#fieldFrom : this.#at;
    if (this.#fieldFrom >= 0 && this.#at - from > MAX_SITEMAP_ENTRY_BYTES)
      throw new Refusal('entry-too-large', `one entry has more than ${MAX_SITEMAP_ENTRY_BYTES} characters`);
    this.#text = this.#text.slice(from);
    this.#at -= from;
    if (this.#fieldFrom >= 0) this.#fieldFrom = 0;
  }
}

const NO_LAYOUT: Layout = { path: [], fields: new Set() };
const [SLASH, BANG, QUESTION] = [0x2f, 0x21, 0x3f];
const [QUOTE, APOSTROPHE, LESS, GREATER] = [0x22, 0x27, 0x3c, 0x3e];

function behind(text: string, mark: string, from: number): number | undefined {
  const at = text.indexOf(mark, from);
  return at < 0 ? undefined : at + mark.length;
}

/** A tag ends at the first `>` that is not in the value of an attribute. */
function endOfTag(text: string, from: number): number | undefined {
  for (let at = from + 1; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === GREATER) return at + 1;
    if (code === LESS) throw new Refusal('broken-xml', 'there is a < within a tag');
    if (code === QUOTE || code === APOSTROPHE) {
      at = text.indexOf(code === QUOTE ? '"' : "'", at + 1);
      if (at < 0) return undefined;
    }
  }
  return undefined;
}

/** The name with which a tag begins. */
function nameIn(text: string, from: number, end: number): string {
  let until = from;
  while (until < end && !isSpace(text.charCodeAt(until))) until++;
  const name = text.slice(from, until);
  if (!NAME.test(name))
    throw new Refusal('broken-xml', `${JSON.stringify(name.slice(0, 40))} is no name of an element`);
  return name;
}

function isSpace(code: number): boolean {
  return code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09;
}
