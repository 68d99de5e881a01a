/**
 * The client's conditions, evaluated against a stored response.
 * Implements RFC 9110 §13.1.1-13.1.5, §13.2.1, §13.2.2, §15.4.5, §8.8.2.2 and RFC 9111 §4.3.2.
 */
import { SECOND_MS } from '../base/units.js';
import { parseHttpDate } from '../http/dates.js';
import { entityTagOf, parseEntityTags, strongMatch, weakMatch } from '../http/entity-tags.js';
import type { Fields } from '../http/fields.js';
import { trimOws } from '../http/tokens.js';

/** What is needed of the stored response. */
export interface SelectedResponse {
  readonly status: number;
  readonly fields: Fields;
  /** The wall clock at receipt: the date to compare by where the response has none. */
  readonly receivedWall: number;
}

export type PreconditionVerdict = 'proceed' | 'not-modified' | 'precondition-failed';

const CONDITIONS = ['if-match', 'if-unmodified-since', 'if-none-match', 'if-modified-since'] as const;

/** Whether the request has a condition at all: the quick question before evaluatePreconditions. */
export function isConditional(requestFields: Fields): boolean {
  return CONDITIONS.some((name) => requestFields.has(name));
}

/**
 * What the conditions of a request make of the stored response that answers it, in the order of RFC 9110 §13.2.2.
 *
 * Departs from RFC 9111 §4.3.2 because it leaves If-Match and If-Unmodified-Since to origins, and so has a cache send
 * a representation that the client said it does not want; who resumes a download that way would join two versions.
 * This cache speaks for its one origin and evaluates them against what it would send. Where they do not hold for what is stale,
 * the origin is asked first (`refutes`): what the client names may be what is current by now.
 */
export function evaluatePreconditions(
  method: string,
  requestFields: Fields,
  stored: SelectedResponse,
): PreconditionVerdict {
  // RFC 9110 §13.2.1: conditions count only where the answer without them would be a 2xx. 206 is stored as a 200.
  if (stored.status < 200 || stored.status > 299) return 'proceed';
  const isRetrieval = method === 'GET' || method === 'HEAD';
  const ifMatch = requestFields.get('if-match');
  if (ifMatch !== undefined) {
    if (!listHolds(ifMatch, stored, strongMatch)) return 'precondition-failed';
  } else if (isModifiedAfter(requestFields, stored)) {
    // RFC 9110 §13.1.4: If-Unmodified-Since is ignored beside If-Match.
    return 'precondition-failed';
  }
  const ifNoneMatch = requestFields.get('if-none-match');
  if (ifNoneMatch !== undefined) {
    // RFC 9110 §13.1.2: true where nothing matches, by weak comparison.
    if (!listHolds(ifNoneMatch, stored, weakMatch)) return 'proceed';
    return isRetrieval ? 'not-modified' : 'precondition-failed';
  }
  // RFC 9110 §13.1.3: If-Modified-Since counts for GET and HEAD, and is ignored beside If-None-Match.
  return isRetrieval && isUnmodifiedSince(requestFields, stored) ? 'not-modified' : 'proceed';
}

/** Whether a request says that it does not want this one (RFC 9110 §13.1.1, §13.1.4). */
export function refutes({ method, fields }: { method: string; fields: Fields }, stored: SelectedResponse): boolean {
  if (!fields.has('if-match') && !fields.has('if-unmodified-since')) return false;
  return evaluatePreconditions(method, fields, stored) === 'precondition-failed';
}

function listHolds(list: string, stored: SelectedResponse, match: (a: string, b: string) => boolean): boolean {
  const tags = parseEntityTags(list);
  // `*` is any current representation, and one is stored.
  if (tags === '*') return true;
  const own = entityTagOf(stored.fields.first('etag'));
  return own !== undefined && tags.some((tag) => match(tag, own));
}

/** If-Unmodified-Since is false. Ignored where it is no date, or the representation has none (RFC 9110 §13.1.4). */
function isModifiedAfter(requestFields: Fields, stored: SelectedResponse): boolean {
  const since = conditionDate(requestFields, 'if-unmodified-since', stored);
  if (since === undefined) return false;
  const modified = fieldDate(stored, 'last-modified');
  return modified !== undefined && modified > since;
}

/** If-Modified-Since is false. Ignored where it is no date, or has more than one member (RFC 9110 §13.1.3). */
function isUnmodifiedSince(requestFields: Fields, stored: SelectedResponse): boolean {
  const since = conditionDate(requestFields, 'if-modified-since', stored);
  if (since === undefined) return false;
  // RFC 9111 §4.3.2: without Last-Modified the Date stands for it, and without that the time of receipt, which is
  // cut to the second that a Date would have had.
  const modified =
    fieldDate(stored, 'last-modified') ??
    fieldDate(stored, 'date') ??
    Math.floor(stored.receivedWall / SECOND_MS) * SECOND_MS;
  return modified <= since;
}

function conditionDate(requestFields: Fields, name: string, stored: SelectedResponse): number | undefined {
  // All lines joined: two dates are no date, so the condition is ignored.
  const value = requestFields.get(name);
  return value === undefined ? undefined : parseHttpDate(value, stored.receivedWall);
}

function fieldDate(stored: SelectedResponse, name: string): number | undefined {
  const value = stored.fields.first(name);
  return value === undefined ? undefined : parseHttpDate(value, stored.receivedWall);
}

/** Whether an If-Range names an entity-tag, which is compared strongly, and no date. */
export function isTagCondition(ifRange: string): boolean {
  // RFC 9110 §13.1.5: a quote among the first three characters makes it one.
  return trimOws(ifRange).slice(0, 3).includes('"');
}

/**
 * Whether the Range of a request is to be honoured: it has no If-Range, or that names exactly what is stored
 * (RFC 9110 §13.1.5).
 */
export function ifRangeHolds(
  requestFields: Fields,
  stored: { readonly fields: Fields; readonly receivedWall?: number },
): boolean {
  const condition = requestFields.get('if-range');
  if (condition === undefined) return true;
  const wanted = trimOws(condition);
  if (isTagCondition(condition)) {
    const own = entityTagOf(stored.fields.first('etag'));
    return own !== undefined && strongMatch(wanted, own);
  }
  const lastModified = stored.fields.first('last-modified');
  const isExact = lastModified !== undefined && trimOws(lastModified) === wanted;
  return isExact && isStrongDate(stored.fields, stored.receivedWall ?? 0);
}

/**
 * Whether Last-Modified tells two representations apart: RFC 9110 §8.8.2.2 takes it for strong where Date is at least
 * a second later, because then no further change can hide in the same second. `nowWall` is for the century of two-digit years.
 */
export function isStrongDate(fields: Fields, nowWall: number): boolean {
  const modified = fields.first('last-modified');
  const date = fields.first('date');
  if (modified === undefined || date === undefined) return false;
  const modifiedAt = parseHttpDate(modified, nowWall);
  const datedAt = parseHttpDate(date, nowWall);
  return modifiedAt !== undefined && datedAt !== undefined && datedAt - modifiedAt >= SECOND_MS;
}

/**
 * Metadata of a representation, which a 304 does not repeat (RFC 9110 §15.4.5). All other fields go along: they are
 * about the response, and a cache down the line brings its copy up to date by them. Content-Location, ETag and Vary
 * are metadata too, but the ones that a 304 must have.
 */
const NOT_IN_A_304: ReadonlySet<string> = new Set([
  'accept-ranges',
  'content-digest',
  'content-disposition',
  'content-encoding',
  'content-language',
  'content-length',
  'content-md5',
  'content-range',
  'content-type',
  'digest',
  'repr-digest',
]);

/** The fields of a 304 made from a stored response. */
export function notModifiedFields(stored: Fields): Fields {
  // RFC 9110 §15.4.5: Last-Modified is of use to a receiver only where there is no ETag to go by.
  const hasTag = entityTagOf(stored.first('etag')) !== undefined;
  return stored.filter((name) => !NOT_IN_A_304.has(name) && !(hasTag && name === 'last-modified'));
}
