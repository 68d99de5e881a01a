/**
 * The form in which contents of requests are compared, where a rule caches POST (RFC 9110 §9.3.3): one for all that mean
 * the same. Forms and JSON are sorted; what cannot be read as what it says it is counts byte for byte.
 */
import { MAX_KEYED_JSON_DEPTH } from '../base/limits.js';
import type { Fields } from '../http/fields.js';
import { jsonForm } from '../http/json-form.js';
import { queryPairs, sortedPairs, writtenPairs } from '../http/query.js';

/** Fields by which one request differs from the next in more than its content: such a POST is not answered from the store. */
const CONDITIONS = ['if-match', 'if-none-match', 'if-modified-since', 'if-unmodified-since', 'if-range', 'range'];

/** Whether a POST asks for something that its rule does not speak of: a condition, or a part (RFC 9110 §13.1, §14.2). */
export function hasConditions(fields: Fields): boolean {
  return CONDITIONS.some((name) => fields.has(name));
}

const FORM = 'application/x-www-form-urlencoded';
const JSON_TYPE = /^application\/(?:json|[^;\s]+\+json)$/;

function normalContent(type: string, content: Buffer): Buffer | string {
  if (type !== FORM && !JSON_TYPE.test(type)) return content;
  const text = content.toString('utf8');
  // Not UTF-8: two different contents would read the same.
  if (!Buffer.from(text, 'utf8').equals(content)) return content;
  if (type !== FORM) return jsonForm(text, MAX_KEYED_JSON_DEPTH) ?? content;
  // For some origins a parameter ends at `;` too: the order of the pairs around it may mean something.
  return text.includes(';') ? content : writtenPairs(sortedPairs(queryPairs(text)));
}

/** What tells this content from others: what it says it is, and what it is, in that form. */
export function contentForm(fields: Fields, content: Buffer): readonly [what: string, form: Buffer | string] {
  const type = fields.get('content-type') ?? '';
  const coding = fields.get('content-encoding') ?? '';
  const semicolon = type.indexOf(';');
  const mediaType = (semicolon < 0 ? type : type.slice(0, semicolon)).trim().toLowerCase();
  const form = coding === '' ? normalContent(mediaType, content) : content;
  // Parameters stay as they are: case counts in the boundary of a multipart content (RFC 2046 §5.1.1).
  const parameters = semicolon < 0 ? '' : type.slice(semicolon);
  return [JSON.stringify([mediaType, parameters, coding.toLowerCase(), typeof form]), form];
}
