/**
 * Field names as they come off the wire: one string for each that is met again and again, what it means to framing, and the
 * value it had last, which the next answer often has too. Implements RFC 9110 §5.1, §5.5, §5.6.2. The memory is a fixed
 * number of places; a name that takes another's place costs a string, nothing else. What is remembered is compared as
 * bytes: strings are of many kinds inside V8, and a loop over one of any kind costs five times that over bytes.
 */
import { KNOWN_NAME_PLACES, MAX_KNOWN_FIELD_VALUE_LENGTH, MAX_KNOWN_NAME_LENGTH } from '../base/origin-limits.js';

/** What a field says about its message or connection; every other is `other`. */
export type FieldRole = 'content-length' | 'transfer-encoding' | 'connection' | 'keep-alive' | 'other';

export interface FieldName {
  /** In the case in which it came. */
  readonly text: string;
  readonly role: FieldRole;
  readonly textBytes: Uint8Array;
  /** One that it had before, the last of those that are remembered. */
  value: string;
  /** The same, so many of these bytes. */
  valueBytes: Uint8Array;
  valueLength: number;
}

const NO_BYTES = new Uint8Array(0);

function made(text: string): FieldName {
  const textBytes = Uint8Array.from(text, (char) => char.charCodeAt(0));
  const role = ROLES.get(text.toLowerCase()) ?? 'other';
  return { text, role, textBytes, value: '', valueBytes: NO_BYTES, valueLength: 0 };
}

const ROLES: ReadonlyMap<string, FieldRole> = new Map<string, FieldRole>([
  ['content-length', 'content-length'],
  ['transfer-encoding', 'transfer-encoding'],
  ['connection', 'connection'],
  ['keep-alive', 'keep-alive'],
]);

const TAB = 0x09;
const SPACE = 0x20;
const DEL = 0x7f;

/** 1 for each byte that a token may hold (RFC 9110 §5.6.2). */
const TOKEN_BYTES = new Uint8Array(256);
for (const char of "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
  TOKEN_BYTES[char.charCodeAt(0)] = 1;

const places: (FieldName | undefined)[] = new Array<FieldName | undefined>(KNOWN_NAME_PLACES).fill(undefined);

/** The position of the first byte from `from` on that no token holds; `until` where there is none. */
export function tokenEnd(bytes: Buffer, from: number, until: number): number {
  let at = from;
  while (at < until && TOKEN_BYTES[bytes[at] as number] === 1) at++;
  return at;
}

/** The name that the bytes are, which must be a token. */
export function nameOf(bytes: Buffer, from: number, until: number): FieldName {
  const length = until - from;
  const first = bytes[from] as number;
  const last = bytes[until - 1] as number;
  const middle = bytes[from + (length >> 1)] as number;
  const place = (length * 31 + first * 7 + middle * 13 + last * 3) % KNOWN_NAME_PLACES;
  const known = places[place];
  if (known !== undefined && isSame(known.textBytes, known.textBytes.length, bytes, from, length)) return known;
  const name = made(bytes.toString('latin1', from, until));
  if (length <= MAX_KNOWN_NAME_LENGTH) places[place] = name;
  return name;
}

/** The value that the bytes are, without blanks around it; undefined where they hold a control byte that none may hold. */
export function readValue(name: FieldName, bytes: Buffer, from: number, until: number): string | undefined {
  const length = until - from;
  if (isSame(name.valueBytes, name.valueLength, bytes, from, length)) return name.value;
  for (let at = from; at < until; at++) {
    const byte = bytes[at] as number;
    if ((byte < SPACE && byte !== TAB) || byte === DEL) return undefined;
  }
  if (length === 0) return '';
  const value = bytes.toString('latin1', from, until);
  if (length <= MAX_KNOWN_FIELD_VALUE_LENGTH) remember(name, value, bytes, from);
  return value;
}

function remember(name: FieldName, value: string, bytes: Buffer, from: number): void {
  if (name.valueBytes === NO_BYTES) name.valueBytes = new Uint8Array(MAX_KNOWN_FIELD_VALUE_LENGTH);
  const { valueBytes } = name;
  const { length } = value;
  for (let i = 0; i < length; i++) valueBytes[i] = bytes[from + i] as number;
  name.value = value;
  name.valueLength = length;
}

function isSame(held: Uint8Array, heldLength: number, bytes: Buffer, from: number, length: number): boolean {
  if (heldLength !== length) return false;
  for (let i = 0; i < length; i++) if (held[i] !== bytes[from + i]) return false;
  return true;
}

const reason = made('');

/** The reason phrase that the bytes are; empty where it cannot be written again, which is no loss: it means nothing (RFC 9112 §4). */
export function reasonOf(bytes: Buffer, from: number, until: number): string {
  return readValue(reason, bytes, from, until) ?? '';
}
