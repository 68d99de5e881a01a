/** What a job of the disk tier has done so far. It may go in several transactions, of which the last may have to be tried again. */
import type { DiskRemoval } from '../observe/disk-meters.js';

type Left = Record<'bodiless' | 'outdated' | 'refused', Uint8Array[]>;

interface Done {
  readonly removed: Partial<Record<DiskRemoval, number>>;
  /** Record keys that were not written, by why. */
  readonly left: Left;
  /** Orders of the batch that were carried out. */
  orders: number;
  /** Whether there is no room for what is new in the batch; undefined: nobody has looked. */
  isFull: boolean | undefined;
}

export class DiskDone {
  #committed: Done = nothing();
  #now: Done = nothing();

  /** A job begins. */
  begin(): void {
    this.#now = nothing();
    this.#committed = nothing();
  }

  /** All of it is in the file. */
  commit(): void {
    this.#committed = copyOf(this.#now);
  }

  /** What was done since the last commit is not. */
  rollBack(): void {
    this.#now = copyOf(this.#committed);
  }

  /** Since the job began. */
  get soFar(): Done {
    return this.#now;
  }

  count(reason: DiskRemoval): void {
    const { removed } = this.#now;
    removed[reason] = (removed[reason] ?? 0) + 1;
  }

  leave(key: Uint8Array, why: keyof Left): void {
    this.#now.left[why].push(Buffer.from(key));
  }

  /** What stands under a key is the latest that was to: whoever is told by keys is not told of what that overtook. */
  written(key: Uint8Array): void {
    const { left } = this.#now;
    for (const why of ['bodiless', 'outdated', 'refused'] as const)
      if (left[why].length > 0) left[why] = left[why].filter((one) => Buffer.compare(one, key) !== 0);
  }
}

function nothing(): Done {
  return { removed: {}, left: { bodiless: [], outdated: [], refused: [] }, orders: 0, isFull: undefined };
}

function copyOf({ removed, left, orders, isFull }: Done): Done {
  const { bodiless, outdated, refused } = left;
  const copied = { bodiless: [...bodiless], outdated: [...outdated], refused: [...refused] };
  return { removed: { ...removed }, left: copied, orders, isFull };
}
