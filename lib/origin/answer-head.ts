/**
 * What both lanes demand of the head of an origin's answer beyond what their parsers refuse.
 * Implements RFC 9110 §5.5 and RFC 9112 §4, §6.1.
 */
import { Fields } from '../http/fields.js';

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

/**
 * Why the framing cannot be followed, or undefined. We ask for no transfer coding, so one other than chunked would
 * reach the client as if it were content (RFC 9112 §6.1); both framing fields at once smell of smuggling (RFC 9112 §6.3).
 */
export function framingFault(fields: Fields): string | undefined {
  const coding = fields.get('transfer-encoding');
  if (coding === undefined) return undefined;
  if (coding.toLowerCase() !== 'chunked') return `Transfer-Encoding: ${coding.slice(0, 40)}`;
  return fields.has('content-length') ? 'Transfer-Encoding beside Content-Length' : undefined;
}

/** A reason phrase that can be written again; it means nothing (RFC 9112 §4), so one that cannot is dropped. */
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
