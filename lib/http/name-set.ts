/** A set of field names, in which a name is looked for as it came: its length alone mostly tells that it is not one of them. */

import { lowerName } from './lower-names.js';

/** Lengths beyond have no bit of their own. */
const LAST_BIT = 31;

export class NameSet {
  /** In lower case. */
  readonly #names: ReadonlySet<string>;
  /** A bit for each length of a name. */
  readonly #lengths: number;

  /** `names` are in lower case. */
  constructor(names: readonly string[]) {
    this.#names = new Set(names);
    let lengths = 0;
    for (const { length } of names) lengths |= 1 << Math.min(length, LAST_BIT);
    this.#lengths = lengths;
  }

  /** Whether a name, in whatever case, is one of them (RFC 9110 §5.1: names are case-insensitive). */
  has(name: string): boolean {
    const { length } = name;
    if ((this.#lengths & (1 << Math.min(length, LAST_BIT))) === 0) return false;
    return this.#names.has(lowerName(name));
  }
}
