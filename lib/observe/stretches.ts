/** Where bytes of the last lines stand in the batch that is filled, for lines that have the same. */

import { copyWithin } from './line-bytes.js';

/** Texts of one kind that are remembered: a power of two. */
const PLACES = 16;

/** Which place a text has; another with the same takes it over. NaN, of an empty text, is 0. */
export function placeOf(what: number): number {
  return what & (PLACES - 1);
}

/** Texts of one kind, and what they were made for. */
export class Stretches<Source> {
  readonly #sources: (Source | undefined)[] = Array.from({ length: PLACES });
  readonly #from = new Int32Array(PLACES);
  readonly #to = new Int32Array(PLACES);

  /** Another batch is filled. */
  forget(): void {
    this.#sources.fill(undefined);
  }

  at(place: number): Source | undefined {
    return this.#sources[place];
  }

  /** Writes the text of this place once more. Returns where it ends. */
  repeat(place: number, bytes: Buffer, at: number): number {
    const from = this.#from[place] as number;
    const to = this.#to[place] as number;
    copyWithin.call(bytes, at, from, to);
    return at + to - from;
  }

  /** Writes another text, which takes this place. Returns where it ends. */
  write(place: number, bytes: Buffer, at: number, source: Source, text: string): number {
    const end = at + bytes.write(text, at);
    this.#sources[place] = source;
    this.#from[place] = at;
    this.#to[place] = end;
    return end;
  }
}
