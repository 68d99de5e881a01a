/**
 * Memory over disk as one store. What is in memory answers; what is not is looked for below, and what is found there is
 * promoted (promotion.ts). All that changes goes down behind; what memory evicts stays on disk.
 *
 * A response whose body is on disk alone is never in memory: each use finds it anew, so that it is a miss, and no broken
 * answer, where its body is gone.
 */
import { DISK_SHARED_SHARE, MAX_DISK_SHARED_BYTES, SPILL_FROM_BYTES } from '../base/disk-limits.js';
import { isLater, isSameForm } from '../object/asked-at.js';
import type { Body, BodySink } from '../object/body.js';
import type { StoredResponse } from '../object/stored.js';
import type { Taken } from '../object/taken.js';
import type {
  Asked,
  BelowReach,
  DemandWatch,
  KeysBelow,
  MemorySight,
  Place,
  RemovalReason,
  ScanVisit,
  Store,
  StoreStats,
  Tier,
  Usage,
  Writer,
} from './contract.js';
import type { DiskTier } from './disk.js';
import { keysUnder, scanDisk } from './disk-scan.js';
import { type AdoptBelow, type ChooseBelow, heldLike, Promotion } from './promotion.js';
import { isSameSelection } from './variants.js';

/** What may be kept of chunks that were read last, beside a memory of that size. */
function sharedChunkBytes(memoryBytes: number): number {
  return Math.min(memoryBytes * DISK_SHARED_SHARE, MAX_DISK_SHARED_BYTES);
}

export function createTieredStore(memory: Store, disk: DiskTier): Store {
  return new TieredStore(memory, disk);
}

class TieredStore implements Store {
  readonly #memory: Store;
  readonly #disk: DiskTier;
  readonly below: Promotion;

  constructor(memory: Store, disk: DiskTier) {
    this.#memory = memory;
    this.#disk = disk;
    this.below = new Promotion(memory, disk);
    disk.reading.bodies.resizeShared(sharedChunkBytes(memory.stats.budgetBytes));
    // It would live on here, though something later is known.
    disk.onOutdated = (stored) => {
      const held = heldLike(memory, stored);
      if (held !== undefined && isSameForm(held, stored)) memory.remove(held, 'evicted');
    };
  }

  peek(key: string): readonly StoredResponse[] | undefined {
    return this.#memory.peek(key);
  }

  sight(hash: number, origin: string, target: string): MemorySight | undefined {
    return this.#memory.sight(hash, origin, target);
  }

  get sightedNothing(): boolean {
    return this.#memory.sightedNothing;
  }

  get awakeCount(): number {
    return this.#memory.awakeCount;
  }

  sighted(): void {
    this.#memory.sighted();
  }

  place(key: string, isForNow?: boolean): Place | undefined {
    return this.#memory.place(key, isForNow);
  }

  recall(key: string, choose: ChooseBelow, adopt?: AdoptBelow): StoredResponse | undefined {
    return this.below.recall(key, choose, adopt);
  }

  known(key: string, isJustSeen?: boolean): readonly StoredResponse[] {
    const held = this.#memory.known(key);
    const below = this.#disk.find(key, isJustSeen === true ? 'seen' : 'anew');
    if (below.length === 0) return held;
    const others = below.filter((one) => !held.some(({ selection }) => isSameSelection(selection, one.selection)));
    return [...held, ...others];
  }

  touch(stored: StoredResponse, place?: Place): void {
    this.#memory.touch(stored, place);
  }

  lay(content: Buffer): Body {
    return this.#memory.lay(content);
  }

  put(stored: StoredResponse, replaces?: StoredResponse, writer: Writer = 'here'): boolean {
    if (!stored.body.isWhole) return false;
    if (writer === 'elsewhere') return stored.body.below === undefined && this.#memory.put(stored, replaces);
    const isKnown = this.#disk.reading.bodies.number(stored);
    const isInMemory = stored.body.below === undefined && this.#memory.put(stored, replaces);
    const isOnDisk = this.#disk.put(stored, isKnown);
    if (!isInMemory && !isOnDisk) return false;
    if (!isInMemory) this.#dropReplaced(stored, replaces);
    if (replaces !== undefined && !isSameSelection(replaces.selection, stored.selection)) {
      this.#disk.remove(replaces, 'replaced');
    }
    return true;
  }

  /** Memory has no room for what takes the place of these. */
  #dropReplaced(stored: StoredResponse, replaces: StoredResponse | undefined): void {
    for (const held of this.#memory.peek(stored.key) ?? []) {
      if (held === replaces || isSameSelection(held.selection, stored.selection)) this.#memory.remove(held, 'replaced');
    }
  }

  swap(current: StoredResponse, next: StoredResponse, writer: Writer = 'here'): boolean {
    if (writer === 'elsewhere') return this.#memory.swap(current, next);
    const isHeld = this.#memory.swap(current, next);
    if (!isHeld && !this.#disk.has(current)) return false;
    this.#disk.swap(current, next);
    if (!isHeld) this.#renewCopy(next);
    return true;
  }

  /** Memory may have another copy of what was found on disk, promoted since: it would be served as it was before the 304. */
  #renewCopy(next: StoredResponse): void {
    const held = heldLike(this.#memory, next);
    if (held === undefined || isLater(held, next)) return;
    if (next.body.below === undefined && this.#memory.put(next, held)) return;
    this.#memory.remove(held, 'replaced');
  }

  holds(stored: StoredResponse): boolean {
    return this.#memory.holds(stored) || this.#disk.has(stored);
  }

  remove(stored: StoredResponse, reason: RemovalReason): boolean {
    const wasInMemory = this.#memory.remove(stored, reason);
    if (reason === 'evicted') return wasInMemory;
    const isOnDisk = (!wasInMemory || reason === 'expired') && this.#disk.has(stored);
    // Another process may have written a later form of what has expired here.
    if (!isOnDisk && (!wasInMemory || reason === 'expired')) return wasInMemory;
    this.#disk.remove(stored, reason);
    return true;
  }

  removeKey(key: string, reason: RemovalReason): number {
    const all = this.known(key);
    this.#memory.removeKey(key, reason);
    for (const stored of all) this.#disk.remove(stored, reason);
    return all.length;
  }

  scan(from: number, count: number, visit: ScanVisit, leastHits?: number): number | undefined {
    return this.#memory.scan(from, count, visit, leastHits);
  }

  tagged(tag: string): StoredResponse[] {
    return this.#memory.tagged(tag);
  }

  /** Nothing is out of sight. */
  changeUnseen(): void {}

  scanBelow(
    reach: BelowReach,
    after: string | undefined,
    count: number,
    visit: (stored: StoredResponse) => void,
    which: 'alone' | 'all' = 'alone',
  ): string | undefined {
    return scanDisk(this.#disk, reach, after, count, (stored) => {
      const held = heldLike(this.#memory, stored);
      if (held === undefined) visit(stored);
      else if (which === 'all') visit(held);
    });
  }

  keysBelow(prefix: string, count: number, after?: string): KeysBelow {
    return keysUnder(this.#disk, prefix, count, after);
  }

  tierOf(stored: StoredResponse): Tier | undefined {
    return this.#memory.tierOf(stored) ?? (this.#disk.has(stored) ? 'disk' : undefined);
  }

  settled(): Promise<boolean> {
    return this.#disk.settled();
  }

  openSpill(): BodySink | undefined {
    return this.#disk.openSpill();
  }

  giveUp(stored: StoredResponse): void {
    this.#disk.giveUp(stored);
  }

  usage(stored: StoredResponse): Usage | undefined {
    const usage = this.#memory.usage(stored);
    if (usage !== undefined || !this.#disk.has(stored)) return usage;
    return { hits: 0, bytes: stored.body.receivedBytes };
  }

  reserve(bytes: number): boolean {
    return this.#memory.reserve(bytes);
  }

  release(bytes: number): void {
    this.#memory.release(bytes);
  }

  leaveOut(body: Taken): void {
    this.#memory.leaveOut(body);
  }

  /** What is larger than that is not in memory, wherever it came from. */
  get maxCopyBytes(): number {
    return Math.min(this.#memory.maxCopyBytes, SPILL_FROM_BYTES);
  }

  get maxObjectBytes(): number {
    return Math.max(this.#memory.maxObjectBytes, this.#disk.maxBodyBytes);
  }

  passOver(isOutdated: (below: Asked) => boolean): void {
    this.below.passOver(isOutdated);
  }

  watchDemand(watch: DemandWatch | undefined): void {
    this.#memory.watchDemand(watch);
  }

  resize(budgetBytes: number): void {
    this.#memory.resize(budgetBytes);
    this.#disk.reading.bodies.resizeShared(sharedChunkBytes(budgetBytes));
  }

  get stats(): StoreStats {
    return this.#memory.stats;
  }

  async close(): Promise<void> {
    await this.#memory.close();
    await this.#disk.close();
  }
}
