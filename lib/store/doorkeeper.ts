/**
 * Tells what is asked for a second time within a while from what is asked for once: by a table of hashes, in which a new
 * one takes the place of an old one. It may forget too soon; it takes one for another once in four thousand million.
 */
import { DOORKEEPER_PLACES } from '../base/disk-limits.js';

export class Doorkeeper {
  readonly #seen = new Uint32Array(DOORKEEPER_PLACES);

  /** Whether a hash of 32 bits is known already; known it is from now on. */
  knows(hash: number): boolean {
    const place = hash & (DOORKEEPER_PLACES - 1);
    const isKnown = this.#seen[place] === hash;
    this.#seen[place] = hash;
    return isKnown;
  }
}
