/**
 * The conditional request that validates what is stored, and which stored response a 304 is about.
 * Implements RFC 9111 §4.3.1, §4.3.4 and RFC 9110 §13.1.2, §13.1.3.
 */
import { MAX_SENT_ENTITY_TAG_BYTES, MAX_SENT_ENTITY_TAGS } from '../base/limits.js';
import { parseHttpDate } from '../http/dates.js';
import { entityTagOf, isStrong, strongMatch, weakMatch } from '../http/entity-tags.js';
import type { Fields } from '../http/fields.js';
import { NameSet } from '../http/name-set.js';
import { trimOws } from '../http/tokens.js';
import type { StoredResponse } from '../object/stored.js';
import { isStrongDate } from './precondition.js';
import { isSelectedBy, sameNames, varyNames } from './vary.js';

/** What a conditional request said it was about. */
export interface SentValidators {
  /** No condition was sent: a 304 would be an answer to nothing. */
  readonly none: boolean;
  /** In If-None-Match, byte for byte as the origin sent them. */
  readonly entityTags: readonly string[];
  /** In If-Modified-Since, byte for byte. */
  readonly lastModified: string | undefined;
}

export type RefetchReason =
  /** We sent no condition, or nothing that it was sent for is stored any more. */
  | 'unsolicited-304'
  /** Its entity-tag is of no stored response. */
  | 'etag-mismatch'
  /** Its Last-Modified is of no stored response. */
  | 'last-modified-mismatch'
  /** It nominates other request fields than the stored response did. */
  | 'vary-changed'
  /** It names no validator, and several stored responses were asked about. */
  | 'ambiguous-304';

export type NotModifiedVerdict =
  | { readonly kind: 'freshen'; readonly target: StoredResponse }
  | { readonly kind: 'refetch'; readonly reason: RefetchReason };

const NOTHING_SENT: SentValidators = { none: true, entityTags: [], lastModified: undefined };

/** The client's own conditions and ranges: about its own copy, not about ours. */
const CLIENTS_OWN = new NameSet([
  'if-match',
  'if-modified-since',
  'if-none-match',
  'if-range',
  'if-unmodified-since',
  'range',
]);

/** Whether a conditional request can be made for it: it has an ETag, or a Last-Modified that is a date. */
export function hasValidator(fields: Fields): boolean {
  return entityTagOf(fields.first('etag')) !== undefined || validLastModified(fields) !== undefined;
}

/**
 * Last-Modified byte for byte, where it is a date. Date does not stand in for it: a change in the same second as the
 * response, or between the making of the content and its sending, would be taken for no change.
 */
function validLastModified(fields: Fields): string | undefined {
  const value = fields.first('last-modified');
  return value !== undefined && parseHttpDate(value, 0) !== undefined ? value : undefined;
}

function isPart(stored: StoredResponse): boolean {
  return stored.partial !== undefined || stored.status === 206;
}

/** The request fields without the client's own conditions and ranges: asks for the whole, whatever the client has. */
export function unconditionalFields(requestFields: Fields): Fields {
  return requestFields.withoutAny(CLIENTS_OWN);
}

/**
 * The request fields that ask the origin whether what is stored still holds. `candidates` are all stored responses of
 * the key, newest first; `chosen` is the one that the request selects, if any. The client's own conditions and ranges
 * never go along. Where nothing stored has a validator the result asks for the whole, and `sent.none` says so.
 */
export function conditionalFields(
  requestFields: Fields,
  candidates: readonly StoredResponse[],
  chosen: StoredResponse | undefined,
): { fields: Fields; sent: SentValidators } {
  if (chosen === undefined && candidates.length === 0) {
    return { fields: unconditionalFields(requestFields), sent: NOTHING_SENT };
  }
  const lastModified = chosen === undefined ? undefined : validLastModified(chosen.fields);
  const entityTags = tagsToSend(candidates, chosen, lastModified);
  const asked = unconditionalFields(requestFields);
  if (entityTags.length === 0 && lastModified === undefined) return { fields: asked, sent: NOTHING_SENT };
  const conditions: string[] = [];
  // RFC 9111 §4.3.1: both validators go, for recipients on the way that know of dates alone.
  if (entityTags.length > 0) conditions.push('If-None-Match', joined(entityTags));
  if (lastModified !== undefined) conditions.push('If-Modified-Since', lastModified);
  // Behind them, and not joined to them: what comes before is the same for many requests, and is written once for them.
  const fields = asked.followedBy(conditions);
  return { fields, sent: { none: false, entityTags, lastModified } };
}

/** One is not joined to anything: a text that is joined is another one, to be compared by each of its characters. */
function joined(tags: readonly string[]): string {
  return tags.length === 1 ? (tags[0] as string) : tags.join(', ');
}

function tagsToSend(
  candidates: readonly StoredResponse[],
  chosen: StoredResponse | undefined,
  lastModified: string | undefined,
): readonly string[] {
  const first = chosen === undefined ? undefined : entityTagOf(chosen.fields.first('etag'));
  // RFC 9110 §13.1.3: beside If-None-Match the date is ignored. Where it is all we have for the chosen response, the
  // tags of others would turn its 304 into a full answer.
  if (first === undefined && lastModified !== undefined) return [];
  const tags: string[] = first === undefined ? [] : [first];
  let bytes = first?.length ?? 0;
  for (const candidate of candidates) {
    // RFC 9111 §4.3.2: the tag of partial content may be sent only for a range that is stored.
    if (isPart(candidate)) continue;
    const tag = entityTagOf(candidate.fields.first('etag'));
    if (tag === undefined || tags.includes(tag)) continue;
    bytes += tag.length + 2;
    if (tags.length === MAX_SENT_ENTITY_TAGS || bytes > MAX_SENT_ENTITY_TAG_BYTES) break;
    tags.push(tag);
  }
  return tags;
}

/**
 * Which stored response a 304 freshens, by the rules of RFC 9111 §4.3.4 in their order. `update` are the fields of
 * the 304; the other arguments are what conditionalFields took and gave. Where the verdict is `refetch` nothing may
 * be merged, and the request goes out once more without conditions.
 *
 * The target may be a variant that this request's fields do not select: the origin then said that the same
 * representation answers it. It is validated for this request, and may be stored for its selection as well.
 */
export function judgeNotModified(
  update: Fields,
  sent: SentValidators,
  candidates: readonly StoredResponse[],
  chosen: StoredResponse | undefined,
  requestFields: Fields,
): NotModifiedVerdict {
  if (sent.none) return refetch('unsolicited-304');
  const asked = askedAbout(sent, candidates, chosen, requestFields);
  if (asked.length === 0) return refetch('unsolicited-304');
  const target = identify(update, sent, asked, chosen);
  if (typeof target === 'string') return refetch(target);
  // Other request fields select now. What the stored response was selected by is not known in them.
  if (update.has('vary') && !sameNames(varyNames(update), varyNames(target.fields))) return refetch('vary-changed');
  return { kind: 'freshen', target };
}

function refetch(reason: RefetchReason): NotModifiedVerdict {
  return { kind: 'refetch', reason };
}

/** The stored responses that the conditions named, in order of preference: chosen, selected by the request, others; each newest first. */
function askedAbout(
  sent: SentValidators,
  candidates: readonly StoredResponse[],
  chosen: StoredResponse | undefined,
  requestFields: Fields,
): readonly StoredResponse[] {
  if (chosen !== undefined && candidates.length === 1 && candidates[0] === chosen) return candidates;
  const selected: StoredResponse[] = chosen === undefined ? [] : [chosen];
  const others: StoredResponse[] = [];
  for (const candidate of candidates) {
    if (candidate === chosen || isPart(candidate)) continue;
    const tag = entityTagOf(candidate.fields.first('etag'));
    if (tag === undefined || !sent.entityTags.includes(tag)) continue;
    if (isSelectedBy(candidate.selection, requestFields)) selected.push(candidate);
    else others.push(candidate);
  }
  return [...selected, ...others];
}

function identify(
  update: Fields,
  sent: SentValidators,
  asked: readonly StoredResponse[],
  chosen: StoredResponse | undefined,
): StoredResponse | RefetchReason {
  const tag = entityTagOf(update.first('etag'));
  if (tag !== undefined) return identifyByTag(tag, update, sent, asked);
  const lastModified = update.first('last-modified');
  if (lastModified !== undefined) {
    return asked.find((stored) => hasSameDate(stored, lastModified)) ?? 'last-modified-mismatch';
  }
  // Departs from RFC 9111 §4.3.4 because it lets a 304 without validators freshen only a response that has none
  // either, while many origins leave them out of a 304. Where one representation alone was asked about, there is
  // nothing else that such a 304 can mean.
  if (sent.entityTags.length > 1) return 'ambiguous-304';
  return chosen ?? asked[0] ?? 'unsolicited-304';
}

function identifyByTag(
  tag: string,
  update: Fields,
  sent: SentValidators,
  asked: readonly StoredResponse[],
): StoredResponse | RefetchReason {
  const match = isStrong(tag) ? strongMatch : weakMatch;
  const named = asked.find((stored) => {
    const own = entityTagOf(stored.fields.first('etag'));
    return own !== undefined && match(tag, own);
  });
  if (named !== undefined) return named;
  const [first] = asked;
  if (first === undefined) return 'etag-mismatch';
  const own = entityTagOf(first.fields.first('etag'));
  // Departs from RFC 9111 §4.3.4 because servers that compress on the fly (nginx) mark the tag of the 200 as weak and
  // forget to in the 304. The one tag that was sent came back but for that mark; the merge keeps it weak.
  if (own !== undefined) return sent.entityTags.length === 1 && weakMatch(tag, own) ? first : 'etag-mismatch';
  // RFC 9111 §4.3.4: the date is a validator too, and where it is a strong one it identifies a response without ETag.
  const lastModified = update.first('last-modified');
  const isSameByDate = lastModified !== undefined && hasSameDate(first, lastModified);
  return isSameByDate && isStrongDate(first.fields, first.receivedWall) ? first : 'etag-mismatch';
}

function hasSameDate(stored: StoredResponse, lastModified: string): boolean {
  const own = stored.fields.first('last-modified');
  if (own === undefined) return false;
  if (trimOws(own) === trimOws(lastModified)) return true;
  const at = parseHttpDate(own, stored.receivedWall);
  return at !== undefined && at === parseHttpDate(lastModified, stored.receivedWall);
}
