/** Builds the records that a fill makes of what it received: a new response, or a freshened one. */
import { MAX_PARTS, RETRY_AFTER_MAX_MS } from '../base/limits.js';
import type { Rule } from '../config/rule.js';
import { CONTENT_SUMS } from '../http/content-sums.js';
import { formatHttpDate, parseHttpDate } from '../http/dates.js';
import { entityTagOf, strongMatch } from '../http/entity-tags.js';
import type { Fields } from '../http/fields.js';
import { parseContentRange } from '../http/ranges.js';
import { Body } from '../object/body.js';
import { Segments } from '../object/segments.js';
import type { SafetyOverride, StoredResponse } from '../object/stored.js';
import type { OriginResponseHead } from '../origin/contract.js';
import { correctedInitialAgeMs } from '../policy/age.js';
import { expiredLife } from '../policy/expire.js';
import { receivedResponseFields } from '../policy/hygiene.js';
import { type Governing, lifeOf } from '../policy/lifetime.js';
import { mergeFields } from '../policy/merge.js';
import { judgeStorable } from '../policy/storable.js';
import { tagsOf } from '../policy/tags.js';
import { isSelectedBy, selectionOf, varyNames } from '../policy/vary.js';
import type { FillSpec } from './fill-contract.js';

/** A response head as it came, with the instants that its age is computed from. */
export interface Receipt {
  readonly status: number;
  readonly reasonPhrase: string;
  readonly receivedVersion?: '1.0' | undefined;
  /** End-to-end fields. */
  readonly fields: Fields;
  readonly requestAt: number;
  readonly responseAt: number;
  readonly responseWall: number;
  /** From 0 to below 1: which part of a rule's jitter is taken. */
  readonly chance: number;
}

/** A head that came at `responseAt`, to a request that was sent at `requestAt`. */
export function receiptOf(
  head: OriginResponseHead,
  requestAt: number,
  responseAt: number,
  responseWall: number,
  chance: number,
): Receipt {
  return {
    status: head.status,
    reasonPhrase: head.reasonPhrase,
    receivedVersion: head.receivedVersion,
    fields: receivedResponseFields(head.fields),
    requestAt,
    responseAt,
    responseWall,
    chance,
  };
}

/** Any number of so many digits is exact. */
const MAX_LENGTH_DIGITS = 15;
const ZERO_CODE = 0x30;

/** Content-Length as the origin client already checked it. */
export function contentLength(fields: Fields): number | undefined {
  const text = fields.first('content-length');
  if (text === undefined || text.length === 0 || text.length > MAX_LENGTH_DIGITS) return undefined;
  const { length } = text;
  let bytes = 0;
  for (let i = 0; i < length; i++) {
    const digit = text.charCodeAt(i) - ZERO_CODE;
    if (!(digit >= 0 && digit <= 9)) return undefined;
    bytes = bytes * 10 + digit;
  }
  return bytes;
}

/** Length of the body that is to come. That of an answer to HEAD would be that of another (RFC 9110 §8.6). */
export function bodyLength(method: 'GET' | 'HEAD', { status, fields }: Receipt): number | undefined {
  if (method === 'HEAD') return undefined;
  return status === 204 || status === 304 ? 0 : contentLength(fields);
}

/**
 * Whether `stored` leaves out what may not be stored (a stripped Set-Cookie, fields that a qualified private names) and
 * was still meant for the one whose request it answers.
 */
export function isReduced(stored: Fields, receipt: Receipt): boolean {
  const suppliedCount = receipt.fields.has('date') ? 0 : 1;
  return stored.count - suppliedCount < receipt.fields.without('age').count;
}

/** An interrupted download goes on where it broke off, where the representation can be told to be the same. */
export function isResumable(
  { status, fields, body }: StoredResponse,
  inflow: { readonly isKept: boolean } | undefined,
): boolean {
  return status === 200 && inflow?.isKept === true && body.receivedBytes > 0 && isSameRepresentation(fields, fields);
}

export function retryAfterSec(receipt: Receipt): number | undefined {
  const ms = retryAfterMs(receipt);
  return ms === undefined ? undefined : ms / 1000;
}

/** Retry-After in milliseconds from now, bounded (RFC 9110 §10.2.3). */
export function retryAfterMs(receipt: Receipt): number | undefined {
  const text = receipt.fields.first('retry-after')?.trim();
  if (text === undefined) return undefined;
  const at = parseHttpDate(text, receipt.responseWall);
  const ms = /^\d{1,9}$/.test(text) ? Number(text) * 1000 : at === undefined ? undefined : at - receipt.responseWall;
  return ms === undefined ? undefined : Math.min(Math.max(0, ms), RETRY_AFTER_MAX_MS);
}

/** The rule for an answer with this status and these fields to the request that `spec` is about. */
export function ruleOf(
  spec: Pick<FillSpec, 'request' | 'rules'>,
  { status, fields }: Pick<Receipt, 'status' | 'fields'>,
): Rule {
  return spec.rules.ruleForResponse(spec.request, status, fields);
}

/** A record with each of its members named, so that none is forgotten where one is made of another. */
type EachMember = Required<Omit<StoredResponse, 'pushed' | 'receivedVersion'>>;

/** What a response was judged by. */
export interface JudgedBy {
  readonly by: Governing;
  readonly rule: Rule;
}

/**
 * The record of a response that just came. `storable` are the fields that may be stored; without them the record is for
 * its one receiver and carries all end-to-end fields. `judged`: what is known already of how these were judged.
 */
export function madeResponse(
  spec: Pick<FillSpec, 'key' | 'method' | 'request' | 'rules'>,
  receipt: Receipt,
  storable: Fields | undefined,
  body: Body,
  despite: readonly SafetyOverride[] = [],
  judged?: Partial<JudgedBy>,
): StoredResponse {
  let fields = (storable ?? receipt.fields).without('age');
  // The length of a GET is told by the body itself; that of a HEAD is known from the field alone.
  if (spec.method === 'GET') fields = fields.without('content-length');
  // RFC 9110 §6.6.1: a recipient with a clock supplies a Date that is missing.
  if (!fields.has('date')) fields = fields.append('Date', formatHttpDate(receipt.responseWall));
  const rule = judged?.rule ?? ruleOf(spec, receipt);
  const made: EachMember = {
    key: spec.key,
    selection: selectionOf(varyNames(fields), spec.request.fields),
    status: receipt.status,
    reasonPhrase: receipt.reasonPhrase,
    fields,
    body,
    partial: undefined,
    life: lifeOf({
      status: receipt.status,
      fields: receipt.fields,
      rule,
      by: judged?.by,
      initialAgeMs: correctedInitialAgeMs(receipt),
      receivedAt: receipt.responseAt,
      receivedWall: receipt.responseWall,
      chance: receipt.chance,
    }),
    tags: tagsOf(fields, rule.tagsFrom),
    // Named although they are not known yet: a copy with one more member than this costs a further object.
    madeTag: undefined,
    expiredAt: undefined,
    rule: rule.name,
    madeBy: rule,
    receivedAt: receipt.responseAt,
    chance: receipt.chance,
    despite,
    requestedAt: receipt.requestAt,
    fetchedAt: receipt.responseAt,
    receivedWall: receipt.responseWall,
  };
  return receivedBy(made, receipt);
}

/** Members that few have would cost a further object in all others. */
function receivedBy(made: StoredResponse, { receivedVersion }: Receipt): StoredResponse {
  return receivedVersion === undefined ? made : { ...made, receivedVersion };
}

/** What a merged 304 makes of a stored response. */
export interface Freshened {
  /** The new record around the same body. */
  readonly response: StoredResponse;
  /**
   * Where the 304's validator picked a response that was stored for other selecting fields: the same body for the
   * fields of this request, so that its next request finds it at once (RFC 9111 §4.1).
   */
  readonly variant: StoredResponse | undefined;
  /** Where the 304 carried what is for the one who asked alone: the response with it. */
  readonly forLeader: StoredResponse | undefined;
  /** Reason why the merged fields no longer allow sharing. */
  readonly refused: string | undefined;
}

export function freshenedResponse(spec: FillSpec, target: StoredResponse, receipt: Receipt): Freshened {
  // RFC 9110 §6.6.1: without a Date of its own the 304 is dated by its arrival, or the old Date would age the new life.
  const update = receipt.fields.has('date')
    ? receipt.fields
    : receipt.fields.append('Date', formatHttpDate(receipt.responseWall));
  // A cookie that comes with a 304 is for the one who asked; what is stored is the same as before.
  // Which rule it is under may depend on the type of what is stored, which a 304 does not tell.
  const rule = ruleOf(spec, target);
  const isCookieKept = rule.setCookie !== 'share';
  const merged = mergeFields(target.fields, update, isCookieKept ? ['set-cookie'] : []);
  const verdict = judgeStorable({
    method: 'GET',
    requestFields: spec.request.fields,
    status: target.status,
    fields: merged,
    rule,
    receivedWall: receipt.responseWall,
  });
  // Each member by name, as madeResponse() has them: to copy a record of so many costs more than all the rest of this.
  const made: EachMember = {
    key: target.key,
    selection: target.selection,
    status: target.status,
    reasonPhrase: target.reasonPhrase,
    fields: verdict.store ? verdict.fields : merged,
    body: target.body,
    partial: target.partial,
    // Freshness comes from the merged fields, not from those of the 304 alone (PEERS scar 2).
    life: lifeOf({
      status: target.status,
      fields: merged,
      rule,
      by: verdict.store ? verdict.by : undefined,
      initialAgeMs: correctedInitialAgeMs(receipt),
      receivedAt: receipt.responseAt,
      receivedWall: receipt.responseWall,
      chance: receipt.chance,
    }),
    tags: tagsOf(verdict.store ? verdict.fields : merged, rule.tagsFrom),
    madeTag: target.madeTag,
    expiredAt: undefined,
    rule: rule.name,
    madeBy: rule,
    receivedAt: receipt.responseAt,
    chance: receipt.chance,
    despite: verdict.store ? verdict.despite : target.despite,
    requestedAt: receipt.requestAt,
    fetchedAt: target.fetchedAt,
    receivedWall: receipt.responseWall,
  };
  const freshened = receivedBy(made, receipt);
  const response = target.pushed === undefined ? freshened : { ...freshened, pushed: target.pushed };
  const variant = isSelectedBy(target.selection, spec.request.fields) ? undefined : selectedBy(spec.request, response);
  let own = response.fields;
  if (isCookieKept) for (const cookie of receipt.fields.lines('set-cookie')) own = own.append('Set-Cookie', cookie);
  const forLeader = own === response.fields ? undefined : { ...response, fields: own };
  return { response, variant, forLeader, refused: verdict.store ? undefined : verdict.reason };
}

/** The same response, stored for the fields of this request. */
function selectedBy({ fields }: FillSpec['request'], response: StoredResponse): StoredResponse {
  return { ...response, selection: selectionOf(varyNames(response.fields), fields) };
}

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
