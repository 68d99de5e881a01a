/** A YAML document with the place of each of its values. The one importer of `yaml`. */
import { createRequire } from 'node:module';
import type * as Yaml from 'yaml';
import { MAX_CONFIG_ALIASES } from '../base/config-limits.js';
import { syntaxSentence } from './yaml-words.js';

const require = createRequire(import.meta.url);

/** Read where there is something for it: a start without a conf file is a tenth shorter for that. */
const yaml = (): typeof Yaml => require('yaml') as typeof Yaml;

/** Counted from 1, as editors do. */
export interface Place {
  readonly line: number;
  readonly column: number;
}

export interface Document {
  readonly value: unknown;
  /** Where the value at `path` is, or the nearest thing above it; with `key`, where that key of it is. */
  placeOf(path: readonly PropertyKey[], key?: string): Place;
}

export interface SyntaxProblem {
  readonly place: Place;
  readonly message: string;
}

/** Parses one YAML document, or tells everything that is wrong with its syntax. */
export function parseYaml(source: string): Document | { readonly problems: readonly SyntaxProblem[] } {
  const { LineCounter, parseDocument } = yaml();
  const lines = new LineCounter();
  const document = parseDocument(source, { lineCounter: lines, prettyErrors: false });
  const at = (offset: number): Place => {
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(line, 1), column: Math.max(col, 1) };
  };
  const wrong = [...document.errors, ...document.warnings];
  if (wrong.length > 0) {
    const problems = wrong.map((fault) => ({
      place: at(faultOffset(document, fault)),
      message: syntaxSentence(fault),
    }));
    // What else the parser finds in a line comes of the first.
    return {
      problems: problems.filter(
        ({ place }, index) => problems.findIndex((one) => one.place.line === place.line) === index,
      ),
    };
  }
  try {
    const value: unknown = document.toJS({ maxAliasCount: MAX_CONFIG_ALIASES });
    return { value, placeOf: (path, key) => at(offsetOf(document.contents, path, key)) };
  } catch (error) {
    // An alias that stands for too much, or for nothing: the library tells no place.
    const { message } = error as Error;
    const alias = strayAlias(document) ?? /[*&]/.exec(source)?.index ?? 0;
    return { problems: [{ place: at(alias), message: syntaxSentence({ code: '', message }) }] };
  }
}

/** Of text whose quote has no end the parser names the end of the file: where it begins is what helps. */
function faultOffset(document: Yaml.Document, { code, pos }: Yaml.YAMLError): number {
  let offset = pos[0];
  if (code !== 'MISSING_CHAR') return offset;
  yaml().visit(document, {
    Scalar: (_, { type, range }) => {
      if ((type === 'QUOTE_DOUBLE' || type === 'QUOTE_SINGLE') && range?.[1] === pos[0]) offset = range[0];
    },
  });
  return offset;
}

/** Where the first alias is that stands for nothing. */
function strayAlias(document: Yaml.Document): number | undefined {
  let offset: number | undefined;
  yaml().visit(document, {
    Alias: (_, alias) => {
      if (alias.resolve(document) !== undefined) return undefined;
      offset = alias.range?.[0];
      return yaml().visit.BREAK;
    },
  });
  return offset;
}

/** What YAML reads as the text that it is: no number, true, false or null, and nothing that means something by its place. */
const WORD = /^(?!(?:true|false|null)$)(?:[a-z/][\w./-]*|\d+(?:[kmg]b|ms))$/i;

/** Parses the value of a flag as YAML reads it: a number, a word, or a list or map in flow style. */
export function parseYamlValue(source: string): { readonly value: unknown } | { readonly problem: string } {
  if (WORD.test(source)) return { value: source };
  const { parse, YAMLError } = yaml();
  try {
    const value: unknown = parse(source, { prettyErrors: false, logLevel: 'error', maxAliasCount: 0 });
    return { value };
  } catch (error) {
    if (error instanceof YAMLError || error instanceof ReferenceError) {
      const code = error instanceof YAMLError ? error.code : '';
      return { problem: syntaxSentence({ code, message: error.message }) };
    }
    throw error;
  }
}

function startOf(node: unknown): number | undefined {
  const { isNode } = yaml();
  return isNode(node) ? node.range?.[0] : undefined;
}

function offsetOf(top: Yaml.Node | null, path: readonly PropertyKey[], key: string | undefined): number {
  const { isMap, isScalar } = yaml();
  let node: unknown = top;
  let offset = startOf(top) ?? 0;
  for (const step of path) {
    node = childOf(node, step);
    offset = startOf(node) ?? offset;
  }
  if (key === undefined || !isMap(node)) return offset;
  const pair = node.items.find((item) => isScalar(item.key) && String(item.key.value) === key);
  return startOf(pair?.key) ?? offset;
}

function childOf(node: unknown, step: PropertyKey): unknown {
  const { isAlias, isNode } = yaml();
  // A place inside an alias is the alias: what it stands for may be right elsewhere.
  if (!isNode(node) || isAlias(node) || !('get' in node)) return undefined;
  return node.get(step, true);
}
