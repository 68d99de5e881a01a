/**
 * The variants of each key: those of some thousand keys, asked for or stored last, as objects; those of all others asleep
 * (asleep.ts). Whoever looks for a key finds no difference.
 *
 * What comes in is asleep from the first: most of it is not asked for soon, and objects that are kept for a while have to be
 * carried along by each collection of young ones. What was woken is among a few hundred that are fresh, and goes to sleep
 * again as the oldest of them where nobody has used it meanwhile. Among the others that stay awake it is chosen as by a clock's
 * hand, which passes over what was used since it came by last, a few times at most.
 */
import type { Clock } from '../base/clock.js';
import { hashOf } from '../base/hash.js';
import { AWAKE_BUDGET_SHARE_BYTES, FRESH_SHARE, MAX_AWAKE, MAX_AWAKE_LOOKS, MIN_AWAKE } from '../base/memory-limits.js';
import { type StoredResponse, takenOf } from '../object/stored.js';
import type { Taken } from '../object/taken.js';
import { Asleep } from './asleep.js';
import { createKeyedMap, type KeyedMap } from './keyed.js';
import { NO_SLOT } from './links.js';
import type { Packing } from './packing.js';
import { Sight } from './sight.js';
import type { Slots } from './slots.js';
import { Variants } from './variants.js';

export interface GroupsOptions {
  readonly slots: Slots<StoredResponse>;
  readonly packing: Packing;
  readonly clock: Clock;
  /** Keys that stay awake at most. */
  readonly awakeCount: number;
  readonly keepsBodies: boolean;
  /** Hears of a slot that was looked up after the end of its keep. */
  readonly onLapsed: (slot: number) => void;
}

/** For a budget: what is awake takes about a kilobyte more than what is charged. */
export function awakeCountFor(budgetBytes: number): number {
  return Math.min(MAX_AWAKE, Math.max(MIN_AWAKE, Math.floor(budgetBytes / AWAKE_BUDGET_SHARE_BYTES)));
}

/** Those that are awake, in the order in which one of them is to go to sleep. */
class Ring {
  readonly #members: (Variants | undefined)[];
  #hand = 0;

  constructor(count: number) {
    this.#members = new Array<Variants | undefined>(count).fill(undefined);
  }

  /** The one whose turn it is. */
  get next(): Variants | undefined {
    return this.#members[this.#hand];
  }

  /** It has another turn, when all others have had theirs. */
  pass(): void {
    this.#hand = (this.#hand + 1) % this.#members.length;
  }

  /** In the place of the one whose turn it is. */
  enter(variants: Variants): void {
    this.#members[this.#hand] = variants;
    variants.ring = this;
    variants.ringAt = this.#hand;
    this.pass();
  }

  leave(variants: Variants): void {
    this.#members[variants.ringAt] = undefined;
    variants.ring = undefined;
  }
}

export class Groups {
  readonly #slots: Slots<StoredResponse>;
  readonly #clock: Clock;
  readonly #awake: KeyedMap<Variants>;
  readonly #asleep: Asleep;
  readonly #onLapsed: (slot: number) => void;
  readonly #fresh: Ring;
  readonly #established: Ring;
  readonly #sight = new Sight();
  /** There is nothing at all under the key that sight() was asked for last. */
  sightedNothing = false;
  /** The key that was looked for last and is not there: a miss asks for it several times in a row. */
  #absent: string | undefined;

  constructor({ slots, packing, clock, awakeCount, keepsBodies, onLapsed }: GroupsOptions) {
    this.#slots = slots;
    this.#clock = clock;
    this.#onLapsed = onLapsed;
    this.#awake = createKeyedMap<Variants>((variants) => this.#lapsed(variants));
    this.#asleep = new Asleep(slots, packing, keepsBodies);
    this.#fresh = new Ring(Math.ceil(awakeCount * FRESH_SHARE));
    this.#established = new Ring(awakeCount);
  }

  get(key: string): Variants | undefined {
    if (key === this.#absent) return undefined;
    return this.#awake.get(key) ?? this.#wake(key) ?? this.#missed(key);
  }

  /** The same for one look, which wakes nothing: to let something fall asleep for it takes longer than all the rest. */
  look(key: string): Variants | undefined {
    if (key === this.#absent) return undefined;
    return this.#awake.get(key) ?? this.#asleep.lookAt(key, hashOf(key)) ?? this.#missed(key);
  }

  /** The slot of exactly this record, which wakes nothing; NO_SLOT where that is not what is stored. */
  slotOf(stored: StoredResponse): number {
    const { key } = stored;
    if (key === this.#absent) return NO_SLOT;
    const variants = this.#awake.get(key);
    return variants === undefined ? this.#asleep.slotOf(stored, hashOf(key)) : variants.slotOf(stored);
  }

  /** Whether what is in the slot is the only one of its key, and asleep. */
  isAloneAsleep(slot: number): boolean {
    return this.#asleep.isAlone(slot);
  }

  /** `stored` is in a slot that is alone asleep from now on, and sleeps on where it can. The record before was forgotten. */
  renewAsleep(slot: number, stored: StoredResponse): void {
    if (!this.#asleep.renew(slot, stored)) this.set(new Variants(stored, slot));
  }

  #missed(key: string): undefined {
    this.#absent = key;
  }

  /**
   * A key comes in, with the one response in this slot. Most are not asked for again soon: it is bytes from the first where
   * it can be, and becomes objects when somebody asks.
   */
  begin(stored: StoredResponse, slot: number): void {
    this.#absent = undefined;
    if (!this.#asleep.begin(slot, stored)) this.set(new Variants(stored, slot));
  }

  /** What is the only one under the key that these two texts are together. */
  sight(hash: number, origin: string, target: string): Sight | undefined {
    const sight = this.#sight;
    this.sightedNothing = false;
    if (this.#asleep.sight(sight, hash, origin, target)) return sight;
    const variants = this.#awake.first(hash);
    if (variants === undefined) {
      this.sightedNothing = !this.#asleep.sightedAny && !this.#awake.mayHoldMore(hash);
      return undefined;
    }
    if (variants.list.length > 1 || !isJoined(variants.key, origin, target)) return undefined;
    return sight.over(variants.slots[0] as number, variants.list[0] as StoredResponse) ? sight : undefined;
  }

  get sightedSlot(): number {
    return this.#sight.slot;
  }

  #wake(key: string): Variants | undefined {
    const variants = this.#asleep.wake(key, hashOf(key));
    if (variants !== undefined) this.set(variants);
    return variants;
  }

  /** Enters a key, or tells that what is stored under it has changed. */
  set(variants: Variants): void {
    this.#keep(variants);
    if (variants.ring === undefined) this.#enter(variants);
  }

  #keep(variants: Variants): void {
    this.#absent = undefined;
    this.#awake.set(variants.key, variants, keptUntil(variants) - this.#clock.now());
  }

  /** The key of `variants` is given up. */
  delete(variants: Variants): void {
    this.#awake.delete(variants.key);
    this.#leave(variants);
    variants.giveUp();
  }

  /** What is in a slot in use; asked for in this way it stays asleep. */
  at(slot: number): StoredResponse {
    return this.#slots.at(slot) ?? this.#asleep.look(slot);
  }

  /** What clients take of what is in a slot; undefined where it is copied for each of them. */
  takenAt(slot: number): Taken | undefined {
    const stored = this.#slots.at(slot);
    return stored === undefined ? this.#asleep.bodyAt(slot) : takenOf(stored);
  }

  isAsleep(slot: number): boolean {
    return this.#asleep.has(slot);
  }

  graceUntil(slot: number): number {
    return this.#slots.at(slot)?.life.graceUntil ?? this.#asleep.graceUntil(slot);
  }

  keepUntil(slot: number): number {
    return this.#slots.at(slot)?.life.keepUntil ?? this.#asleep.keepUntil(slot);
  }

  /** Takes out for good what is asleep. */
  takeOut(slot: number): void {
    this.#asleep.takeOut(slot);
  }

  /** Another record comes into the slot, or none. */
  forget(slot: number): void {
    this.#asleep.forget(slot);
  }

  #enter(variants: Variants): void {
    const oldest = this.#fresh.next;
    if (oldest !== undefined) {
      if (this.#isUsed(oldest)) this.#establish(oldest);
      else this.#putToSleep(oldest);
    }
    variants.seenHits = this.#hitsOf(variants);
    this.#fresh.enter(variants);
  }

  #establish(variants: Variants): void {
    this.#leave(variants);
    const ring = this.#established;
    for (let looks = 0; looks < MAX_AWAKE_LOOKS; looks++) {
      const { next } = ring;
      if (next === undefined || !this.#isUsed(next)) break;
      ring.pass();
    }
    if (ring.next !== undefined) this.#putToSleep(ring.next);
    ring.enter(variants);
  }

  /** Since it was asked last. */
  #isUsed(variants: Variants): boolean {
    const hits = this.#hitsOf(variants);
    const isUsed = hits !== variants.seenHits;
    variants.seenHits = hits;
    return isUsed;
  }

  #putToSleep(variants: Variants): void {
    this.#leave(variants);
    this.#awake.delete(variants.key);
    // One that cannot sleep stays as it is, and enters again when something else is stored under its key.
    if (!this.#asleep.lay(variants)) this.#keep(variants);
  }

  #leave(variants: Variants): void {
    variants.ring?.leave(variants);
  }

  /** A key was looked up past its ttl by the wall clock: where it is past keep by ours too, it is told. */
  #lapsed(variants: Variants): void {
    if (keptUntil(variants) > this.#clock.now()) return;
    for (const slot of variants.slots) this.#onLapsed(slot);
  }

  #hitsOf(variants: Variants): number {
    let hits = 0;
    for (const slot of variants.slots) hits += this.#slots.hits(slot);
    return hits;
  }
}

/** Whether a text is these two together, which are not joined for it. */
function isJoined(text: string, first: string, second: string): boolean {
  return text.length === first.length + second.length && text.endsWith(second) && text.startsWith(first);
}

function keptUntil(variants: Variants): number {
  let until = Number.NEGATIVE_INFINITY;
  for (const stored of variants.list) if (stored.life.keepUntil > until) until = stored.life.keepUntil;
  return until;
}
