/**
 * Fields with a sum over the content of the message that they come in: it is none of a part of that, nor of a whole that is put
 * together of parts. Those over the representation, Repr-Digest and Digest, are right of each of its parts. Implements RFC 9530 §2, §3.
 */
import { isNameIn } from './lines.js';
import { NameSet } from './name-set.js';

/** Content-MD5, which no RFC defines any more, is one of them too. */
const NAMES = ['content-digest', 'content-md5'] as const;

export const CONTENT_SUMS = new NameSet(NAMES);

/** Whether the name that stands there is that of one. */
export function isContentSumIn(bytes: Uint8Array, from: number, until: number): boolean {
  const length = until - from;
  for (const name of NAMES) if (name.length === length && isNameIn(bytes, from, name)) return true;
  return false;
}
