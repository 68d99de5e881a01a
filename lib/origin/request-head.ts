/**
 * Writes the head of a request to the origin. Implements RFC 9112 §3, §5 and RFC 9110 §5.5, §7.6.1: what could be read as
 * another request is refused, and what belongs to one connection is written anew.
 */
import { MAX_CHECKED_NAMES, MAX_KNOWN_FIELD_VALUE_LENGTH } from '../base/origin-limits.js';
import { type Fields, FollowedFields, type RawFields } from '../http/fields.js';
import { isToken } from '../http/tokens.js';
import type { OriginRequest } from './contract.js';

/** Fields that speak of one connection, or that go with a body that is not there: this file writes what is true of them. */
const OWN_FIELDS: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'content-length',
  'upgrade',
  'expect',
]);

interface CheckedName {
  readonly kind: 'written' | 'own' | 'host' | 'invalid';
  /** A value that was found valid, the last one of those that are remembered, and the line that it makes. */
  value: string | undefined;
  line: string;
}

const checkedNames = new Map<string, CheckedName>();

function checked(name: string): CheckedName {
  let known = checkedNames.get(name);
  if (known === undefined) {
    known = { kind: kindOf(name), value: undefined, line: '' };
    if (checkedNames.size >= MAX_CHECKED_NAMES) checkedNames.clear();
    checkedNames.set(name, known);
  }
  return known;
}

function kindOf(name: string): CheckedName['kind'] {
  const lower = name.toLowerCase();
  if (!isToken(name)) return 'invalid';
  if (lower === 'host') return 'host';
  return OWN_FIELDS.has(lower) ? 'own' : 'written';
}

/** RFC 9110 §5.5: visible characters, blanks and bytes beyond ASCII, which are written as latin1. */
const INVALID_VALUE = /[^\t\x20-\x7e\x80-\xff]/;
const TARGET = /^\/[\x21-\x7e\x80-\xff]*$/;

/** The line of a field; undefined where it cannot be written. */
function lineOf(name: string, known: CheckedName, value: string): string | undefined {
  if (value === known.value) return known.line;
  if (known.kind === 'invalid' || INVALID_VALUE.test(value)) return undefined;
  const line = `${known.kind === 'host' ? 'host' : name}: ${value}\r\n`;
  if (value.length <= MAX_KNOWN_FIELD_VALUE_LENGTH) {
    known.value = value;
    known.line = line;
  }
  return line;
}

/**
 * The head, to be written as latin1; undefined where the request cannot be written. `host`: of a request without one.
 * `isLast`: the connection is closed after the answer.
 */
export function writeRequestHead(request: OriginRequest, host: string, isLast: boolean): string | undefined {
  const { method, target, fields, content } = request;
  if (!TARGET.test(target)) return undefined;
  // Requests of one client, and of clients of one kind, say the same behind their first line; conditions stand behind that.
  const common = fields instanceof FollowedFields ? fields.base : fields;
  if (common !== lastFields || host !== lastHost || isLast !== wasLast) {
    lastRest = fieldLines(common, host, isLast);
    lastEnd = inOnePiece(`${lastRest}\r\n`);
    lastFields = common;
    lastHost = host;
    wasLast = isLast;
  }
  if (lastRest === undefined) return undefined;
  if (fields === common && content === undefined) return `${method} ${target}${lastEnd}`;
  const own = fields instanceof FollowedFields ? linesBehind(fields.behind) : '';
  if (own === undefined) return undefined;
  const length = content === undefined ? '' : `content-length: ${content.length}\r\n`;
  return `${method} ${target}${lastRest}${own}${length}\r\n`;
}

/** The lines of fields that stand behind others; undefined where they cannot be written, or are not to stand there. */
function linesBehind(raw: RawFields): string | undefined {
  let lines = '';
  for (let i = 0; i < raw.length; i += 2) {
    const name = raw[i] as string;
    const known = checked(name);
    if (known.kind === 'own') continue;
    const line = known.kind === 'host' ? undefined : lineOf(name, known, raw[i + 1] as string);
    if (line === undefined) return undefined;
    lines += line;
  }
  return lines;
}

let lastFields: Fields | undefined;
let lastHost = '';
let wasLast = false;
let lastRest: string | undefined;
/** The same with the end of the head behind it. */
let lastEnd = '';

/** What stands behind the target but for conditions and the length of the content, Host first; undefined where they cannot be written. */
function fieldLines({ raw }: Fields, host: string, isLast: boolean): string | undefined {
  let hostLine: string | undefined;
  let lines = '';
  for (let i = 0; i < raw.length; i += 2) {
    const name = raw[i] as string;
    const known = checked(name);
    if (known.kind === 'own') continue;
    const line = lineOf(name, known, raw[i + 1] as string);
    if (line === undefined) return undefined;
    if (known.kind !== 'host') lines += line;
    else if (hostLine !== undefined) return undefined;
    else hostLine = line;
  }
  const connection = isLast ? 'connection: close\r\n' : 'connection: keep-alive\r\n';
  return inOnePiece(` HTTP/1.1\r\n${hostLine ?? `host: ${host}\r\n`}${connection}${lines}`);
}

/** Joined texts are put together anew at each write that they are part of. */
function inOnePiece(text: string): string {
  return Buffer.from(text, 'latin1').toString('latin1');
}
