/**
 * Entity-tags: the lists that conditions carry, and the two comparisons. A tag stays the string that came off the
 * wire, byte for byte; nothing here quotes, unquotes or re-orders one.
 * Implements RFC 9110 §8.8.3, §8.8.3.2 and the lists of §13.1.1, §13.1.2.
 */
import { trimOws } from './tokens.js';

/** An opaque-tag in quotes, weak or not. Spaces are outside the grammar but inside many tags in use. */
const WELL_FORMED = /^(?:W\/)?"[^"]*"$/;
/** One well-formed tag at the place where scanning stands. */
const NEXT_TAG = /(?:W\/)?"[^"]*"/y;

const TAB = 0x09;
const SPACE = 0x20;
const COMMA = 0x2c;

/**
 * The members of an If-Match or If-None-Match value, or `*` where that is all of it.
 *
 * A backslash in an entity-tag escapes nothing and a comma separates nothing there, so a splitter for quoted strings
 * does not do. A member that is no entity-tag (`abc`, `w/"abc"`, an open quote) is kept as it is: it can match only
 * an ETag field that was sent with exactly the same bytes, which is what both sides then mean by it.
 */
export function parseEntityTags(value: string): readonly string[] | '*' {
  const trimmed = trimOws(value);
  if (trimmed === '*') return '*';
  const tags: string[] = [];
  let at = 0;
  while (at < trimmed.length) {
    if (isSeparator(trimmed.charCodeAt(at))) {
      at++;
      continue;
    }
    const end = endOfMember(trimmed, at);
    tags.push(trimOws(trimmed.slice(at, end)));
    at = end;
  }
  return tags;
}

function isSeparator(code: number): boolean {
  return code === COMMA || code === SPACE || code === TAB;
}

function endOfMember(text: string, from: number): number {
  NEXT_TAG.lastIndex = from;
  let end = from;
  // Whatever stands between a tag and the next comma belongs to the member, and makes it a malformed one.
  if (NEXT_TAG.test(text)) end = NEXT_TAG.lastIndex;
  const comma = text.indexOf(',', end);
  return comma < 0 ? text.length : comma;
}

/** The entity-tag of an ETag field value; undefined where the field is absent or empty. */
export function entityTagOf(value: string | undefined): string | undefined {
  if (value === undefined) return undefined;
  const tag = trimOws(value);
  return tag === '' ? undefined : tag;
}

/** Whether a tag can promise byte-for-byte equality: well-formed, and not marked weak. */
export function isStrong(tag: string): boolean {
  return tag.charCodeAt(0) === 0x22 && WELL_FORMED.test(tag);
}

/** RFC 9110 §8.8.3.2: both strong, and the same characters. */
export function strongMatch(a: string, b: string): boolean {
  return a === b && isStrong(a);
}

/** RFC 9110 §8.8.3.2: the same opaque-tag, whether or not either is weak. */
export function weakMatch(a: string, b: string): boolean {
  return a === b || opaquePart(a) === opaquePart(b);
}

function opaquePart(tag: string): string {
  return tag.startsWith('W/"') ? tag.slice(2) : tag;
}
