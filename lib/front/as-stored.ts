/**
 * The bytes of a reply that goes out as it is stored, put together in one place that is used again for the next one.
 */

import { putNumber, putText } from '../base/bytes.js';
import { DISK_INLINE_BODY_BYTES } from '../base/disk-limits.js';
import { MAX_HEAD_AS_STORED_BYTES } from '../base/ready-limits.js';
import { Views } from '../base/views.js';
import type { BytesAsStored } from '../engine/contract.js';

/** What is stored is brought behind the place of the reply first: within one buffer bytes are moved without views of them. */
const STORED_AT = MAX_HEAD_AS_STORED_BYTES + DISK_INLINE_BODY_BYTES;
const BEHIND_NAME = ': ';
const LINE_END = '\r\n';
const VERSION = 'HTTP/1.1 ';
const SPACE = 0x20;
const AGE = 'Age: ';
const VIA = '\r\nVia: ';
const CACHE_STATUS = '\r\nCache-Status: ';
const CONTENT_LENGTH = '\r\nContent-Length: ';
/** As many as these texts have, and the numbers and line ends beside them, at most. */
const FIXED_BYTES = 160;
let place = Buffer.alloc(STORED_AT * 2);
let views = new Views(place);

/**
 * Undefined where it is too long, or a field of it is to be left out. Good until the next call, unless lend() says that
 * it is still to be written.
 */
export function bytesAsStored(
  { bytes, headFrom, headUntil, ageSec, ttlSec, lines, bodyFrom, bodyBytes }: BytesAsStored,
  status: number,
  debugHeader: string | undefined,
  outcome: string,
): Buffer | undefined {
  if (bytes.length > STORED_AT || bodyBytes > DISK_INLINE_BODY_BYTES) return undefined;
  if (debugHeader !== undefined && hasLine(bytes, headFrom, headUntil, debugHeader)) return undefined;
  const { via, beforeTtl, behindTtl } = lines;
  let headBytes = FIXED_BYTES + headUntil - headFrom + via.length + beforeTtl.length + behindTtl.length;
  if (debugHeader !== undefined) headBytes += debugHeader.length + outcome.length + LINE_END.length * 2;
  if (headBytes > MAX_HEAD_AS_STORED_BYTES) return undefined;
  place.set(bytes, STORED_AT);
  let at = putText(place, VERSION, 0);
  at = putNumber(place, status, at);
  place[at++] = SPACE;
  place.copyWithin(at, STORED_AT + headFrom, STORED_AT + headUntil);
  at += headUntil - headFrom;
  at = putNumber(place, ageSec, putText(place, AGE, at));
  at = putText(place, via, putText(place, VIA, at));
  at = putText(place, beforeTtl, putText(place, CACHE_STATUS, at));
  at = putText(place, behindTtl, putNumber(place, ttlSec, at));
  at = putNumber(place, bodyBytes, putText(place, CONTENT_LENGTH, at));
  at = putText(place, LINE_END, at);
  if (debugHeader !== undefined) at = putLine(at, debugHeader, outcome);
  at = putText(place, LINE_END, at);
  place.copyWithin(at, STORED_AT + bodyFrom, STORED_AT + bodyFrom + bodyBytes);
  return views.until(at + bodyBytes);
}

function putLine(from: number, name: string, value: string): number {
  const at = putText(place, BEHIND_NAME, putText(place, name, from));
  return putText(place, LINE_END, putText(place, value, at));
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
