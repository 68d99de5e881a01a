/** Interim responses on their way to a client. Implements RFC 9110 §15.2, §8.6. */
import type { Socket } from 'node:net';
import { MAX_UNSENT_BEFORE_INTERIM_BYTES } from '../base/limits.js';
import type { Fields } from '../http/fields.js';
import { isToken } from '../http/tokens.js';

const PHRASES: Readonly<Record<number, string>> = { 102: 'Processing', 103: 'Early Hints' };
const FIELD_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;

/** Sends one, where it is the client's turn to hear it and it is one that is passed on. */
export function sendInterim(socket: Socket | null, status: number, fields: Fields): void {
  // An interim response is a courtesy: none is worth memory for a client that does not read.
  if (socket?.writable !== true || socket.writableLength > MAX_UNSENT_BEFORE_INTERIM_BYTES) return;
  const text = interimText(status, fields);
  if (text !== undefined) socket.write(text, 'latin1');
}

/** One as text, latin1; undefined for what is none that is passed on. */
function interimText(status: number, fields: Fields): string | undefined {
  // RFC 9110 §15.2: 101 is no answer to a request of the engine's, and 100 is for who asked for it. §8.6: none has a length.
  if (status < 102 || status > 199) return undefined;
  let head = `HTTP/1.1 ${status} ${PHRASES[status] ?? ''}\r\n`;
  for (const [name, value] of fields.without('content-length'))
    if (isToken(name) && FIELD_VALUE.test(value)) head += `${name}: ${value}\r\n`;
  return `${head}\r\n`;
}
