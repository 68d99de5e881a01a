/**
 * Which stored responses an operation has reached, in a form that is small enough to be told: by these the whole counts each
 * once, in how many workers and tiers it may be.
 */
import { MAX_COUNTED } from '../base/worker-limits.js';
import type { StoredResponse } from '../object/stored.js';
import { leaseName } from './lease-wire.js';

const DIGEST_BYTES = 8;
const FIRST_COUNT = 16;
const UINT32 = 2 ** 32;
/** So that a digest is a whole number below 2^53. */
const HIGH_BITS = 0x1fffff;

/** Where a response is stored. */
export type CountedPlace = Pick<StoredResponse, 'key' | 'selection'>;

/** 53 bits: among a million responses two are one by mistake once in ten thousand operations, and then the count is one less. */
function digestOf({ key, selection }: CountedPlace): number {
  const name = leaseName(key, selection);
  let [low, high] = [0x811c9dc5, 0x01234567];
  for (let at = 0; at < name.length; at++) {
    const code = name.charCodeAt(at);
    low = Math.imul(low ^ code, 0x01000193);
    high = Math.imul(high ^ code, 0x5bd1e995);
    high ^= high >>> 15;
  }
  return (high & HIGH_BITS) * UINT32 + (low >>> 0);
}

/** Those that one worker has reached. */
export class Reached {
  #bytes = Buffer.alloc(FIRST_COUNT * DIGEST_BYTES);
  #count = 0;
  /** Those that there was no room for. */
  further = 0;

  add(place: CountedPlace): void {
    if (this.#count >= MAX_COUNTED) {
      this.further++;
      return;
    }
    const at = this.#count++ * DIGEST_BYTES;
    if (at >= this.#bytes.length) this.#bytes = Buffer.concat([this.#bytes, Buffer.alloc(this.#bytes.length)]);
    this.#bytes.writeDoubleLE(digestOf(place), at);
  }

  get digests(): Uint8Array {
    return this.#bytes.subarray(0, this.#count * DIGEST_BYTES);
  }
}

/** Those that several have reached, each once. */
export class Counted {
  readonly #digests = new Set<number>();
  /** There may be some of them in more than one worker: the least that there are. */
  #further = 0;

  add(digests: Uint8Array, further: number): void {
    const bytes = Buffer.from(digests.buffer, digests.byteOffset, digests.byteLength);
    for (let at = 0; at + DIGEST_BYTES <= bytes.length; at += DIGEST_BYTES) this.#digests.add(bytes.readDoubleLE(at));
    this.#further = Math.max(this.#further, further);
  }

  has(place: CountedPlace): boolean {
    return this.#digests.size > 0 && this.#digests.has(digestOf(place));
  }

  /** To be told in turn. */
  get digests(): Uint8Array {
    const bytes = Buffer.alloc(this.#digests.size * DIGEST_BYTES);
    let at = 0;
    for (const digest of this.#digests) at = bytes.writeDoubleLE(digest, at);
    return bytes;
  }

  get count(): number {
    return this.#digests.size + this.#further;
  }
}
