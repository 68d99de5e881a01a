/**
 * Structured fields, through the one file that knows the library: targeted Cache-Control fields, and Cache-Status.
 * Implements RFC 9213 §2.1-2.2; RFC 9211 §2 (reading).
 */
import { createRequire } from 'node:module';
import type * as Structured from 'structured-headers';
import { type CacheControl, parseCacheControl } from './cache-control.js';
import { Known } from './known.js';
import { quote } from './tokens.js';

const require = createRequire(import.meta.url);

/** Read for the first field that is one: many origins send none. */
const structured = (): typeof Structured => require('structured-headers') as typeof Structured;

/** What the value of each directive of a targeted field must be (RFC 9213 §2.1, types by RFC 9111 §5.2.2). */
const DIRECTIVE_TYPES: Readonly<Record<string, 'seconds' | 'fields' | 'flag'>> = {
  'max-age': 'seconds',
  's-maxage': 'seconds',
  'stale-while-revalidate': 'seconds',
  'stale-if-error': 'seconds',
  'no-cache': 'fields',
  private: 'fields',
  'no-store': 'flag',
  'must-revalidate': 'flag',
  'proxy-revalidate': 'flag',
  'must-understand': 'flag',
  public: 'flag',
  immutable: 'flag',
  'no-transform': 'flag',
};

/** Seconds written as a Decimal: the library reads `60.0` and `60` alike, RFC 9213 §2.1 does not. */
const DECIMAL_SECONDS = /(?:^|,)[ \t]*([a-z-]+)=-?[0-9]+\.[0-9]/g;

/**
 * The directives of a targeted field such as CDN-Cache-Control, all its lines given. Undefined where it is absent,
 * empty or no Dictionary: then it counts as not sent, and Cache-Control governs (RFC 9213 §2.1).
 */
export function parseTargetedCacheControl(lines: readonly string[]): CacheControl | undefined {
  return lines.length === 0 ? undefined : TARGETED.of(lines.join(', '));
}

const TARGETED = new Known(readTargeted);

function readTargeted(text: string): CacheControl | undefined {
  const dictionary = orUndefined(() => structured().parseDictionary(text));
  if (dictionary === undefined || dictionary.size === 0) return undefined;
  const decimals = new Set(Array.from(text.matchAll(DECIMAL_SECONDS), (match) => match[1]));
  const directives: string[] = [];
  for (const [name, member] of dictionary) {
    // Parameters are ignored (RFC 9213 §2.1), and an inner list is the value of no directive.
    const value = Array.isArray(member[0]) || decimals.has(name) ? undefined : member[0];
    const directive = directiveOf(name, value);
    if (directive !== undefined) directives.push(directive);
  }
  // RFC 9213 §2.2: semantics and precedence are those of Cache-Control, so from here on it is read as one.
  return parseCacheControl(directives);
}

/**
 * One member as Cache-Control would write it. A value of another type than the directive's is not taken for that
 * type (RFC 9213 §2.1): a lifetime then is invalid, which is stale; a directive that forbids stays, one that permits goes.
 */
function directiveOf(name: string, value: Structured.BareItem | undefined): string | undefined {
  const type = DIRECTIVE_TYPES[name];
  if (type === undefined || value === false) return undefined;
  if (type === 'seconds') return `${name}=${typeof value === 'number' ? value : '""'}`;
  if (value === true) return name;
  return type === 'fields' && typeof value === 'string' ? `${name}=${quote(value)}` : `${name}=""`;
}

/** One cache's part of a Cache-Status field (RFC 9211 §2). Tokens are given as their text. */
export interface CacheStatusMember {
  readonly cache: string;
  readonly parameters: ReadonlyMap<string, string | number | boolean>;
}

/** The members of a Cache-Status field, nearest to the origin first, or undefined where it is not a valid one. */
export function parseCacheStatus(lines: readonly string[]): readonly CacheStatusMember[] | undefined {
  const { parseList, Token } = structured();
  const list = orUndefined(() => parseList(lines.join(', ')));
  const members: CacheStatusMember[] = [];
  for (const [value, parameters] of list ?? []) {
    // RFC 9211 §2: a cache is named by a String or a Token.
    if (typeof value !== 'string' && !(value instanceof Token)) return undefined;
    const plain = new Map<string, string | number | boolean>();
    for (const [name, parameter] of parameters) {
      if (parameter instanceof Token) plain.set(name, parameter.toString());
      else if (typeof parameter === 'object') return undefined;
      else plain.set(name, parameter);
    }
    members.push({ cache: value.toString(), parameters: plain });
  }
  return list === undefined ? undefined : members;
}

/** The library throws where a field does not parse; here that is an ordinary outcome. */
function orUndefined<T>(parse: () => T): T | undefined {
  try {
    return parse();
  } catch (error) {
    if (error instanceof Error) return undefined;
    throw error;
  }
}
