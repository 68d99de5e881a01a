/**
 * One form for all JSON texts that differ in the order of members or in the space between tokens alone (RFC 8259 §4).
 * Strings and numbers stay as they are written: 1 and 1.0, "a" and "\u0061" may mean the same, and somebody may tell them apart.
 */

const SPACE = /[\t\n\r ]*/y;
/** A string, a number or a word, in a text that is known to be JSON. */
const SCALAR = /"(?:[^"\\]|\\.)*"|[-+.0-9A-Za-z]+/y;

class Unreadable extends Error {
  override readonly name = 'Unreadable';
}

/** Reads one text; `maxDepth` bounds how deep arrays and objects may stand in each other. */
class Reader {
  readonly #text: string;
  readonly #maxDepth: number;
  #at = 0;

  constructor(text: string, maxDepth: number) {
    this.#text = text;
    this.#maxDepth = maxDepth;
  }

  whole(): string {
    const value = this.#value(0);
    this.#take(SPACE);
    if (this.#at !== this.#text.length) throw new Unreadable();
    return value;
  }

  #take(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0];
    if (found !== undefined) this.#at += found.length;
    return found;
  }

  #takeChar(char: string): boolean {
    this.#take(SPACE);
    if (this.#text[this.#at] !== char) return false;
    this.#at++;
    return true;
  }

  #scalar(): string {
    this.#take(SPACE);
    const found = this.#take(SCALAR);
    if (found === undefined) throw new Unreadable();
    return found;
  }

  #value(depth: number): string {
    if (depth > this.#maxDepth) throw new Unreadable();
    if (this.#takeChar('[')) return `[${this.#members(']', () => this.#value(depth + 1)).join(',')}]`;
    if (!this.#takeChar('{')) return this.#scalar();
    const names = new Set<string>();
    const members = this.#members('}', () => {
      const name = this.#scalar();
      if (!name.startsWith('"') || !this.#takeChar(':')) throw new Unreadable();
      // Which of two members of one name counts is for the reader to say (RFC 8259 §4): their order means something.
      // "a" and "\u0061" are one name.
      const meant = String(JSON.parse(name));
      if (names.has(meant)) throw new Unreadable();
      names.add(meant);
      return `${name}:${this.#value(depth + 1)}`;
    });
    return `{${members.sort().join(',')}}`;
  }

  #members(end: string, read: () => string): string[] {
    if (this.#takeChar(end)) return [];
    const members = [read()];
    while (this.#takeChar(',')) members.push(read());
    if (!this.#takeChar(end)) throw new Unreadable();
    return members;
  }
}

/** The text in that form; undefined where it is no JSON, has two members of one name, or is too deep. */
export function jsonForm(text: string, maxDepth: number): string | undefined {
  try {
    JSON.parse(text);
    return new Reader(text, maxDepth).whole();
  } catch (error) {
    if (error instanceof Unreadable || error instanceof SyntaxError) return undefined;
    throw error;
  }
}
