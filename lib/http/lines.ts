/**
 * Field lines as they are written to a client of HTTP/1.1.
 * Implements RFC 9110 §5.1, §5.5; RFC 9112 §4, §6.
 */
import { BETWEEN_CODE } from './fields.js';
import { NameSet } from './name-set.js';
import { areAll, IN_NAME, IN_VALUE, OCTETS } from './octets.js';

const FRAMING_NAMES = ['connection', 'keep-alive', 'content-length', 'transfer-encoding'] as const;
const FRAMING = new NameSet(FRAMING_NAMES);

/** Whether a field says how the message is framed, which is told anew with each reply. */
export function isFraming(name: string): boolean {
  return FRAMING.has(name);
}

/** The same of a name that stands there. */
export function isFramingIn(bytes: Uint8Array, from: number, until: number): boolean {
  const length = until - from;
  for (const name of FRAMING_NAMES) if (name.length === length && isNameIn(bytes, from, name)) return true;
  return false;
}

/** Whether a token that begins there is `name`, which is in lower case. */
export function isNameIn(bytes: Uint8Array, from: number, name: string): boolean {
  for (let i = 0; i < name.length; i++) {
    const code = bytes[from + i] as number;
    const lower = code >= 0x41 && code <= 0x5a ? code | 0x20 : code;
    if (lower !== name.charCodeAt(i)) return false;
  }
  return true;
}

/** Whether each character may stand in a value (RFC 9110 §5.5), or in a reason phrase (RFC 9112 §4). */
export function isValue(text: string): boolean {
  return areAll(text, IN_VALUE);
}

/** Whether a stored response's reason phrase and fields can be sent as they are. */
export function isSendable(reasonPhrase: string, raw: readonly string[]): boolean {
  if (!isValue(reasonPhrase)) return false;
  for (let at = 0; at < raw.length; at += 2) {
    const name = raw[at] as string;
    if (name === '' || !areAll(name, IN_NAME) || !isValue(raw[at + 1] as string)) return false;
  }
  return true;
}

/**
 * How many lines a section that is packed there has (Fields.pack), where they can be sent as they are and none says how the message is
 * framed; -1 where that is not so.
 */
export function sendableLinesIn(bytes: Buffer, from: number, until: number): number {
  let count = 0;
  for (let at = from; at < until; at++) {
    const nameAt = at;
    for (; at < until && bytes[at] !== BETWEEN_CODE; at++) {
      if (((OCTETS[bytes[at] as number] as number) & IN_NAME) === 0) return -1;
    }
    if (at === nameAt || at === until || isFramingIn(bytes, nameAt, at)) return -1;
    for (at++; at < until && bytes[at] !== BETWEEN_CODE; at++) {
      if (((OCTETS[bytes[at] as number] as number) & IN_VALUE) === 0) return -1;
    }
    count++;
  }
  return count;
}
