/**
 * Targets as text, kept for those that are asked for again: to make a string of bytes, and to work out the hash by which a
 * map finds it, costs more than to compare the bytes with those that it was made of.
 */
import { KEPT_TARGET_BYTES, KEPT_TARGETS } from '../base/limits.js';

export class Targets {
  /** By place; what has the same place drives out what had it before. */
  readonly #texts: string[] = new Array(KEPT_TARGETS).fill('');
  /** The bytes of each, as many as it has characters. */
  readonly #bytes = new Uint8Array(KEPT_TARGETS * KEPT_TARGET_BYTES);

  /** The target from `from` until `until`, every byte of which is ASCII; `hash`: any function of these bytes. */
  text(bytes: Buffer, from: number, until: number, hash: number): string {
    const length = until - from;
    if (length > KEPT_TARGET_BYTES) return bytes.toString('latin1', from, until);
    const place = (hash ^ (hash >>> 15)) & (KEPT_TARGETS - 1);
    const start = place * KEPT_TARGET_BYTES - from;
    const text = this.#texts[place] as string;
    const own = this.#bytes;
    if (text.length === length) {
      let at = from;
      while (at < until && own[start + at] === bytes[at]) at++;
      if (at === until) return text;
    }
    for (let at = from; at < until; at++) own[start + at] = bytes[at] as number;
    const made = bytes.toString('latin1', from, until);
    this.#texts[place] = made;
    return made;
  }
}
