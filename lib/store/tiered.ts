/**
 * Memory over disk as one store. What is in memory answers; what is not is looked for below, and what is found there is
 * promoted. All that changes goes down behind; what memory evicts stays on disk.
 *
 * A response whose body is on disk alone is never in memory: each use finds it anew, so that it is a miss, and no broken
 * answer, where its body is gone.
 */
import {
  DISK_SHARED_SHARE,
  MAX_DISK_SHARED_BYTES,
  PROMOTE_AT_ONCE_SHARE,
  SPILL_FROM_BYTES,
} from '../base/disk-limits.js';
import type { Body, BodySink } from '../object/body.js';
import { type StoredResponse, takenOf } from '../object/stored.js';
import type { Taken } from '../object/taken.js';
import type {
  Asked,
  Below,
  BelowReach,
  DemandWatch,
  Glance,
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
import { Doorkeeper } from './doorkeeper.js';
import { isSameSelection } from './variants.js';

/** What may be kept of chunks that were read last, beside a memory of that size. */
function sharedChunkBytes(memoryBytes: number): number {
  return Math.min(memoryBytes * DISK_SHARED_SHARE, MAX_DISK_SHARED_BYTES);
}

export function createTieredStore(memory: Store, disk: DiskTier): Store {
  return new TieredStore(memory, disk);
}

class TieredStore implements Store, Below {
  readonly #memory: Store;
  readonly #disk: DiskTier;
  #isOutdated: (below: Asked) => boolean = () => false;
  readonly #doorkeeper = new Doorkeeper();
  readonly below: Below = this;

  constructor(memory: Store, disk: DiskTier) {
    this.#memory = memory;
    this.#disk = disk;
    disk.reading.bodies.resizeShared(sharedChunkBytes(memory.stats.budgetBytes));
    // It would live on here, though something later is known.
    disk.onOutdated = (stored) => {
      const held = this.#heldLike(stored);
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

  recall(
    key: string,
    choose: (found: readonly StoredResponse[]) => StoredResponse | undefined,
    adopt: (found: StoredResponse) => StoredResponse | undefined = asItIs,
  ): StoredResponse | undefined {
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
    const held = this.#heldLike(found);
    const known = held === undefined ? undefined : this.#disk.around(found, held);
    return known ?? this.#disk.load(found);
  }

  /** Into memory, as what it is from now on: put there once, and written below only where it says something else. */
  #promote(
    loaded: StoredResponse,
    adopt: (found: StoredResponse) => StoredResponse | undefined,
  ): StoredResponse | undefined {
    const next = adopt(loaded);
    if (next === undefined) {
      const older = this.#heldLike(loaded);
      if (older !== undefined) this.#memory.remove(older, 'replaced');
      this.#disk.remove(loaded, 'invalidated');
      return undefined;
    }
    this.#disk.use(loaded);
    if (next !== loaded) this.#disk.swap(loaded, next);
    const held = this.#heldLike(next);
    if (next.body.below === undefined) {
      if (!this.#memory.put(next)) this.#memory.leaveOut(takenOf(next));
    } else if (held !== undefined) this.#memory.remove(held, 'replaced');
    return next;
  }

  #heldLike({ key, selection }: StoredResponse): StoredResponse | undefined {
    return this.#memory.peek(key)?.find((one) => isSameSelection(one.selection, selection));
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
    const held = this.#heldLike(next);
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
      const held = this.#heldLike(stored);
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
    this.#isOutdated = isOutdated;
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

/** Instants that differ by less were one before they were moved between clocks. */
const SAME_INSTANT_MS = 0.01;

const asItIs = (found: StoredResponse): StoredResponse => found;

/** Whether both are one form of one response, though they may be different objects. */
function isSameForm(one: StoredResponse, other: StoredResponse): boolean {
  const [mine, theirs] = [one.requestedAt ?? one.fetchedAt, other.requestedAt ?? other.fetchedAt];
  const movedMs = Math.max(Math.abs(mine - theirs), Math.abs((one.expiredAt ?? 0) - (other.expiredAt ?? 0)));
  return movedMs < SAME_INSTANT_MS && one.body.receivedBytes === other.body.receivedBytes;
}

/** Of two forms of one response, whether `one` is the later truth: by when it was asked for, then by an operator's word. */
function isLater(one: StoredResponse, other: StoredResponse): boolean {
  const [mine, theirs] = [one.requestedAt ?? one.fetchedAt, other.requestedAt ?? other.fetchedAt];
  if (mine !== theirs) return mine > theirs;
  return (one.expiredAt ?? 0) > (other.expiredAt ?? 0);
}
