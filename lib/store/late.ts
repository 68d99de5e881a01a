/**
 * Memory alone for as long as the tier below it cannot be had, and both from then on. Used only where that tier was not there
 * at the start, so that nobody else pays for the step between.
 */
import type { Clock } from '../base/clock.js';
import type { Body, BodySink } from '../object/body.js';
import type { StoredResponse } from '../object/stored.js';
import type { Taken } from '../object/taken.js';
import type {
  Asked,
  Below,
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
  UnseenChange,
  UnseenReach,
  Usage,
  Writer,
} from './contract.js';
import type { DiskTier } from './disk.js';
import { MissedChanges } from './missed.js';
import { createTieredStore } from './tiered.js';
import { isSameSelection } from './variants.js';

export class LateStore implements Store {
  readonly #memory: Store;
  readonly #clock: Clock;
  #store: Store;
  #isOutdated: (below: Asked) => boolean = () => false;
  #missed: MissedChanges | undefined;

  constructor(memory: Store, clock: Clock) {
    this.#memory = memory;
    this.#store = memory;
    this.#clock = clock;
    this.#missed = new MissedChanges(() => clock.now());
  }

  /** Brings `disk` in line with what happened without it, and has it below memory from then on. */
  async adopt(disk: DiskTier): Promise<void> {
    await this.#missed?.settle(disk, this.#memory);
    this.#missed = undefined;
    this.#store = createTieredStore(this.#memory, disk);
    this.#store.passOver(this.#isOutdated);
  }

  #noteGone(stored: StoredResponse): void {
    this.#missed?.noteGone(stored, this.#clock.now());
  }

  get below(): Below | undefined {
    return this.#store.below;
  }

  peek(key: string): readonly StoredResponse[] | undefined {
    return this.#store.peek(key);
  }

  sight(hash: number, origin: string, target: string): MemorySight | undefined {
    return this.#store.sight(hash, origin, target);
  }

  get sightedNothing(): boolean {
    return this.#store.sightedNothing;
  }

  get awakeCount(): number {
    return this.#store.awakeCount;
  }

  sighted(): void {
    this.#store.sighted();
  }

  place(key: string, isForNow?: boolean): Place | undefined {
    return this.#store.place(key, isForNow);
  }

  recall(
    key: string,
    choose: (found: readonly StoredResponse[]) => StoredResponse | undefined,
    adopt?: (found: StoredResponse) => StoredResponse | undefined,
  ): StoredResponse | undefined {
    return this.#store.recall(key, choose, adopt);
  }

  known(key: string, isJustSeen?: boolean): readonly StoredResponse[] {
    return this.#store.known(key, isJustSeen);
  }

  touch(stored: StoredResponse, place?: Place): void {
    this.#store.touch(stored, place);
  }

  lay(content: Buffer): Body {
    return this.#store.lay(content);
  }

  put(stored: StoredResponse, replaces?: StoredResponse, writer?: Writer): boolean {
    this.#missed?.noteStored(stored);
    if (replaces !== undefined && !isSameSelection(replaces.selection, stored.selection)) this.#noteGone(replaces);
    return this.#store.put(stored, replaces, writer);
  }

  swap(current: StoredResponse, next: StoredResponse, writer?: Writer): boolean {
    this.#missed?.noteStored(next);
    return this.#store.swap(current, next, writer);
  }

  holds(stored: StoredResponse): boolean {
    return this.#store.holds(stored);
  }

  remove(stored: StoredResponse, reason: RemovalReason): boolean {
    if (reason !== 'evicted') this.#noteGone(stored);
    return this.#store.remove(stored, reason);
  }

  removeKey(key: string, reason: RemovalReason): number {
    this.changeUnseen({ kind: 'key', key }, gone);
    return this.#store.removeKey(key, reason);
  }

  changeUnseen(reach: UnseenReach, change: UnseenChange): void {
    this.#missed?.noteReach(reach, change, this.#clock.now());
  }

  scan(from: number, count: number, visit: ScanVisit, leastHits?: number): number | undefined {
    return this.#store.scan(from, count, visit, leastHits);
  }

  tagged(tag: string): StoredResponse[] {
    return this.#store.tagged(tag);
  }

  scanBelow(
    reach: BelowReach,
    after: string | undefined,
    count: number,
    visit: (stored: StoredResponse) => void,
    which?: 'alone' | 'all',
  ): string | undefined {
    return this.#store.scanBelow(reach, after, count, visit, which);
  }

  keysBelow(prefix: string, count: number, after?: string): KeysBelow {
    return this.#store.keysBelow(prefix, count, after);
  }

  tierOf(stored: StoredResponse): Tier | undefined {
    return this.#store.tierOf(stored);
  }

  async settled(): Promise<boolean> {
    const wasMissing = this.#missed !== undefined;
    return (await this.#store.settled()) && !wasMissing;
  }

  giveUp(stored: StoredResponse): void {
    this.#store.giveUp(stored);
  }

  openSpill(): BodySink | undefined {
    return this.#store.openSpill();
  }

  usage(stored: StoredResponse): Usage | undefined {
    return this.#store.usage(stored);
  }

  reserve(bytes: number): boolean {
    return this.#store.reserve(bytes);
  }

  leaveOut(body: Taken): void {
    this.#store.leaveOut(body);
  }

  release(bytes: number): void {
    this.#store.release(bytes);
  }

  watchDemand(watch: DemandWatch | undefined): void {
    this.#store.watchDemand(watch);
  }

  get maxCopyBytes(): number {
    return this.#store.maxCopyBytes;
  }

  passOver(isOutdated: (below: Asked) => boolean): void {
    this.#isOutdated = isOutdated;
    this.#store.passOver(isOutdated);
  }

  get maxObjectBytes(): number {
    return this.#store.maxObjectBytes;
  }

  resize(budgetBytes: number): void {
    this.#store.resize(budgetBytes);
  }

  get stats(): StoreStats {
    return this.#store.stats;
  }

  close(): Promise<void> {
    return this.#store.close();
  }
}

const gone: UnseenChange = () => undefined;
