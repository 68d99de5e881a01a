/**
 * The form in which values of nominated request fields are compared: differences that cannot change what the origin
 * would select are taken out, and no others.
 * Implements RFC 9111 §4.1 (what may be normalised), with the grammar of RFC 9110 §12.4.2, §12.5.1-12.5.4.
 */
import { MAX_NORMAL_FORM_BYTES, MAX_NORMAL_FORMS } from '../base/limits.js';
import { splitList, trimOws } from '../http/tokens.js';

/** Fields whose value is one thing in which a comma or a space beside it may mean something. */
const SINGLETONS: ReadonlySet<string> = new Set([
  'authorization',
  'cookie',
  'origin',
  'referer',
  'user-agent',
  'x-forwarded-host',
]);

/** Ranked lists: how much of a member is without case (RFC 9110 §8.3.1, §8.3.2, §8.4.1, §12.5.4). */
const RANKED: ReadonlyMap<string, 'all' | 'before-parameters'> = new Map([
  ['accept', 'before-parameters'],
  ['accept-charset', 'all'],
  ['accept-encoding', 'all'],
  ['accept-language', 'all'],
]);

/** RFC 9110 §12.4.2. */
const WEIGHT = /^q=(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)$/i;
const SOME_WEIGHT = /^q[ \t]*(=|$)/i;

const normalForms = new Map<string, Map<string, string>>();

/** The form of `value`, the joined lines of the request field `name` (lower case), in which it is compared. */
export function normalValue(name: string, value: string): string {
  const caseless = RANKED.get(name);
  if (caseless === undefined) return SINGLETONS.has(name) ? trimOws(value) : foldListSpace(value);
  // Clients send few different values, and a hit must not pay for taking one apart: the forms are remembered.
  let forms = normalForms.get(name);
  if (forms === undefined) {
    forms = new Map();
    normalForms.set(name, forms);
  }
  const known = forms.get(value);
  if (known !== undefined) return known;
  const form = normalRanking(value, caseless);
  if (value.length <= MAX_NORMAL_FORM_BYTES) {
    if (forms.size >= MAX_NORMAL_FORMS) forms.clear();
    forms.set(value, form);
  }
  return form;
}

/**
 * `value` without the white space beside commas and at its ends, quoted strings untouched (RFC 9111 §4.1). Empty
 * members stay: of a field that we do not know we do not know either that it is a list.
 */
export function foldListSpace(value: string): string {
  if (!value.includes(',')) return trimOws(value);
  let folded = '';
  let from = 0;
  let isQuoted = false;
  for (let at = 0; at < value.length; at++) {
    const char = value[at];
    if (isQuoted && char === '\\') at++;
    else if (char === '"') isQuoted = !isQuoted;
    else if (char === ',' && !isQuoted) {
      folded += `${trimOws(value.slice(from, at))},`;
      from = at + 1;
    }
  }
  return folded + trimOws(value.slice(from));
}

interface Ranked {
  /** The member without its weight. */
  readonly range: string;
  readonly weight: number;
}

/**
 * A ranked list in one order, in one case, with weights written in one way. Order is dropped because only weights
 * rank: RFC 9110 §12.5.4 says of Accept-Language that an order of preference in the list cannot be relied upon.
 */
function normalRanking(value: string, caseless: 'all' | 'before-parameters'): string {
  const members = splitList(value).map((member) => parseRanked(member, caseless));
  return members
    .map(({ range, weight }) => (weight === 1 ? range : `${range};q=${weight}`))
    .sort()
    .join(',');
}

function parseRanked(member: string, caseless: 'all' | 'before-parameters'): Ranked {
  // A semicolon, and a space beside it, may be part of what is quoted: that is compared as it stands.
  if (member.includes('"')) return { range: member, weight: 1 };
  const parts = member.split(';').map(trimOws);
  const last = parts.length > 1 ? WEIGHT.exec(parts[parts.length - 1] as string) : null;
  // RFC 9110 §12.4.2: a member has one weight. Of several one origin takes the first and another the last: none is taken out.
  const isOne = last !== null && !parts.slice(1, -1).some((part) => SOME_WEIGHT.test(part));
  if (!isOne) return { range: rangeOf(parts, caseless), weight: 1 };
  return { range: rangeOf(parts.slice(0, -1), caseless), weight: Number(last[1]) };
}

function rangeOf(parts: readonly string[], caseless: 'all' | 'before-parameters'): string {
  const [name = '', ...parameters] = parts;
  return caseless === 'all' ? parts.join(';').toLowerCase() : [name.toLowerCase(), ...parameters].join(';');
}

/** The one language, in lower case, that an Accept-Language value ranks above all others; undefined where it ranks none so. */
export function preferredLanguage(value: string | undefined): string | undefined {
  if (value === undefined) return undefined;
  let best: Ranked | undefined;
  let isTied = false;
  for (const member of splitList(value)) {
    const ranked = parseRanked(member, 'all');
    if (best === undefined || ranked.weight > best.weight) {
      best = ranked;
      isTied = false;
    } else if (ranked.weight === best.weight && ranked.range !== best.range) {
      isTied = true;
    }
  }
  if (best === undefined || isTied || best.weight === 0 || best.range === '*') return undefined;
  return best.range;
}
