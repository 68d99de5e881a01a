/**
 * What is found on disk and not in memory: looked for where memory has nothing, or something older, and put into memory
 * where it is worth that.
 */
import { PROMOTE_AT_ONCE_SHARE } from '../base/disk-limits.js';
import { isLater } from '../object/asked-at.js';
import { type StoredResponse, takenOf } from '../object/stored.js';
import type { Asked, Below, Glance, Store } from './contract.js';
import type { DiskTier } from './disk.js';
import { Doorkeeper } from './doorkeeper.js';
import { isSameSelection } from './variants.js';

/** Which of what was found is wanted. */
export type ChooseBelow = (found: readonly StoredResponse[]) => StoredResponse | undefined;
/** What it is from now on; undefined: it goes. */
export type AdoptBelow = (found: StoredResponse) => StoredResponse | undefined;

const asItIs: AdoptBelow = (found) => found;

export class Promotion implements Below {
  readonly #memory: Store;
  readonly #disk: DiskTier;
  readonly #doorkeeper = new Doorkeeper();
  #isOutdated: (below: Asked) => boolean = () => false;

  constructor(memory: Store, disk: DiskTier) {
    this.#memory = memory;
    this.#disk = disk;
  }

  /** What is not to be found from now on. */
  passOver(isOutdated: (below: Asked) => boolean): void {
    this.#isOutdated = isOutdated;
  }

  recall(key: string, choose: ChooseBelow, adopt: AdoptBelow = asItIs): StoredResponse | undefined {
    let found = this.#newer(key);
    while (found.length > 0) {
      const chosen = choose(found);
      if (chosen === undefined) break;
      const loaded = this.#load(chosen);
      if (loaded !== undefined) {
        this.#disk.counts.hits++;
        return this.#promote(loaded, adopt);
      }
      found = found.filter((one) => one !== chosen);
    }
    this.#disk.counts.misses++;
    return undefined;
  }

  glance(key: string, rest?: string): Glance | undefined {
    const found = this.#disk.glance(key, rest);
    return found === undefined || this.#isOutdated(found) ? undefined : found;
  }

  /**
   * What is used once is not worth what it would push out of a full memory: it is as near on disk. While there is room, and at the
   * second use within a while, it is promoted.
   */
  glanced(): void {
    this.#disk.counts.hits++;
    const check = this.#disk.useGlanced();
    const { bytes, reservedBytes, heldBytes, budgetBytes } = this.#memory.stats;
    const isRoomy = bytes + reservedBytes + heldBytes < budgetBytes * PROMOTE_AT_ONCE_SHARE;
    if (!isRoomy && !this.#doorkeeper.knows(check)) return;
    const { reading } = this.#disk;
    reading.glanced.keep();
    const own = reading.taken();
    if (own?.body.wholeChunks !== undefined) this.#memory.put(own);
  }

  /** What the disk has of a key that memory has not, or has in an older form. */
  #newer(key: string): readonly StoredResponse[] {
    const there = this.#disk.find(key, 'miss');
    if (there.length === 0) return there;
    const found = there.filter((one) => !this.#isOutdated(one));
    const held = found.length === 0 ? undefined : this.#memory.peek(key);
    if (held === undefined) return found;
    return found.filter((one) => {
      const mine = held.find(({ selection }) => isSameSelection(selection, one.selection));
      return mine === undefined || (mine !== one && isLater(one, mine));
    });
  }

  /** Undefined where it turns out to be damaged. */
  #load(found: StoredResponse): StoredResponse | undefined {
    const held = heldLike(this.#memory, found);
    const known = held === undefined ? undefined : this.#disk.around(found, held);
    return known ?? this.#disk.load(found);
  }

  /** Into memory, as what it is from now on: put there once, and written below only where it says something else. */
  #promote(loaded: StoredResponse, adopt: AdoptBelow): StoredResponse | undefined {
    const next = adopt(loaded);
    if (next === undefined) {
      const older = heldLike(this.#memory, loaded);
      if (older !== undefined) this.#memory.remove(older, 'replaced');
      this.#disk.remove(loaded, 'invalidated');
      return undefined;
    }
    this.#disk.use(loaded);
    if (next !== loaded) this.#disk.swap(loaded, next);
    const held = heldLike(this.#memory, next);
    if (next.body.below === undefined) {
      if (!this.#memory.put(next)) this.#memory.leaveOut(takenOf(next));
    } else if (held !== undefined) this.#memory.remove(held, 'replaced');
    return next;
  }
}

/** What memory has of the same variant. */
export function heldLike(memory: Store, { key, selection }: StoredResponse): StoredResponse | undefined {
  return memory.peek(key)?.find((one) => isSameSelection(one.selection, selection));
}
