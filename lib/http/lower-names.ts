/**
 * Field names in lower case, as they are compared (RFC 9110 §5.1). The same few come with every message, in the case that
 * their sender has for them: to make a text in lower case of each anew costs more than to know the one of before.
 */
import { KEPT_LOWER_NAMES, MAX_KEPT_NAME_LENGTH } from '../base/limits.js';

/** By place; what has the same place drives out what had it before. */
const names: string[] = new Array<string>(KEPT_LOWER_NAMES).fill('');
const lowerNames: string[] = new Array<string>(KEPT_LOWER_NAMES).fill('');

/** A field name, in whatever case, in lower case. */
export function lowerName(name: string): string {
  const { length } = name;
  if (length === 0 || length > MAX_KEPT_NAME_LENGTH) return name.toLowerCase();
  const place = (length * 31 + name.charCodeAt(0) * 7 + name.charCodeAt(length - 1) * 3) & (KEPT_LOWER_NAMES - 1);
  if (names[place] === name) return lowerNames[place] as string;
  const lower = name.toLowerCase();
  names[place] = name;
  lowerNames[place] = lower;
  return lower;
}
