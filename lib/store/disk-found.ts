/**
 * What was found last under a key, for who looks there again: a miss does so twice until its answer is stored. It is good
 * until this process changes anything, or hears that the file has changed; what other processes write is not to be seen at
 * once, but soon.
 */
import type { Clock } from '../base/clock.js';
import { DISK_ABSENT_MS } from '../base/disk-limits.js';
import type { StoredResponse } from '../object/stored.js';

export class DiskFound {
  readonly #clock: Clock;
  readonly #changes: () => number;
  #key: string | undefined;
  #found: readonly StoredResponse[] = [];
  #seenAt = 0;
  #seenChanges = 0;

  /** `changes`: how many there were so far. */
  constructor(clock: Clock, changes: () => number) {
    this.#clock = clock;
    this.#changes = changes;
  }

  /** Of what stands alone nothing is remembered, but that there is no more than that. */
  note(key: string, found: readonly StoredResponse[]): void {
    if (found.length <= 1 && this.#key !== key) return;
    this.#key = found.length > 1 ? key : undefined;
    this.#found = found;
    this.#seenAt = this.#clock.now();
    this.#seenChanges = this.#changes();
  }

  /** Undefined where it has to be looked for. */
  under(key: string): readonly StoredResponse[] | undefined {
    const isSame = this.#key === key && this.#seenChanges === this.#changes();
    return isSame && this.#clock.now() - this.#seenAt <= DISK_ABSENT_MS ? this.#found : undefined;
  }
}
