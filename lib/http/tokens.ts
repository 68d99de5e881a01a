/**
 * The small grammar that most fields share: tokens, quoted strings, comma-separated lists.
 * Implements RFC 9110 §5.6.1, §5.6.2, §5.6.4.
 */

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

const TAB = 0x09;
const SPACE = 0x20;
const QUOTE = 0x22;
const COMMA = 0x2c;
const BACKSLASH = 0x5c;

/** Whether `text` is a token (RFC 9110 §5.6.2). */
export function isToken(text: string): boolean {
  return TOKEN.test(text);
}

/** `text` without optional white space (space and tab alone, RFC 9110 §5.6.3) at both ends. */
export function trimOws(text: string): string {
  let from = 0;
  let until = text.length;
  while (from < until && isOws(text.charCodeAt(from))) from++;
  while (until > from && isOws(text.charCodeAt(until - 1))) until--;
  return from === 0 && until === text.length ? text : text.slice(from, until);
}

function isOws(code: number): boolean {
  return code === SPACE || code === TAB;
}

/**
 * The elements of a list, in order (RFC 9110 §5.6.1). A comma inside a quoted string separates nothing, optional
 * white space around an element is no part of it, and empty elements are dropped (RFC 9110 §5.6.1.2).
 * A quoted string that never ends takes in the rest of the value: what follows is not ours to guess.
 */
export function splitList(value: string): string[] {
  const elements: string[] = [];
  let from = 0;
  let isQuoted = false;
  const { length } = value;
  for (let at = 0; at < length; at++) {
    const code = value.charCodeAt(at);
    if (isQuoted) {
      if (code === BACKSLASH) at++;
      else if (code === QUOTE) isQuoted = false;
    } else if (code === QUOTE) {
      isQuoted = true;
    } else if (code === COMMA) {
      pushElement(elements, value.slice(from, at));
      from = at + 1;
    }
  }
  pushElement(elements, from === 0 ? value : value.slice(from));
  return elements;
}

function pushElement(elements: string[], element: string): void {
  const trimmed = trimOws(element);
  if (trimmed !== '') elements.push(trimmed);
}

/**
 * What a quoted string means, its escapes resolved (RFC 9110 §5.6.4).
 * Undefined where `text` is not exactly one quoted string.
 */
export function unquote(text: string): string | undefined {
  const last = text.length - 1;
  if (last < 1 || text.charCodeAt(0) !== QUOTE || text.charCodeAt(last) !== QUOTE) return undefined;
  let meaning = '';
  let from = 1;
  for (let at = 1; at < last; at++) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) return undefined;
    if (code === BACKSLASH) {
      // The backslash must escape something that is still inside: `"\"` has no closing quote.
      if (at + 1 === last) return undefined;
      meaning += text.slice(from, at);
      from = ++at;
    }
  }
  return meaning + text.slice(from, last);
}

/** `text` as a quoted string: the reverse of unquote (RFC 9110 §5.6.4). */
export function quote(text: string): string {
  return `"${text.replace(/["\\]/g, '\\$&')}"`;
}
