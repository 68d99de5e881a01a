/**
 * What both lanes demand of the head of an origin's answer beyond what their parsers refuse.
 * Implements RFC 9110 §5.5 and RFC 9112 §4, §6.1.
 */
import { Fields } from '../http/fields.js';
import { isToken } from '../http/tokens.js';

/** A list of field names and values as bytes, or as strings of latin1. */
export type WireFields = readonly (Buffer | string)[];

/** Control bytes other than HTAB: parsers let most of them by, writers of field lines refuse them. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
const CONTROL = /[\x00-\x08\x0a-\x1f\x7f]/;

function text(bytes: Buffer | string | undefined): string {
  return typeof bytes === 'string' ? bytes : (bytes?.toString('latin1') ?? '');
}

/** Blanks around a value are no part of it (RFC 9110 §5.5); the parsers leave those at its end. */
function trimEnd(value: string): string {
  let end = value.length;
  while (end > 0 && (value.charCodeAt(end - 1) === 0x20 || value.charCodeAt(end - 1) === 0x09)) end--;
  return end === value.length ? value : value.slice(0, end);
}

/** The fields as text, or undefined where a value holds control bytes: those are invalid and dangerous (RFC 9110 §5.5). */
export function readFields(wire: WireFields): Fields | undefined {
  const raw: string[] = new Array(wire.length);
  for (let i = 0; i < wire.length; i += 2) {
    const value = trimEnd(text(wire[i + 1]));
    if (CONTROL.test(value)) return undefined;
    raw[i] = text(wire[i]);
    raw[i + 1] = value;
  }
  return raw.length === 0 ? Fields.empty : new Fields(raw);
}

/** RFC 9110 §15: three digits of which the first is a class. The parsers let 000 to 099 by, which nobody can write. */
export function statusFault(status: number): string | undefined {
  return status < 100 || status > 999 ? `status ${status}` : undefined;
}

/** RFC 9112 §7.2 and its aliases: content in one of these is not what the client would take it for. */
const COMPRESSIONS: ReadonlySet<string> = new Set(['gzip', 'x-gzip', 'deflate', 'compress', 'x-compress']);

/**
 * Why the framing cannot be followed, or undefined. We ask for no transfer coding, so a compression would reach the
 * client as if it were content (RFC 9112 §6.1); both framing fields at once smell of smuggling, and so does what only
 * looks like chunked (RFC 9112 §6.3). Any other single name codes nothing that anybody knows: such a body ends with its
 * connection (RFC 9112 §6.3, rule 4), and the field goes no further.
 */
export function framingFault(fields: Fields): string | undefined {
  const coding = fields.get('transfer-encoding');
  return coding === undefined ? undefined : codingFault(coding, fields.has('content-length'));
}

/** The same for a head whose Transfer-Encoding was found already. */
export function codingFault(transferEncoding: string, hasLength: boolean): string | undefined {
  const coding = transferEncoding.toLowerCase();
  if (hasLength) return 'Transfer-Encoding beside Content-Length';
  if (coding === 'chunked') return undefined;
  const isUnknown = isToken(coding) && !coding.includes('chunk') && !COMPRESSIONS.has(coding);
  return isUnknown ? undefined : `Transfer-Encoding: ${coding.slice(0, 40)}`;
}

/** A reason phrase that node's parser has read, as it can be written again; it means nothing (RFC 9112 §4), so one that cannot is dropped. */
export function readReason(phrase: string | undefined): string {
  if (phrase === undefined || CONTROL.test(phrase)) return '';
  // The parser decoded it as UTF-8; heads are written as latin1, so this gives the bytes back.
  return isAscii(phrase) ? phrase : Buffer.from(phrase, 'utf8').toString('latin1');
}

function isAscii(phrase: string): boolean {
  for (let i = 0; i < phrase.length; i++) if (phrase.charCodeAt(i) > 0x7e) return false;
  return true;
}

/** An answer that ends with its head, whatever its fields say (RFC 9112 §6.3). */
export function isBodiless(method: string, status: number): boolean {
  return method === 'HEAD' || status < 200 || status === 204 || status === 304;
}
