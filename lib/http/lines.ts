/**
 * Field lines as they are written to a client of HTTP/1.1.
 * Implements RFC 9110 §5.1, §5.5; RFC 9112 §4, §6.
 */
import { BETWEEN_CODE } from './fields.js';
import { NameSet } from './name-set.js';
import { areAll, IN_NAME, IN_VALUE, OCTETS } from './octets.js';

/** RFC 9110 §5.5: what no value may have in it, nor a reason phrase (RFC 9112 §4). */
export const NOT_IN_VALUE = /[^\t\x20-\x7e\x80-\xff]/;

const FRAMING = new NameSet(['content-length', 'connection', 'keep-alive', 'transfer-encoding']);

/** Whether a field says how the message is framed, which is told anew with each reply. */
export function isFraming(name: string): boolean {
  return FRAMING.has(name);
}

/** Whether a stored response's reason phrase and fields can be sent as they are. */
export function isSendable(reasonPhrase: string, raw: readonly string[]): boolean {
  if (!areAll(reasonPhrase, IN_VALUE)) return false;
  for (let at = 0; at < raw.length; at += 2) {
    const name = raw[at] as string;
    if (name === '' || !areAll(name, IN_NAME) || !areAll(raw[at + 1] as string, IN_VALUE)) return false;
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
    const isFramed = FRAMING.hasLength(at - nameAt) && isFraming(bytes.toString('latin1', nameAt, at));
    if (at === nameAt || at === until || isFramed) return -1;
    for (at++; at < until && bytes[at] !== BETWEEN_CODE; at++) {
      if (((OCTETS[bytes[at] as number] as number) & IN_VALUE) === 0) return -1;
    }
    count++;
  }
  return count;
}
