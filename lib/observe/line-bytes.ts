/** What stands between the texts of a request's line, as bytes. Each function returns where it ends; who calls knows that there is room. */
import { putNumber as putDigits } from '../base/bytes.js';
import { PLAIN, quote } from './line-texts.js';

/** Looked up once: through a Buffer it is found anew at each call. */
export const { copyWithin } = Uint8Array.prototype;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const SPACE = 0x20;
const TILDE = 0x7e;
const ZERO = 0x30;
const POINT = 0x2e;
/** Characters up to which a text is written one by one: calls into V8 take as long as so many. */
const MOST_BY_CHARACTER = 64;
/** Up to here microseconds are taken apart as integers. */
const MOST_SWIFT = 0x7fffffff;

export function putText(bytes: Buffer, at: number, text: string): number {
  return at + bytes.write(text, at, 'latin1');
}

/** A JSON string, defused. */
export function putQuoted(bytes: Buffer, at: number, text: string): number {
  const end = text.length <= MOST_BY_CHARACTER ? putPlain(bytes, at + 1, text) : putLongPlain(bytes, at + 1, text);
  if (end < 0) return at + bytes.write(quote(text), at);
  bytes[at] = QUOTE;
  bytes[end] = QUOTE;
  return end + 1;
}

/** Where a text of printable ASCII, without what JSON escapes, ends in the bytes; -1 where it has something else. */
function putPlain(bytes: Buffer, from: number, text: string): number {
  const { length } = text;
  for (let at = 0; at < length; at++) {
    const code = text.charCodeAt(at);
    if (code < SPACE || code > TILDE || code === QUOTE || code === BACKSLASH) return -1;
    bytes[from + at] = code;
  }
  return from + length;
}

/** The same for a text that one call looks at, and another writes, sooner. */
function putLongPlain(bytes: Buffer, from: number, text: string): number {
  return PLAIN.test(text) ? putText(bytes, from, text) : -1;
}

/** Any number: a count mostly. */
export function putNumber(bytes: Buffer, at: number, value: number): number {
  if (!Number.isSafeInteger(value) || value < 0) return putText(bytes, at, String(value));
  return putDigits(bytes, value, at);
}

/** Three digits of a number below a thousand. */
export function putThree(bytes: Buffer, at: number, value: number): number {
  bytes[at] = ZERO + ((value / 100) | 0);
  bytes[at + 1] = ZERO + (((value / 10) | 0) % 10);
  bytes[at + 2] = ZERO + (value % 10);
  return at + 3;
}

const MS_NAME = Buffer.from(',"ms":');

export function putMsName(bytes: Buffer, from: number): number {
  for (let i = 0; i < MS_NAME.length; i++) bytes[from + i] = MS_NAME[i] as number;
  return from + MS_NAME.length;
}

/** Milliseconds to the microsecond, without zeros at the end. Nothing behind that is touched. */
export function putMs(bytes: Buffer, from: number, ms: number): number {
  const us = Math.round(ms * 1000);
  if (!(us >= 0 && us <= MOST_SWIFT)) return putText(bytes, from, String(us / 1000));
  const whole = (us / 1000) | 0;
  let at = putNumber(bytes, from, whole);
  let part = us - whole * 1000;
  if (part === 0) return at;
  bytes[at++] = POINT;
  for (let place = 100; part > 0; place = (place / 10) | 0) {
    const digit = (part / place) | 0;
    bytes[at++] = ZERO + digit;
    part -= digit * place;
  }
  return at;
}
