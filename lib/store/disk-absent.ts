/**
 * Keys of which the file was seen to have nothing, so that a miss looks there once: what it asks again until its answer is
 * stored is told from here. The file changes by what this process has written, which it hears of and forgets all then, and by
 * other processes, whose writes are not to be seen at once either: what is known here is soon forgotten.
 */
import type { Clock } from '../base/clock.js';
import { DISK_ABSENT_MS, MAX_DISK_ABSENT } from '../base/disk-limits.js';
import { hashOf } from '../base/hash.js';

export class DiskAbsent {
  readonly #clock: Clock;
  /** Each in the place that its hash gives, where the next one of that takes its place: a set would grow anew after each batch. */
  readonly #keys: (string | undefined)[] = new Array<undefined>(MAX_DISK_ABSENT).fill(undefined);
  #isAny = false;
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
    const now = this.#clock.now();
    if (this.#isAny && now - this.#since > DISK_ABSENT_MS) this.#forget();
    if (!this.#isAny) this.#since = now;
    this.#isAny = true;
    this.#keys[hashOf(key) % MAX_DISK_ABSENT] = key;
  }

  has(key: string): boolean {
    return this.#isAny && this.#keys[hashOf(key) % MAX_DISK_ABSENT] === key && !this.#isOld(this.#since);
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
    if (this.#isAny) this.#forget();
  }

  #forget(): void {
    this.#keys.fill(undefined);
    this.#isAny = false;
  }
}
