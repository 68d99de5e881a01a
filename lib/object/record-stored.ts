/** Records as stored responses: a head, and the body that belongs to it. */
import { Body } from './body.js';
import { makerOf } from './made-by.js';
import type { Mutable, RecordHead, RecordParts } from './record.js';
import { Segments } from './segments.js';
import { sliceChunks } from './slice.js';
import type { StoredResponse } from './stored.js';

/** In place of a rule that this process does not have: whoever looks the response up puts it under the rule that holds then. */
export const FROM_RECORD: object = Object.freeze({ rule: 'of a record' });

/**
 * The stored response of a record around its body. Of a partial response `body` holds the bytes of all parts, one behind
 * the other, and whole; undefined where they do not fit.
 */
export function storedOf(head: RecordHead, body: Body): StoredResponse | undefined {
  if (body.receivedBytes !== head.bodyBytes) return undefined;
  if (head.parts === undefined) return storedAround(head, body);
  const partial = segmentsOf(head.parts, body);
  if (partial === undefined) return undefined;
  const stored: Mutable<StoredResponse> = storedAround(head, Body.empty);
  stored.partial = partial;
  return stored;
}

/** The same of a whole response, whatever the body. Member by member: this is on the path of each hit below memory, and copying what an object happens to have takes as long as all the rest. */
export function storedAround(head: Omit<RecordHead, 'note'>, body: Body): StoredResponse {
  const stored: Mutable<StoredResponse> = {
    key: head.key,
    selection: head.selection,
    status: head.status,
    reasonPhrase: head.reasonPhrase,
    fields: head.fields,
    body,
    life: head.life,
    rule: head.rule,
    madeBy: makerOf(head.mark) ?? FROM_RECORD,
    fetchedAt: head.fetchedAt,
    receivedWall: head.receivedWall,
  };
  if (head.receivedAt !== undefined) stored.receivedAt = head.receivedAt;
  if (head.requestedAt !== undefined) stored.requestedAt = head.requestedAt;
  if (head.chance !== undefined) stored.chance = head.chance;
  if (head.tags !== undefined) stored.tags = head.tags;
  if (head.pushed !== undefined) stored.pushed = head.pushed;
  if (head.receivedVersion !== undefined) stored.receivedVersion = head.receivedVersion;
  if (head.madeTag !== undefined) stored.madeTag = head.madeTag;
  if (head.expiredAt !== undefined) stored.expiredAt = head.expiredAt;
  if (head.despite !== undefined) stored.despite = head.despite;
  return stored;
}

function segmentsOf({ totalBytes, runs }: RecordParts, body: Body): Segments | undefined {
  const chunks = body.wholeChunks;
  let at = 0;
  let segments: Segments | undefined;
  for (const [from, until] of runs) {
    const end = at + until - from;
    if (chunks === undefined || until <= from || end > body.receivedBytes) return undefined;
    const run = { from, until, chunks: sliceChunks(chunks, at, end) };
    segments = segments === undefined ? Segments.of(run, totalBytes) : segments.with(run);
    at = end;
  }
  return at === body.receivedBytes ? segments : undefined;
}
