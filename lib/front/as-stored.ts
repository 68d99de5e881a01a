/**
 * The bytes of a reply that goes out as it is stored, put together in one place that is used again for the next one.
 */
import { DISK_INLINE_BODY_BYTES } from '../base/disk-limits.js';
import { MAX_HEAD_AS_STORED_BYTES } from '../base/ready-limits.js';
import { Views } from '../base/views.js';
import type { BytesAsStored } from '../engine/contract.js';

/** What is stored is brought behind the place of the reply first: within one buffer bytes are moved without views of them. */
const STORED_AT = MAX_HEAD_AS_STORED_BYTES + DISK_INLINE_BODY_BYTES;
let place = Buffer.alloc(STORED_AT * 2);
let views = new Views(place);

/**
 * Undefined where it is too long, or a field of it is to be left out. Good until the next call, unless lend() says that
 * it is still to be written.
 */
export function bytesAsStored(
  { bytes, headFrom, headUntil, own, bodyFrom, bodyBytes }: BytesAsStored,
  status: number,
  debugHeader: string | undefined,
  outcome: string,
): Buffer | undefined {
  if (bytes.length > STORED_AT || bodyBytes > DISK_INLINE_BODY_BYTES) return undefined;
  if (debugHeader !== undefined && hasLine(bytes, headFrom, headUntil, debugHeader)) return undefined;
  let tail = '';
  for (let at = 0; at < own.length; at += 2) tail += `${own[at]}: ${own[at + 1]}\r\n`;
  tail += `Content-Length: ${bodyBytes}\r\n`;
  if (debugHeader !== undefined) tail += `${debugHeader}: ${outcome}\r\n`;
  tail += '\r\n';
  const line = `HTTP/1.1 ${status} `;
  if (line.length + headUntil - headFrom + tail.length > MAX_HEAD_AS_STORED_BYTES) return undefined;
  place.set(bytes, STORED_AT);
  let at = place.write(line, 'latin1');
  place.copyWithin(at, STORED_AT + headFrom, STORED_AT + headUntil);
  at += headUntil - headFrom;
  at += place.write(tail, at, 'latin1');
  place.copyWithin(at, STORED_AT + bodyFrom, STORED_AT + bodyFrom + bodyBytes);
  return views.until(at + bodyBytes);
}

/** What was given last is not written yet: it is left to whoever writes it. */
export function lendAsStored(): void {
  place = Buffer.alloc(STORED_AT * 2);
  views = new Views(place);
}

/** What a cache of the same name behind us said is not what happened here. */
function hasLine(bytes: Buffer, from: number, until: number, name: string): boolean {
  return bytes.toString('latin1', from, until).toLowerCase().includes(`\n${name.toLowerCase()}:`);
}
