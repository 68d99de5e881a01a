/**
 * Puts together what came of one representation in several answers: parts, a whole and its parts, a download that broke off and its
 * rest. Implements RFC 9111 §3.4 and RFC 9110 §14.4, §15.3.7.
 */
import { MAX_PARTS } from '../base/limits.js';
import { CONTENT_SUMS } from '../http/content-sums.js';
import { entityTagOf, strongMatch } from '../http/entity-tags.js';
import type { Fields } from '../http/fields.js';
import { parseContentRange } from '../http/ranges.js';
import { Body } from '../object/body.js';
import { Segments } from '../object/segments.js';
import type { StoredResponse } from '../object/stored.js';
import { expiredLife } from '../policy/expire.js';
import { lifeOf } from '../policy/lifetime.js';
import { mergeFields } from '../policy/merge.js';
import { judgeStorable } from '../policy/storable.js';
import { tagsOf } from '../policy/tags.js';
import { selectionOf, varyNames } from '../policy/vary.js';
import type { FillSpec } from './fill-contract.js';
import { ruleOf } from './receipt.js';

/** Where a 206 says that its bytes belong, checked against the bytes that came (RFC 9110 §14.4). */
export interface Part {
  readonly from: number;
  readonly totalBytes: number | undefined;
  /** What Content-Range claims as the end, exclusive. */
  readonly until: number;
  /** Whether its length was told. Where it was not, the end of a connection that breaks may be taken for its own. */
  readonly isMeasured: boolean;
}

const MULTIPART = /^multipart\/byteranges\s*(;|$)/i;

/** The place of a single-part 206; undefined for a multipart one (RFC 9110 §15.3.7.2), or nonsense. */
export function partOf(fields: Fields): Part | undefined {
  const value = fields.first('content-range');
  const read = value === undefined ? undefined : parseContentRange(value);
  if (read?.kind !== 'part' || MULTIPART.test(fields.first('content-type') ?? '')) return undefined;
  const { from, until, totalBytes } = read;
  return { from, until, totalBytes, isMeasured: fields.has('content-length') };
}

/**
 * The record of a part that arrived complete. Content-Length tells how many bytes came, Content-Range where they begin: where
 * the two disagree about the end, and the part was to reach the end of the body, the body ends where its bytes do.
 * More bytes than claimed are believed not at all, nor fewer where nothing tells that these are all (RFC 9112 §8).
 */
export function partRecord(
  spec: Pick<FillSpec, 'request' | 'rules'>,
  response: StoredResponse,
  part: Part,
  known: StoredResponse | undefined,
): StoredResponse | undefined {
  const chunks = response.body.wholeChunks;
  const until = part.from + response.body.receivedBytes;
  if (chunks === undefined || until === part.from || until > part.until) return undefined;
  if (until < part.until && !part.isMeasured) return undefined;
  const totalBytes = part.until === part.totalBytes ? until : part.totalBytes;
  const segment = { from: part.from, until, chunks };
  const mayCombine =
    known?.partial !== undefined &&
    known.partial.runs.length < MAX_PARTS &&
    known.partial.totalBytes === totalBytes &&
    isSameRepresentation(known.fields, response.fields);
  const partial = Segments.of(segment, totalBytes);
  const fields = response.fields.without('content-range').withoutAny(CONTENT_SUMS);
  // It was judged as the whole that it is a part of, and lives as that does.
  const alone = judgedAnew(spec, { ...response, status: 200, reasonPhrase: 'OK', body: Body.empty, partial }, fields);
  if (alone === undefined) return undefined;
  const updated = mayCombine ? updatedRecord(spec, known, alone) : undefined;
  if (updated !== undefined) return { ...updated, partial: known?.partial?.with(segment) };
  // RFC 9110 §15.3.7: to If-Range the origin leaves out what its client knows already, and nobody here does.
  return spec.request.fields.has('if-range') ? undefined : alone;
}

/**
 * RFC 9111 §3.4: `newer`, with what it leaves out of the fields of `older`, another record of the same representation: a 206 to
 * If-Range repeats few (RFC 9110 §15.3.7). Whatever is made of fields is made anew. Undefined where these may not be shared, or the
 * bytes are in two codings.
 */
export function updatedRecord(
  spec: Pick<FillSpec, 'request' | 'rules'>,
  older: StoredResponse,
  newer: StoredResponse,
): StoredResponse | undefined {
  const fields = updatedFields(older, newer.fields);
  return fields === undefined ? undefined : judgedAnew(spec, newer, fields);
}

/** The fields of `older` with those of a newer answer that has bytes of the same; undefined where these are in another coding. */
export function updatedFields(older: StoredResponse, newer: Fields): Fields | undefined {
  if (!isInCodingOf(older, newer)) return undefined;
  const merged = mergeFields(older.fields, newer);
  const coding = newer.get('content-encoding');
  const isNew = coding !== undefined && !older.fields.has('content-encoding');
  return isNew ? merged.append('Content-Encoding', coding) : merged;
}

/**
 * Whether an answer that has bytes of the same as `older` has them in the same coding: not every origin gives another tag to another
 * coding (RFC 9110 §8.8.3). That of a whole is in none where it names none; a part may have left it out.
 */
export function isInCodingOf(older: StoredResponse, newer: Fields): boolean {
  const coding = newer.get('content-encoding');
  const known = older.fields.get('content-encoding');
  return coding === undefined || coding === known || (known === undefined && older.partial !== undefined);
}

/** The record with these fields, and whatever is made of fields by those; undefined where they may not be shared. */
function judgedAnew(
  { request, rules }: Pick<FillSpec, 'request' | 'rules'>,
  record: StoredResponse,
  given: Fields,
): StoredResponse | undefined {
  const { status, receivedWall, chance = 0, expiredAt, despite = [] } = record;
  const rule = ruleOf({ request, rules }, { status, fields: given });
  const judged = { status, fields: given, rule, receivedWall };
  const verdict = judgeStorable({ ...judged, method: 'GET', requestFields: request.fields });
  if (!verdict.store) return undefined;
  const { fields, by } = verdict;
  const receivedAt = record.receivedAt ?? record.fetchedAt;
  const initialAgeMs = Math.max(0, receivedAt - record.life.bornAt);
  const life = lifeOf({ ...judged, by, initialAgeMs, receivedAt, chance });
  return {
    ...record,
    selection: selectionOf(varyNames(fields), request.fields),
    fields,
    life: expiredAt === undefined ? life : expiredLife(life, expiredAt),
    tags: tagsOf(fields, rule.tagsFrom),
    rule: rule.name,
    madeBy: rule,
    despite: [...new Set([...verdict.despite, ...despite])],
  };
}

/** RFC 9111 §3.4: parts are of one representation only where both have the same strong entity-tag. */
export function isSameRepresentation(one: Fields, other: Fields): boolean {
  const mine = entityTagOf(one.first('etag'));
  const theirs = entityTagOf(other.first('etag'));
  return mine !== undefined && theirs !== undefined && strongMatch(mine, theirs);
}

/** An interrupted download goes on where it broke off, where the representation can be told to be the same. */
export function isResumable(
  { status, fields, body }: StoredResponse,
  inflow: { readonly isKept: boolean } | undefined,
): boolean {
  return status === 200 && inflow?.isKept === true && body.receivedBytes > 0 && isSameRepresentation(fields, fields);
}
