/**
 * The memory tier: stored responses by key under a byte budget that nothing ever exceeds.
 * Room is made in three ways: a sweep takes what is past keep, pruning in the background holds the use at 85 % of the
 * budget, and a put or reservation that finds no room evicts as much as it needs, all in bounded steps.
 */
import assert from 'node:assert';
import type { Clock } from '../base/clock.js';
import { hashOf } from '../base/hash.js';
import { MAX_VARIANTS, STORE_STEP_DELAY_MS } from '../base/limits.js';
import type { Body } from '../object/body.js';
import { type StoredResponse, storedBytes, takenOf } from '../object/stored.js';
import type { Taken } from '../object/taken.js';
import type { Events } from '../observe/events.js';
import type { DemandWatch, MemorySight, Place, RemovalReason, Store, StoreStats, Tier, Usage } from './contract.js';
import { Demand } from './demand.js';
import { Eviction } from './eviction.js';
import { awakeCountFor, Groups } from './groups.js';
import { Ledger } from './ledger.js';
import { NO_SLOT } from './links.js';
import { LowestStore } from './lowest.js';
import { Packing } from './packing.js';
import { Room } from './room.js';
import { Slots } from './slots.js';
import { Stepper } from './stepper.js';
import { Sweep } from './sweep.js';
import { TagIndex } from './tag-index.js';
import { isSameSelection, type Variants } from './variants.js';

export interface MemoryStoreOptions {
  readonly budgetBytes: number;
  readonly clock: Clock;
  readonly events: Events;
  /** The largest response that is stored at all; default: half of the budget. */
  readonly maxObjectBytes?: number;
  /** Keys of which the responses are objects; default: by the budget. */
  readonly awakeCount?: number;
  /** Tiers below know bodies by their identity. */
  readonly keepsBodies?: boolean;
}

export function createMemoryStore(options: MemoryStoreOptions): Store {
  return new MemoryStore(options);
}

const NONE: readonly StoredResponse[] = [];

class MemoryStore extends LowestStore implements Store {
  readonly #clock: Clock;
  readonly #events: Events;
  readonly #ledger: Ledger;
  readonly #maxObjectBytes: number | undefined;
  readonly awakeCount: number;
  readonly #slots = new Slots<StoredResponse>();
  readonly #eviction = new Eviction(this.#slots, (slot) => this.#takenBytes(slot) > 0);
  readonly #packing = new Packing(this.#slots);
  readonly #groups: Groups;
  readonly #tags = new TagIndex();
  /** Once somebody wanted to know it. */
  #demand: Demand | undefined;
  readonly #room: Room;
  readonly #sweep: Sweep;
  readonly #repacking: Stepper;
  /** The variants that peek() gave last: touch() of one of them needs no second lookup. */
  #peeked: Variants | undefined;
  /** What scan() shows just now, and where it is: to ask about it needs no lookup, and wakes nothing. */
  #shown: StoredResponse | undefined;
  #shownSlot = NO_SLOT;
  #isClosed = false;

  constructor(options: MemoryStoreOptions) {
    super();
    const { clock } = options;
    this.#clock = clock;
    this.#events = options.events;
    this.#maxObjectBytes = options.maxObjectBytes;
    this.#ledger = new Ledger(options.budgetBytes, options.maxObjectBytes);
    this.awakeCount = options.awakeCount ?? awakeCountFor(options.budgetBytes);
    this.#groups = new Groups({
      slots: this.#slots,
      packing: this.#packing,
      clock,
      awakeCount: this.awakeCount,
      keepsBodies: options.keepsBodies ?? false,
      // Its memory goes at the next step.
      onLapsed: (slot) => this.#sweep.hasten(slot),
    });
    this.#room = new Room({
      clock,
      ledger: this.#ledger,
      eviction: this.#eviction,
      slots: this.#slots,
      evict: (slot) => this.#drop(slot, 'evicted'),
    });
    this.#repacking = new Stepper(clock, () => (this.#packing.step() ? STORE_STEP_DELAY_MS : undefined));
    this.#sweep = new Sweep({
      slots: this.#slots,
      groups: this.#groups,
      clock,
      begun: () => {
        if (this.#packing.wantsWork) this.#repacking.start(STORE_STEP_DELAY_MS);
      },
      graceEnded: (slot) => this.#eviction.graceEnded(slot),
      keepEnded: (slot) => this.#drop(slot, 'expired'),
    });
  }

  get maxObjectBytes(): number {
    return this.#ledger.maxObjectBytes;
  }

  get stats(): StoreStats {
    return this.#ledger;
  }

  peek(key: string): readonly StoredResponse[] | undefined {
    const variants = this.#groups.get(key);
    if (variants !== undefined) this.#peeked = variants;
    return variants?.list;
  }

  override known(key: string): readonly StoredResponse[] {
    return this.#groups.look(key)?.list ?? NONE;
  }

  place(key: string, isForNow?: boolean): Place | undefined {
    return isForNow === true ? this.#groups.look(key) : this.#groups.get(key);
  }

  sight(hash: number, origin: string, target: string): MemorySight | undefined {
    return this.#groups.sight(hash, origin, target);
  }

  get sightedNothing(): boolean {
    return this.#groups.sightedNothing;
  }

  sighted(): void {
    this.#slots.use(this.#groups.sightedSlot);
  }

  touch(stored: StoredResponse, place?: Place): void {
    // Places are made by place() alone.
    let slot = ((place as Variants | undefined) ?? this.#peeked)?.slotOf(stored) ?? NO_SLOT;
    if (slot === NO_SLOT) slot = this.#slotOf(stored) ?? NO_SLOT;
    if (slot !== NO_SLOT) this.#slots.use(slot);
  }

  lay(content: Buffer): Body {
    return this.#packing.laid(content);
  }

  put(stored: StoredResponse, replaces?: StoredResponse): boolean {
    assert(replaces === undefined || replaces.key === stored.key, 'a response replaces one of its own key alone');
    const bytes = storedBytes(stored);
    // Nothing half-received is stored, whoever asks for it.
    if (!stored.body.isHeldWhole || bytes > this.maxObjectBytes || this.#isClosed) return false;
    const now = this.#clock.now();
    this.#sweep.start(now);
    const replaced = this.#replacedBy(stored, replaces);
    const taken = takenOf(stored);
    // What is charged of it already.
    let ownBytes = taken.leftBytes;
    let [replacedBytes, uses, hits] = [0, 0, 0];
    // What is to be replaced makes room by going, but for what clients take of it, and must not be evicted before it is known that the rest fits.
    const places = replaced.map((slot) => {
      replacedBytes += this.#slots.bytes(slot) - this.#takenBytes(slot);
      if (this.#groups.takenAt(slot) === taken) ownBytes = taken.takenBytes;
      uses = Math.max(uses, this.#slots.uses(slot));
      hits = Math.max(hits, this.#slots.hits(slot));
      return this.#eviction.withdraw(slot);
    });
    const counted = replaced[0] === undefined ? undefined : this.#demand?.counted(replaced[0]);
    if (!this.#room.make(bytes - replacedBytes - ownBytes, replacedBytes, this.#ledger.ceilingBytes)) {
      for (const [at, place] of places.entries()) this.#eviction.restore(replaced[at] ?? NO_SLOT, place);
      return false;
    }
    for (const slot of replaced) this.#drop(slot, 'replaced');
    const slot = this.#slots.take(stored, bytes, hashOf(stored.key));
    this.#packing.put(slot, stored);
    this.#ledger.add(bytes);
    taken.storedBy(this.#ledger);
    // A replacement inherits the standing of the one before it: people ask for the key, not for the bytes.
    this.#slots.setUses(slot, uses);
    this.#slots.setHits(slot, hits);
    if (counted !== undefined) this.#demand?.inherit(slot, counted);
    if (places.length === 0) this.#eviction.admit(slot);
    else this.#eviction.restore(slot, Math.max(...places));
    this.#link(stored, slot, now);
    this.#room.prune();
    return true;
  }

  swap(current: StoredResponse, next: StoredResponse): boolean {
    assert(next.key === current.key, 'a freshened record keeps its key');
    const slot = this.#slotOf(current);
    if (slot === undefined) return false;
    const now = this.#clock.now();
    const before = this.#slots.bytes(slot);
    const bytes = storedBytes(next);
    const place = this.#eviction.withdraw(slot);
    const fits = this.#room.make(bytes - before, before - this.#takenBytes(slot), this.#ledger.budgetBytes);
    // What nobody has asked for lately is freshened as bytes: it would not be asked for soon as an object.
    const variants = this.#groups.isAloneAsleep(slot) ? undefined : this.#variantsOf(next.key);
    this.#shown = undefined;
    const taken = this.#groups.takenAt(slot);
    const isOtherBody = takenOf(next) !== taken;
    if (isOtherBody) taken?.letGoBy(this.#ledger);
    this.#groups.forget(slot);
    this.#slots.replace(slot, next, bytes);
    this.#packing.put(slot, next);
    if (isOtherBody) takenOf(next).storedBy(this.#ledger);
    this.#tags.delete(current.tags, slot);
    this.#tags.add(next.tags, slot);
    this.#ledger.bytes += bytes - before;
    variants?.renew(slot, next);
    this.#eviction.restore(slot, place);
    this.#sweep.schedule(slot, next.life.graceUntil, next.life.keepUntil, now);
    this.#demand?.schedule(slot, next, now);
    if (variants === undefined) this.#groups.renewAsleep(slot, next);
    else this.#groups.set(variants);
    // Only where fills in flight hold all the rest of the budget: then the budget wins.
    if (!fits) this.#drop(slot, 'evicted');
    this.#room.prune();
    return true;
  }

  holds(stored: StoredResponse): boolean {
    return this.#slotOf(stored) !== undefined;
  }

  remove(stored: StoredResponse, reason: RemovalReason): boolean {
    const slot = this.#slotOf(stored);
    if (slot === undefined) return false;
    this.#drop(slot, reason);
    return true;
  }

  removeKey(key: string, reason: RemovalReason): number {
    const slots = this.#groups.get(key)?.slots ?? [];
    for (const slot of slots) this.#drop(slot, reason);
    return slots.length;
  }

  scan(from: number, count: number, visit: Parameters<Store['scan']>[2], leastHits = 0): number | undefined {
    const until = Math.min(from + count, this.#slots.end);
    for (let slot = from; slot < until; slot++) {
      if (!this.#slots.isUsed(slot) || (leastHits > 0 && this.#slots.hits(slot) < leastHits)) continue;
      this.#shown = this.#groups.at(slot);
      this.#shownSlot = slot;
      visit(this.#shown, slot);
      this.#shown = undefined;
    }
    return until < this.#slots.end ? until : undefined;
  }

  tagged(tag: string): StoredResponse[] {
    const found: StoredResponse[] = [];
    for (const slot of this.#tags.of(tag)) found.push(this.#groups.at(slot));
    return found;
  }

  tierOf(stored: StoredResponse): Tier | undefined {
    return this.holds(stored) ? 'memory' : undefined;
  }

  usage(stored: StoredResponse): Usage | undefined {
    const slot = this.#slotOf(stored);
    return slot === undefined ? undefined : { hits: this.#slots.hits(slot), bytes: this.#slots.bytes(slot) };
  }

  reserve(bytes: number): boolean {
    assert(bytes >= 0, `${bytes} bytes cannot be reserved`);
    if (this.#isClosed || !this.#ledger.mayReserve(bytes)) return false;
    if (!this.#room.make(bytes, 0, this.#ledger.ceilingBytes)) return false;
    this.#ledger.reserve(bytes);
    this.#room.prune();
    return true;
  }

  release(bytes: number): void {
    this.#ledger.release(bytes);
  }

  leaveOut(body: Taken): void {
    body.leftOutBy(this.#ledger);
  }

  resize(budgetBytes: number): void {
    this.#ledger.resize(budgetBytes, this.#maxObjectBytes);
    this.#room.prune();
  }

  close(): Promise<void> {
    this.#isClosed = true;
    this.#room.stop();
    this.#sweep.stop();
    this.#repacking.stop();
    this.#demand?.stop();
    return Promise.resolve();
  }

  #slotOf(stored: StoredResponse): number | undefined {
    if (stored === this.#shown) return this.#shownSlot;
    const slot = this.#groups.slotOf(stored);
    return slot === NO_SLOT ? undefined : slot;
  }

  #variantsOf(key: string): Variants {
    const variants = this.#groups.get(key);
    assert(variants !== undefined, 'the key of a held response has variants');
    return variants;
  }

  #replacedBy(stored: StoredResponse, replaces: StoredResponse | undefined): number[] {
    const variants = this.#groups.get(stored.key);
    if (variants === undefined) return [];
    const replacedSlot = replaces === undefined ? NO_SLOT : variants.slotOf(replaces);
    return variants.slots.filter((slot, at) => {
      const own = variants.list[at];
      return own !== undefined && (slot === replacedSlot || isSameSelection(own.selection, stored.selection));
    });
  }

  /** Enters a response that has its slot under its key, newest first. */
  #link(stored: StoredResponse, slot: number, now: number): void {
    const variants = this.#groups.get(stored.key);
    if (variants !== undefined && variants.list.length >= MAX_VARIANTS) {
      const oldest = variants.slots[variants.slots.length - 1];
      if (oldest !== undefined) this.#drop(oldest, 'evicted');
    }
    if (variants === undefined) this.#groups.begin(stored, slot);
    else {
      variants.add(stored, slot);
      this.#groups.set(variants);
    }
    this.#tags.add(stored.tags, slot);
    this.#sweep.schedule(slot, stored.life.graceUntil, stored.life.keepUntil, now);
    this.#demand?.schedule(slot, stored, now);
  }

  watchDemand(watch: DemandWatch | undefined): void {
    if (watch !== undefined) this.#demand ??= new Demand(this.#slots, this.#clock, (slot) => this.#groups.at(slot));
    this.#demand?.setWatch(watch);
  }

  #takenBytes(slot: number): number {
    return this.#groups.takenAt(slot)?.takenBytes ?? 0;
  }

  #drop(slot: number, reason: RemovalReason): void {
    this.#groups.takenAt(slot)?.letGoBy(this.#ledger);
    if (this.#groups.isAsleep(slot)) this.#groups.takeOut(slot);
    else this.#unlink(slot);
    if (slot === this.#shownSlot) this.#shown = undefined;
    const bytes = this.#slots.bytes(slot);
    this.#eviction.remove(slot);
    this.#sweep.cancel(slot);
    this.#demand?.drop(slot);
    this.#groups.forget(slot);
    this.#packing.drop(slot);
    this.#slots.give(slot);
    this.#ledger.subtract(bytes);
    this.#events.removed(reason, bytes);
  }

  /** The opposite of #link() for what is awake. */
  #unlink(slot: number): void {
    const stored = this.#groups.at(slot);
    this.#tags.delete(stored.tags, slot);
    const variants = this.#variantsOf(stored.key);
    if (variants.list.length > 1) variants.remove(slot);
    else {
      this.#groups.delete(variants);
      if (this.#peeked === variants) this.#peeked = undefined;
    }
  }
}
