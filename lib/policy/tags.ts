/** The tags (surrogate keys) of a response: words of the field that its rule names, by which an operator finds it again. */
import { NO_TAGS } from '../config/rule.js';
import type { Fields } from '../http/fields.js';

/** Origins write them with spaces, with commas, or with both. */
const BETWEEN_TAGS = /[\s,]+/;

/** Each tag once, in the order of the field; undefined where the rule reads none, or the field is not there. */
export function tagsOf(fields: Fields, fieldName: string): readonly string[] | undefined {
  if (fieldName === NO_TAGS) return undefined;
  const value = fields.get(fieldName);
  if (value === undefined) return undefined;
  const tags = new Set(value.split(BETWEEN_TAGS).filter((tag) => tag !== ''));
  return tags.size === 0 ? undefined : [...tags];
}
