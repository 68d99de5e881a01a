/**
 * Writes the head of a request to the origin. Implements RFC 9112 §3, §5 and RFC 9110 §5.5, §7.6.1: what could be read as
 * another request is refused, and what belongs to one connection is written anew.
 */
import { MAX_CHECKED_NAMES } from '../base/origin-limits.js';
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

type NameKind = 'written' | 'own' | 'host' | 'invalid';

const checkedNames = new Map<string, NameKind>();

function kindOf(name: string): NameKind {
  let kind = checkedNames.get(name);
  if (kind === undefined) {
    const lower = name.toLowerCase();
    if (!isToken(name)) kind = 'invalid';
    else if (lower === 'host') kind = 'host';
    else kind = OWN_FIELDS.has(lower) ? 'own' : 'written';
    if (checkedNames.size >= MAX_CHECKED_NAMES) checkedNames.clear();
    checkedNames.set(name, kind);
  }
  return kind;
}

/** RFC 9110 §5.5: visible characters, blanks and bytes beyond ASCII, which are written as latin1. */
const INVALID_VALUE = /[^\t\x20-\x7e\x80-\xff]/;
const TARGET = /^\/[\x21-\x7e\x80-\xff]*$/;

/**
 * The head, to be written as latin1; undefined where the request cannot be written. `host`: of a request without one.
 * `isLast`: the connection is closed after the answer.
 */
export function writeRequestHead(request: OriginRequest, host: string, isLast: boolean): string | undefined {
  if (!TARGET.test(request.target)) return undefined;
  let written: string | undefined;
  let lines = '';
  const raw = request.fields.raw;
  for (let i = 0; i < raw.length; i += 2) {
    const name = raw[i] as string;
    const kind = kindOf(name);
    if (kind === 'own') continue;
    const value = raw[i + 1] as string;
    if (kind === 'invalid' || INVALID_VALUE.test(value)) return undefined;
    if (kind === 'written') lines += `${name}: ${value}\r\n`;
    else if (written !== undefined) return undefined;
    else written = value;
  }
  const length = request.content === undefined ? '' : `content-length: ${request.content.length}\r\n`;
  const connection = isLast ? 'close' : 'keep-alive';
  return `${request.method} ${request.target} HTTP/1.1\r\nhost: ${written ?? host}\r\nconnection: ${connection}\r\n${lines}${length}\r\n`;
}
