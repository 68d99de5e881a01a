/**
 * What other workers said that they have stored, and from when it is: until they have written it, what lies on the disk
 * in common is older, and is not to be served any more.
 */
import type { Clock } from '../base/clock.js';
import { ANNOUNCED_MS, MAX_HOLDINGS, MAX_HOLDINGS_BYTES } from '../base/worker-limits.js';
import { askedAt, SAME_INSTANT_MS } from '../object/asked-at.js';
import type { Asked } from '../store/contract.js';
import { Remembered } from '../store/remembered.js';
import { leaseName } from './lease-wire.js';

interface Announcement {
  readonly worker: number;
  readonly askedAt: number;
  readonly until: number;
}

export class Announced {
  readonly #clock: Clock;
  readonly #byName = new Remembered<Announcement>(MAX_HOLDINGS, MAX_HOLDINGS_BYTES);

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  note(worker: number, names: readonly string[], when: number): void {
    const until = this.#clock.now() + ANNOUNCED_MS;
    for (let oldest = this.#byName.oldest(); oldest !== undefined; oldest = this.#byName.oldest()) {
      if (oldest[1].until > this.#clock.now()) break;
      this.#byName.delete(oldest[0]);
    }
    for (const name of names) this.#byName.set(name, { worker, askedAt: when, until });
  }

  /** Whether something later than what lies below was announced. */
  isOutdated(below: Asked): boolean {
    if (this.#byName.size === 0) return false;
    const known = this.#byName.get(leaseName(below.key, below.selection));
    if (known === undefined || known.until <= this.#clock.now()) return false;
    return askedAt(below) < known.askedAt - SAME_INSTANT_MS;
  }

  /** A worker died: what it had not written is lost, and what lies below is the best that there is. */
  gone(worker: number): void {
    this.#byName.deleteWhere((name) => this.#byName.get(name)?.worker === worker);
  }
}
