/** The only door to fast-xml-parser: entries of a sitemap or feed, as the cutter gives them, into texts and attributes. */
import { createRequire } from 'node:module';
import type * as FastXmlParser from 'fast-xml-parser';
import { MAX_XML_DEPTH } from '../base/warm-limits.js';
import { Refusal } from './contract.js';

/** One child of an entry. */
export interface XmlField {
  readonly text: string;
  attribute(name: string): string | undefined;
}

/** One entry: its children by name, prefix included. */
export interface XmlEntry {
  all(name: string): readonly XmlField[];
}

const TEXT = '#text';
const ATTRIBUTE = '@';
const NAMED: Readonly<Partial<Record<string, string>>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };
const REFERENCE = /&(?:#(\d{1,7})|#x([0-9a-fA-F]{1,6})|([A-Za-z]+));/g;
const LAST_CODE_POINT = 0x10ffff;

/**
 * The five references that XML itself defines, and those by number. There is no other: a document type, which could define
 * some, is refused before this; one that is used all the same stays as it stands.
 */
function decoded(text: string): string {
  return text.replace(REFERENCE, (whole: string, decimal?: string, hex?: string, name?: string) => {
    if (name !== undefined) return NAMED[name] ?? whole;
    const code = decimal === undefined ? Number.parseInt(hex ?? '', 16) : Number(decimal);
    return code > 0 && code <= LAST_CODE_POINT ? String.fromCodePoint(code) : whole;
  });
}

const require = createRequire(import.meta.url);

const OPTIONS: FastXmlParser.X2jOptions = {
  ignoreAttributes: false,
  attributeNamePrefix: ATTRIBUTE,
  textNodeName: TEXT,
  alwaysCreateTextNode: true,
  // A URL that looks like a number, or a year, must stay what was written.
  parseTagValue: false,
  parseAttributeValue: false,
  // Every element a list, so that one child and several are alike.
  isArray: (_name, _path, _isLeaf, isAttribute) => !isAttribute,
  maxNestedTags: MAX_XML_DEPTH,
  entityDecoder: {
    setExternalEntities: () => {},
    addInputEntities: () => {},
    reset: () => {},
    setXmlVersion: () => {},
    decode: decoded,
  },
};

let parser: FastXmlParser.XMLParser | undefined;

/** Made for the first sitemap: most processes see none. */
function parserOf(): FastXmlParser.XMLParser {
  const { XMLParser } = require('fast-xml-parser') as typeof FastXmlParser;
  return new XMLParser(OPTIONS);
}

type Node = Readonly<Record<string, unknown>>;

function childrenOf(node: unknown, name: string): readonly unknown[] {
  const child =
    typeof node === 'object' && node !== null && Object.hasOwn(node, name) ? (node as Node)[name] : undefined;
  return Array.isArray(child) ? child : [];
}

function fieldOf(node: unknown): XmlField {
  const of = (name: string): string | undefined => {
    const value =
      typeof node === 'object' && node !== null && Object.hasOwn(node, name) ? (node as Node)[name] : undefined;
    return typeof value === 'string' ? value : undefined;
  };
  return { text: typeof node === 'string' ? node : (of(TEXT) ?? ''), attribute: (name) => of(ATTRIBUTE + name) };
}

/** The entries of this name in a piece of well-formed content. Throws a Refusal where it is none. */
export function parseEntries(content: string, name: string): readonly XmlEntry[] {
  let parsed: unknown;
  try {
    parser ??= parserOf();
    parsed = parser.parse(`<entries>${content}</entries>`);
  } catch (cause) {
    throw new Refusal('broken-xml', cause instanceof Error ? cause.message : String(cause), { cause });
  }
  const [top] = childrenOf(parsed, 'entries');
  return childrenOf(top, name).map((entry) => ({ all: (field) => childrenOf(entry, field).map(fieldOf) }));
}
