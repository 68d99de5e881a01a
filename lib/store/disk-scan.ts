/** Walks over what is on disk: by the beginning of the key, by tag. A walk is done in pieces, and goes on behind its last place. */
import type { StoredResponse } from '../object/stored.js';
import type { BelowReach, KeysBelow } from './contract.js';
import type { DiskTier } from './disk.js';
import { prefixRange, tagHash } from './disk-keys.js';

const BEHIND = Buffer.of(0);
const AFTER_TAG = Buffer.alloc(16, 0xff);

/** Where to go on behind a place that was given out as text. */
function behind(place: string): Buffer {
  return Buffer.concat([Buffer.from(place, 'base64url'), BEHIND]);
}

export function scanDisk(
  disk: DiskTier,
  reach: BelowReach,
  after: string | undefined,
  count: number,
  visit: (stored: StoredResponse) => void,
): string | undefined {
  if (reach.kind === 'tag') return scanTagged(disk, reach.tag, after, count, visit);
  const [first, until] = prefixRange(reach.prefix);
  const from = after === undefined ? first : behind(after);
  const { next, found } = disk.reading.walk(from, until, count);
  const isUnder = ({ key }: StoredResponse): boolean => key.startsWith(reach.prefix);
  // Each place with the piece that it lies in: what waits may be written before the next one, behind which it would be found no more.
  for (const stored of [...found, ...disk.waiting(from, next, isUnder)]) if (isUnder(stored)) visit(stored);
  return next?.toString('base64url');
}

function scanTagged(
  disk: DiskTier,
  tag: string,
  after: string | undefined,
  count: number,
  visit: (stored: StoredResponse) => void,
): string | undefined {
  const hash = tagHash(tag);
  const carries = ({ tags }: StoredResponse): boolean => tags?.includes(tag) === true;
  const from = after === undefined ? hash : behind(after);
  const { next, keys } = disk.reading.tagged(from, Buffer.concat([hash, AFTER_TAG]), count);
  const found = keys.map((key) => disk.reading.at(key.subarray(hash.length)));
  const waiting = disk.waiting(from.subarray(hash.length), next?.subarray(hash.length), carries);
  for (const stored of [...found, ...waiting]) if (stored !== undefined && carries(stored)) visit(stored);
  return next?.toString('base64url');
}

/** The keys on disk that begin with `prefix`, each once, of `count` stored responses from behind `after` on. */
export function keysUnder(disk: DiskTier, prefix: string, count: number, after?: string): KeysBelow {
  const [first, until] = prefixRange(prefix);
  const { keys, next } = disk.reading.keys(after === undefined ? first : behind(after), until, count);
  return { keys: [...keys].filter((key) => key.startsWith(prefix)), next: next?.toString('base64url') };
}
