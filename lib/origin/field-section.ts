/**
 * Reads a field section line by line: the header fields of an answer, or its trailers.
 * Implements RFC 9110 §5.5 and RFC 9112 §5: what a lenient reader might take otherwise is refused, never mended.
 */
import { MAX_RESPONSE_FIELD_COUNT } from '../base/origin-limits.js';
import { Fields } from '../http/fields.js';
import { nameOf, readValue, tokenEnd } from './field-names.js';

const TAB = 0x09;
const SPACE = 0x20;
const COLON = 0x3a;
const ZERO = 0x30;
/** Any number of so many digits is exact. */
const MAX_DIGITS = 15;

export class FieldSection {
  #raw: string[] = [];
  /** What Content-Length says; NaN where that is no length (RFC 9110 §8.6), undefined where it is not there. */
  contentLength: number | undefined;
  /** It says so more than once, which is to go on as one (RFC 9112 §6.3, rule 5). */
  isLengthListed = false;
  #lengths = '';
  /** Values of the other fields that framing goes by, all lines joined as a list (RFC 9110 §5.3); undefined where there is none. */
  transferEncoding: string | undefined;
  connection: string | undefined;
  keepAlive: string | undefined;

  /** The fields read since the last call. */
  takeFields(): Fields {
    if (this.#raw.length === 0) return Fields.empty;
    const fields = new Fields(this.#raw);
    this.#raw = [];
    return fields;
  }

  begin(): void {
    this.#raw = [];
    this.contentLength = undefined;
    this.isLengthListed = false;
    this.transferEncoding = undefined;
    this.connection = undefined;
    this.keepAlive = undefined;
  }

  /** Takes the field line that lies from `from` up to but not including `until`. Says why it is refused. */
  add(bytes: Buffer, from: number, until: number): string | undefined {
    const colon = tokenEnd(bytes, from, until);
    if (colon === until) return 'a line without a colon';
    if (bytes[colon] !== COLON || colon === from) return nameFault(bytes, from, colon);
    if (this.#raw.length >= 2 * MAX_RESPONSE_FIELD_COUNT) return 'too many fields';
    let start = colon + 1;
    let end = until;
    while (start < end && isBlank(bytes[start] as number)) start++;
    while (end > start && isBlank(bytes[end - 1] as number)) end--;
    const name = nameOf(bytes, from, colon);
    const value = readValue(name, bytes, start, end);
    if (value === undefined) return 'a control byte in a field value';
    this.#raw.push(name.text, value);
    switch (name.role) {
      case 'content-length':
        this.#addLength(value, bytes, start, end);
        break;
      case 'transfer-encoding':
        this.transferEncoding = listed(this.transferEncoding, value);
        break;
      case 'connection':
        this.connection = listed(this.connection, value);
        break;
      case 'keep-alive':
        this.keepAlive = listed(this.keepAlive, value);
        break;
      case 'other':
        break;
    }
    return undefined;
  }

  #addLength(value: string, bytes: Buffer, from: number, until: number): void {
    const isFirst = this.contentLength === undefined;
    this.#lengths = isFirst ? value : `${this.#lengths}, ${value}`;
    const plain = isFirst ? decimalOf(bytes, from, until) : undefined;
    this.contentLength = plain ?? listedLength(this.#lengths);
    this.isLengthListed = plain === undefined && this.#lengths.includes(',');
  }
}

/** A number that the bytes are; undefined where they are something else, or too many to be sure. */
function decimalOf(bytes: Buffer, from: number, until: number): number | undefined {
  if (until === from || until - from > MAX_DIGITS) return undefined;
  let number = 0;
  for (let at = from; at < until; at++) {
    const digit = (bytes[at] as number) - ZERO;
    if (!(digit >= 0 && digit <= 9)) return undefined;
    number = number * 10 + digit;
  }
  return number;
}

/** The length that equal ones are (RFC 9110 §8.6); NaN where they differ, or are none. */
function listedLength(value: string): number {
  const lengths = value.split(',').map((one) => one.trim());
  const [first] = lengths;
  if (first === undefined || !/^\d+$/.test(first) || !lengths.every((one) => one === first)) return Number.NaN;
  const length = Number(first);
  return Number.isSafeInteger(length) ? length : Number.NaN;
}

function isBlank(byte: number): boolean {
  return byte === SPACE || byte === TAB;
}

function listed(before: string | undefined, value: string): string {
  return before === undefined ? value : `${before}, ${value}`;
}

function nameFault(bytes: Buffer, from: number, at: number): string {
  // RFC 9112 §5.2: a line that goes on with the one before is obsolete, and may not come from an origin.
  if (at === from && isBlank(bytes[at] as number)) return 'a folded line';
  // RFC 9112 §5.1: readers that differ about such a name differ about the message.
  if (isBlank(bytes[at] as number)) return 'a blank in or behind a field name';
  return 'a field name that is no token';
}
