/**
 * Keys of which the file was seen to have nothing, so that a miss looks there once: what it asks again until its answer is
 * stored is told from here. The file changes by what this process has written, which it hears of and forgets all then, and by
 * other processes, whose writes are not to be seen at once either: what is known here is soon forgotten.
 */
import type { Clock } from '../base/clock.js';
import { DISK_ABSENT_MS, MAX_DISK_ABSENT } from '../base/disk-limits.js';

export class DiskAbsent {
  readonly #clock: Clock;
  readonly #keys = new Set<string>();
  /** When the first of them was noted. */
  #since = 0;
  /** A key in two parts under which no plain response is. */
  #first: string | undefined;
  #rest = '';
  #seenAt = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The file has nothing under a key. */
  note(key: string): void {
    if (this.#keys.size >= MAX_DISK_ABSENT || this.#isOld(this.#since)) this.#keys.clear();
    if (this.#keys.size === 0) this.#since = this.#clock.now();
    this.#keys.add(key);
  }

  has(key: string): boolean {
    return this.#keys.size > 0 && this.#keys.has(key) && !this.#isOld(this.#since);
  }

  /** The last look has found nothing that no request field selects. */
  notePlain(first: string, rest: string): void {
    this.#first = first;
    this.#rest = rest;
    this.#seenAt = this.#clock.now();
  }

  /** Whether that was under this key, and just now: true once, for who looks on. */
  takePlain(key: string): boolean {
    const first = this.#first;
    this.#first = undefined;
    if (first === undefined || key.length !== first.length + this.#rest.length) return false;
    return key.startsWith(first) && key.endsWith(this.#rest) && !this.#isOld(this.#seenAt);
  }

  #isOld(since: number): boolean {
    return this.#clock.now() - since > DISK_ABSENT_MS;
  }

  /** The file has changed. */
  clear(): void {
    this.#first = undefined;
    if (this.#keys.size > 0) this.#keys.clear();
  }
}
