/**
 * Field lines as they are written to a client of HTTP/1.1.
 * Implements RFC 9110 §5.1, §5.5; RFC 9112 §4, §6.
 */
import { NameSet } from './name-set.js';
import { isToken } from './tokens.js';

/** RFC 9110 §5.5: what no value may have in it, nor a reason phrase (RFC 9112 §4). */
export const NOT_IN_VALUE = /[^\t\x20-\x7e\x80-\xff]/;

const FRAMING = new NameSet(['content-length', 'connection', 'keep-alive', 'transfer-encoding']);

/** Whether a field says how the message is framed, which is told anew with each reply. */
export function isFraming(name: string): boolean {
  return FRAMING.has(name);
}

/** Whether a stored response's reason phrase and fields can be sent as they are. */
export function isSendable(reasonPhrase: string, raw: readonly string[]): boolean {
  if (NOT_IN_VALUE.test(reasonPhrase)) return false;
  for (let at = 0; at < raw.length; at += 2) {
    if (!isToken(raw[at] as string) || NOT_IN_VALUE.test(raw[at + 1] as string)) return false;
  }
  return true;
}
