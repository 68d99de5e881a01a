/** What field values mean that were read lately: the same few come with nearly every message. */
import { MAX_KNOWN_VALUE_LENGTH, MAX_KNOWN_VALUES } from '../base/limits.js';

export class Known<Meaning> {
  readonly #read: (text: string) => Meaning | undefined;
  readonly #meanings = new Map<string, Meaning>();

  /** `read` finds out what a value means, which depends on nothing else; undefined is found out anew each time. */
  constructor(read: (text: string) => Meaning | undefined) {
    this.#read = read;
  }

  of(text: string): Meaning | undefined {
    const known = this.#meanings.get(text);
    if (known !== undefined) return known;
    const meaning = this.#read(text);
    if (meaning === undefined || text.length > MAX_KNOWN_VALUE_LENGTH) return meaning;
    // Who makes values up costs the others their place, not memory.
    if (this.#meanings.size >= MAX_KNOWN_VALUES) this.#meanings.clear();
    this.#meanings.set(text, meaning);
    return meaning;
  }
}
