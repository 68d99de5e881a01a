/**
 * What a rule makes of a request before it is looked up and before the origin sees it: fewer different values of the
 * fields that Vary names, and the fields that an operator sets. Implements RFC 9110 §12.5.3, §12.5.4 and, of RFC 4647
 * §3.4, the lookup of a language.
 */
import type { FieldEdits, Rule } from '../config/rule.js';
import { Fields } from '../http/fields.js';
import { splitList, trimOws } from '../http/tokens.js';

/** The fields as the rule has them; the same object where it changes nothing. */
export function shapedFields(fields: Fields, rule: Rule): Fields {
  const { acceptEncoding, acceptLanguage } = rule.normalize;
  let shaped = fields;
  if (acceptEncoding.length > 0)
    shaped = narrowed(shaped, 'accept-encoding', 'Accept-Encoding', acceptEncoding, codingWeight);
  if (acceptLanguage.length > 0)
    shaped = narrowed(shaped, 'accept-language', 'Accept-Language', acceptLanguage, languageWeight);
  return editedFields(shaped, rule.request);
}

/** Removed, then set, then appended. */
export function editedFields(fields: Fields, { remove, set, append }: FieldEdits): Fields {
  if (remove.length === 0 && set.length === 0 && append.length === 0) return fields;
  const gone = new Set([...remove, ...set.map(([name]) => name)].map((name) => name.toLowerCase()));
  const raw = [...fields.filter((name) => !gone.has(name)).raw];
  for (const [name, value] of [...set, ...append]) raw.push(name, value);
  return new Fields(raw);
}

interface Ranked {
  readonly range: string;
  readonly weight: number;
}

/** Puts the best of `offered` in the place of a ranked field; takes the field out where none of them is accepted. */
function narrowed(
  fields: Fields,
  lower: string,
  name: string,
  offered: readonly string[],
  weightOf: (one: string, ranked: readonly Ranked[]) => number,
): Fields {
  const value = fields.get(lower);
  if (value === undefined) return fields;
  const ranked = splitList(value).map(parseRanked);
  let best: string | undefined;
  let bestWeight = 0;
  for (const one of offered) {
    const weight = weightOf(one, ranked);
    // Where the client ranks several alike, the operator's order decides.
    if (weight > bestWeight) [best, bestWeight] = [one, weight];
  }
  if (best === value) return fields;
  return best === undefined ? fields.without(lower) : fields.set(name, best);
}

function parseRanked(member: string): Ranked {
  const [range = '', ...parameters] = member.split(';').map(trimOws);
  const weight = parameters
    .map((parameter) => /^q=([01](?:\.\d{0,3})?)$/i.exec(parameter)?.[1])
    .find((q) => q !== undefined);
  return { range: range.toLowerCase(), weight: weight === undefined ? 1 : Number(weight) };
}

/** RFC 9110 §12.5.3: a coding that is named goes by its weight, any other by that of `*`. */
function codingWeight(coding: string, ranked: readonly Ranked[]): number {
  // RFC 9110 §8.4.1.3: recipients take the old name for the same coding.
  const names = coding === 'gzip' ? ['gzip', 'x-gzip'] : [coding];
  const own = ranked.find(({ range }) => names.includes(range)) ?? ranked.find(({ range }) => range === '*');
  return own?.weight ?? 0;
}

/** RFC 4647 §3.4: a range is shortened from its end until it names the language; `en-GB` is satisfied with `en`. */
function languageWeight(language: string, ranked: readonly Ranked[]): number {
  let weight = 0;
  for (const { range, weight: own } of ranked) {
    const names = range === language || range.startsWith(`${language}-`) || language.startsWith(`${range}-`);
    if (names) weight = Math.max(weight, own);
  }
  return weight > 0 ? weight : (ranked.find(({ range }) => range === '*')?.weight ?? 0);
}
