/** A set of field names, in which a name is looked for as it came: its length alone mostly tells that it is not one of them. */

import { lowerName } from './lower-names.js';

export class NameSet {
  /** In lower case. */
  readonly #names: ReadonlySet<string>;
  /** A bit for each length of a name, that of 32 with that of 0. */
  readonly #lengths: number;

  /** `names` are in lower case. */
  constructor(names: readonly string[]) {
    this.#names = new Set(names);
    let lengths = 0;
    for (const { length } of names) lengths |= 1 << length;
    this.#lengths = lengths;
  }

  /** Whether none of them has a length that is among these, told as here. */
  hasNoneOf(lengths: number): boolean {
    return (this.#lengths & lengths) === 0;
  }

  /** Whether a name, in whatever case, is one of them (RFC 9110 §5.1: names are case-insensitive). */
  has(name: string): boolean {
    if ((this.#lengths & (1 << name.length)) === 0) return false;
    return this.#names.has(lowerName(name));
  }
}
