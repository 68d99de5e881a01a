/**
 * Chunks of large bodies that were read from disk just now: who reads the same body a little behind is given them, and
 * they are read, checked and copied once. Nobody writes to one; it goes when the last reader has let go of it.
 */
import type { Clock, Timer } from '../base/clock.js';
import { DISK_SHARED_CHUNKS_MS } from '../base/disk-limits.js';

export class RecentChunks {
  readonly #clock: Clock;
  #most: number;
  /** By body and number, the oldest first. */
  readonly #chunks = new Map<string, Buffer>();
  #timer: Timer | undefined;
  #isUsed = false;

  /** `most`: chunks that are kept. */
  constructor(clock: Clock, most: number) {
    this.#clock = clock;
    this.#most = most;
  }

  /** From now on `most` are kept; what is beyond goes at once. */
  resize(most: number): void {
    this.#most = most;
    this.#trim();
  }

  /** The chunk of this name, read by `read` where it is not here. */
  get(name: string, read: () => Buffer | undefined): Buffer | undefined {
    this.#isUsed = true;
    const known = this.#chunks.get(name);
    if (known !== undefined) return known;
    const chunk = read();
    if (chunk === undefined) return undefined;
    this.#chunks.set(name, chunk);
    this.#trim();
    this.#timer ??= this.#clock.after(DISK_SHARED_CHUNKS_MS, () => this.#tidy());
    return chunk;
  }

  #trim(): void {
    for (const [oldest] of this.#chunks) {
      if (this.#chunks.size <= this.#most) break;
      this.#chunks.delete(oldest);
    }
  }

  /** Nothing is kept for readers who do not come. */
  #tidy(): void {
    this.#timer = undefined;
    if (!this.#isUsed) {
      this.#chunks.clear();
      return;
    }
    this.#isUsed = false;
    this.#timer = this.#clock.after(DISK_SHARED_CHUNKS_MS, () => this.#tidy());
  }
}
