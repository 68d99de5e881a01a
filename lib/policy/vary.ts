/**
 * Which stored response of a key answers a request: Vary and the values of the fields it nominates.
 * Implements RFC 9111 §4.1 and RFC 9110 §12.5.5.
 *
 * Every function takes the request fields that the origin gets to see, hop-by-hop and Connection-listed fields gone
 * (policy/hygiene): a client could otherwise store an answer under values that the origin was never shown.
 */
import { MAX_VARY_NAMES } from '../base/limits.js';
import { parseHttpDate } from '../http/dates.js';
import type { Fields } from '../http/fields.js';
import { isToken, splitList } from '../http/tokens.js';
import type { Selection, StoredResponse } from '../object/stored.js';
import { normalValue, preferredLanguage } from './negotiation.js';

const NO_NAMES: readonly string[] = [];

/** Of a response without Vary: every request selects it. */
export const SELECTS_ALL: Selection = { names: NO_NAMES, values: [] };
/** Of a response with `Vary: *`: no request selects it (RFC 9111 §4.1). */
export const SELECTS_NONE: Selection = { names: ['*'], values: [undefined] };

/**
 * Fields that the origin gets from us, with the client's address or our name added: what the client sent in them does
 * not tell which response is right for it.
 */
const WRITTEN_HERE: ReadonlySet<string> = new Set(['x-forwarded-for', 'via']);

/**
 * The field names that Vary nominates: lower case, sorted, each once; `*` where a member is `*`, and where the field
 * is beyond understanding, because what it wanted told apart must not be mixed up.
 */
export function varyNames(fields: Fields): readonly string[] | '*' {
  const value = fields.get('vary');
  if (value === undefined) return NO_NAMES;
  const names = new Set<string>();
  for (const member of splitList(value)) {
    const name = member.toLowerCase();
    if (member === '*' || !isToken(member) || WRITTEN_HERE.has(name)) return '*';
    names.add(name);
    if (names.size > MAX_VARY_NAMES) return '*';
  }
  return names.size === 0 ? NO_NAMES : [...names].sort();
}

/** What a request has in the nominated fields, in the form in which values are compared. */
export function selectionOf(names: readonly string[] | '*', requestFields: Fields): Selection {
  if (names === '*') return SELECTS_NONE;
  if (names.length === 0) return SELECTS_ALL;
  return { names, values: names.map((name) => nominatedValue(name, requestFields)) };
}

function nominatedValue(name: string, requestFields: Fields): string | undefined {
  const value = requestFields.get(name);
  return value === undefined ? undefined : normalValue(name, value);
}

/**
 * Whether the request's nominated fields match those of the request that the response was stored for. Full values
 * are compared, never hashes: a client can make two values collide, and would get at another's response.
 */
export function isSelectedBy(selection: Selection, requestFields: Fields): boolean {
  const { names, values } = selection;
  for (let i = 0; i < names.length; i++) {
    const name = names[i] as string;
    // RFC 9111 §4.1: `*` always fails to match; an absent field matches an absent one only.
    if (name === '*' || nominatedValue(name, requestFields) !== values[i]) return false;
  }
  return true;
}

/** Whether two responses nominate the same fields. */
export function sameNames(a: readonly string[] | '*', b: readonly string[] | '*'): boolean {
  if (a === b) return true;
  if (a === '*' || b === '*') return false;
  return a.length === b.length && a.every((name, i) => name === b[i]);
}

/** The stored response to use for the request, or undefined where none is selected by it. */
export function chooseVariant(
  candidates: readonly StoredResponse[],
  requestFields: Fields,
): StoredResponse | undefined {
  let chosen: StoredResponse | undefined;
  for (const candidate of candidates) {
    if (!isSelectedBy(candidate.selection, requestFields)) continue;
    if (chosen === undefined || isPreferred(candidate, chosen)) chosen = candidate;
  }
  return chosen ?? chooseByLanguage(candidates, requestFields);
}

function isPreferred(candidate: StoredResponse, chosen: StoredResponse): boolean {
  const isVaried = candidate.selection.names.length > 0;
  // RFC 9111 §4.1: some origins leave Vary off their default response; one that has it is chosen before it.
  if (isVaried !== chosen.selection.names.length > 0) return isVaried;
  // RFC 9111 §4: of several, the most recent by Date. At the same second, the store's order stands: newest first.
  return dateOf(candidate) > dateOf(chosen);
}

function dateOf(stored: StoredResponse): number {
  const date = stored.fields.first('date');
  return (date === undefined ? undefined : parseHttpDate(date, stored.receivedWall)) ?? stored.receivedWall;
}

/**
 * Departs from RFC 9111 §4.1 because two Accept-Language values that differ in what they rank lower ask for the same
 * thing: a response in the one language that this request ranks above all others cannot be bettered by the origin.
 * It must name that language alone in Content-Language, and match in every other nominated field.
 */
function chooseByLanguage(candidates: readonly StoredResponse[], requestFields: Fields): StoredResponse | undefined {
  let language: string | undefined;
  let chosen: StoredResponse | undefined;
  for (const candidate of candidates) {
    const { names, values } = candidate.selection;
    if (!names.includes('accept-language')) continue;
    language ??= preferredLanguage(requestFields.get('accept-language'));
    if (language === undefined) return undefined;
    if (candidate.fields.get('content-language')?.toLowerCase() !== language) continue;
    const others = names.every(
      (name, i) => name === 'accept-language' || nominatedValue(name, requestFields) === values[i],
    );
    if (others && (chosen === undefined || isPreferred(candidate, chosen))) chosen = candidate;
  }
  return chosen;
}
