/**
 * Stored responses that nobody has asked for lately, as bytes in slabs and numbers in columns: an object that the garbage
 * collector has to look at costs time in each collection, and a million responses were fifteen million objects.
 *
 * Objects are made of them again when somebody asks. Those are others than before, and mean the same record: isSameRecord().
 */
import { Body } from '../object/body.js';
import { isSameRecord, type StoredResponse } from '../object/stored.js';
import {
  graceUntilIn,
  hasSelection,
  headLength,
  isHeadOfBoth,
  isHeadOfMoment,
  keepUntilIn,
  LifeInHead,
  readHead,
  writeHead,
} from './asleep-head.js';
import { AsleepTable } from './asleep-table.js';
import { CommonTerms, NO_TERMS } from './asleep-terms.js';
import { Column, Pages, type Rows } from './column.js';
import { NO_SLOT } from './links.js';
import type { Packing } from './packing.js';
import { NEXT, TERMS } from './row.js';
import type { Sight } from './sight.js';
import type { Slots } from './slots.js';
import { Variants } from './variants.js';

/** Beside the number of terms: there is an object for the body. */
const HAS_BODY = 0x10000;

export class Asleep {
  readonly #slots: Slots<StoredResponse>;
  readonly #rows: Rows;
  readonly #packing: Packing;
  readonly #keepsBodies: boolean;
  readonly #table = new AsleepTable();
  readonly #terms = new CommonTerms();
  /** Bodies that are in no slab, or that somebody knows by their identity. */
  readonly #bodies = new Pages<Body>();
  /** By which numbers a tier below knows bodies of which there is no object, plus one. */
  readonly #numbers = new Column(Uint32Array);
  #knower: object | undefined;
  readonly #life = new LifeInHead();
  /** Whether there was anything at all under the key of the last sight(). */
  sightedAny = false;
  #soughtOrigin = '';
  #soughtTarget = '';

  /** `keepsBodies`: other tiers know bodies by their identity. */
  constructor(slots: Slots<StoredResponse>, packing: Packing, keepsBodies: boolean) {
    this.#slots = slots;
    this.#rows = slots.rows;
    this.#packing = packing;
    this.#keepsBodies = keepsBodies;
    packing.bodyAsleep = (slot) => this.#bodies.get(slot);
    slots.follow((capacity) => this.#numbers.grow(capacity));
  }

  /** Of a slot in use. */
  has(slot: number): boolean {
    return this.#slots.at(slot) === undefined;
  }

  /** All variants of a key are bytes from now on. False where one of them cannot be, and all stay as they are. */
  lay(variants: Variants): boolean {
    const { list, slots } = variants;
    for (const [at, slot] of slots.entries()) if (!this.#writeDown(slot, list[at] as StoredResponse)) return false;
    const first = slots[0] as number;
    if (!this.#table.add(this.#slots.hash(first), first)) return false;
    for (const [at, slot] of slots.entries()) this.#letGo(slot, list[at] as StoredResponse, slots[at + 1] ?? NO_SLOT);
    variants.giveUp();
    return true;
  }

  /** The response in a slot, the only one of its key, is bytes from the first. False where it cannot be. */
  begin(slot: number, stored: StoredResponse): boolean {
    if (!this.#writeDown(slot, stored)) return false;
    if (!this.#table.add(this.#slots.hash(slot), slot)) return false;
    this.#letGo(slot, stored, NO_SLOT);
    return true;
  }

  /** The slot of exactly this record, which stays asleep; NO_SLOT where that is not what is stored. */
  slotOf(stored: StoredResponse, hash: number): number {
    this.#soughtOrigin = stored.key;
    this.#soughtTarget = '';
    let slot = this.#table.find(hash, this.#isSought);
    while (slot !== NO_SLOT && !this.#isOf(slot, stored)) slot = this.#rows.get(slot, NEXT) - 1;
    return slot;
  }

  /** isSameRecord() of what is in the slot, for which no object is made where it need not be. */
  #isOf(slot: number, stored: StoredResponse): boolean {
    const { head } = this.#packing;
    const { bytes } = head.slab(slot);
    const at = head.at(slot);
    if (!isHeadOfMoment(bytes, at, stored)) return false;
    if (hasSelection(bytes, at) || !this.#packing.holdsFields(slot, stored.fields)) {
      return isSameRecord(this.look(slot, stored.key), stored);
    }
    const { status, madeBy } = this.#terms.at(this.#termsOf(slot));
    const bodyBytes = this.#bodies.get(slot)?.receivedBytes ?? this.#packing.bodyBytes(slot);
    return status === stored.status && madeBy === stored.madeBy && bodyBytes === stored.body.receivedBytes;
  }

  /** Whether it is the only one of its key, and asleep. */
  isAlone(slot: number): boolean {
    if (!this.has(slot) || this.#rows.get(slot, NEXT) !== 0) return false;
    return this.#table.find(this.#slots.hash(slot), (one) => one === slot) !== NO_SLOT;
  }

  /**
   * `stored` is what is in a slot that is alone from now on, in the place of what was forgotten. It sleeps on; false where it cannot, and
   * is an object from now on.
   */
  renew(slot: number, stored: StoredResponse): boolean {
    if (this.#writeDown(slot, stored)) {
      this.#letGo(slot, stored, NO_SLOT);
      return true;
    }
    this.#table.remove(this.#slots.hash(slot), slot);
    this.#keepBody(slot, undefined);
    return false;
  }

  /** There is no object for it any more. `next`: the slot of the next variant. */
  #letGo(slot: number, { body }: StoredResponse, next: number): void {
    const hasBytes = this.#packing.hasBody(slot) || body.receivedBytes === 0;
    const isObject = this.#keepsBodies || !hasBytes || !this.#keepNumber(slot, body);
    this.#keepBody(slot, isObject ? body : undefined);
    this.#rows.set(slot, NEXT, next + 1);
    this.#slots.hold(slot, undefined);
  }

  /** What is written down of a record stays for as long as that is what is stored, asleep or not. */
  #writeDown(slot: number, stored: StoredResponse): boolean {
    if (this.#termsOf(slot) !== NO_TERMS) return true;
    // Those with tags are asked for by thousands at once.
    if (stored.partial !== undefined || stored.tags !== undefined || !this.#packing.hasFields(slot)) return false;
    const length = headLength(stored);
    if (length === 0) return false;
    const { head } = this.#packing;
    const slab = head.room(length);
    if (!writeHead(stored, slab.bytes, slab.next)) return false;
    const terms = this.#terms.take(stored);
    if (terms === NO_TERMS) return false;
    this.#setTerms(slot, terms);
    head.lay(slot, slab, length);
    return true;
  }

  /** False where it is known by more than a number. */
  #keepNumber(slot: number, { knower, knownAs }: Body): boolean {
    this.#knower ??= knower;
    const isNumbered = knower !== undefined && knownAs >= 0 && knower === this.#knower;
    this.#numbers.set(slot, isNumbered ? knownAs + 1 : 0);
    return isNumbered || knower === undefined;
  }

  #bodyIn(slot: number): Body {
    if (!this.#packing.hasBody(slot)) return Body.empty;
    const body = this.#packing.bodyOf(slot);
    const number = this.#numbers.get(slot);
    if (number === 0) return body;
    body.knower = this.#knower;
    body.knownAs = number - 1;
    return body;
  }

  /** Another record comes into the slot, or none. */
  forget(slot: number): void {
    this.#terms.give(this.#termsOf(slot));
    this.#setTerms(slot, NO_TERMS);
    this.#packing.head.give(slot);
  }

  /** By its number, what the slot has in common with others; NO_TERMS: nothing of it is written down. */
  #termsOf(slot: number): number {
    return this.#rows.get(slot, TERMS) & (HAS_BODY - 1);
  }

  #setTerms(slot: number, terms: number): void {
    this.#rows.set(slot, TERMS, (this.#rows.get(slot, TERMS) & HAS_BODY) | terms);
  }

  #keepBody(slot: number, body: Body | undefined): void {
    this.#bodies.set(slot, body);
    this.#rows.set(slot, TERMS, (body === undefined ? 0 : HAS_BODY) | this.#termsOf(slot));
  }

  /** All variants of the key as objects, which they are from now on. */
  wake(key: string, hash: number): Variants | undefined {
    const variants = this.lookAt(key, hash);
    if (variants === undefined) return undefined;
    for (const [at, slot] of variants.slots.entries()) {
      if (at === 0) this.#table.remove(hash, slot);
      this.#slots.hold(slot, variants.list[at]);
      this.#keepBody(slot, undefined);
    }
    return variants;
  }

  /** The same for one look: they stay asleep. */
  lookAt(key: string, hash: number): Variants | undefined {
    this.#soughtOrigin = key;
    this.#soughtTarget = '';
    const first = this.#table.find(hash, this.#isSought);
    if (first === NO_SLOT) return undefined;
    const next = this.#rows.get(first, NEXT);
    if (next === 0) return new Variants(this.look(first, key), first, true);
    const slots: number[] = [];
    for (let slot = first; slot !== NO_SLOT; slot = this.#rows.get(slot, NEXT) - 1) slots.push(slot);
    return Variants.woken(
      slots.map((slot) => this.look(slot, key)),
      slots,
    );
  }

  /**
   * Has `sight` show what is the only one under the key that these two texts are together. False where there is none such, or
   * it is to be selected.
   */
  sight(sight: Sight, hash: number, origin: string, target: string): boolean {
    this.#soughtOrigin = origin;
    this.#soughtTarget = target;
    const slot = this.#table.find(hash, this.#isSought);
    this.sightedAny = slot !== NO_SLOT;
    if (slot === NO_SLOT || this.#rows.get(slot, NEXT) > 0) return false;
    const packing = this.#packing;
    const { bytes } = packing.head.slab(slot);
    const at = packing.head.at(slot);
    if (hasSelection(bytes, at)) return false;
    const termsWord = this.#rows.get(slot, TERMS);
    const terms = this.#terms.at(termsWord & (HAS_BODY - 1));
    // Via says another version then than the one of nearly all.
    if (terms.receivedVersion !== undefined) return false;
    sight.is(slot, terms, this.#life.in(bytes, at, terms));
    packing.showFields(slot, sight);
    if (termsWord < HAS_BODY) {
      packing.showBody(slot, sight);
      return true;
    }
    const body = this.#bodies.get(slot);
    return body !== undefined && sight.hasBody(body);
  }

  readonly #isSought = (slot: number): boolean => {
    const { head } = this.#packing;
    return isHeadOfBoth(this.#soughtOrigin, this.#soughtTarget, head.slab(slot).bytes, head.at(slot));
  };

  /** What is in the slot, which stays asleep. `key`: where that is known. */
  look(slot: number, key?: string): StoredResponse {
    const { head } = this.#packing;
    const body = this.#bodies.get(slot) ?? this.#bodyIn(slot);
    const common = this.#terms.at(this.#termsOf(slot));
    const { bytes } = head.slab(slot);
    return readHead(bytes, head.at(slot), head.bytes(slot), common, this.#packing.fieldsOf(slot), body, key);
  }

  /** Its body, where there is an object for it. */
  bodyAt(slot: number): Body | undefined {
    return this.#bodies.get(slot);
  }

  graceUntil(slot: number): number {
    return graceUntilIn(this.#packing.head.slab(slot).bytes, this.#packing.head.at(slot));
  }

  keepUntil(slot: number): number {
    return keepUntilIn(this.#packing.head.slab(slot).bytes, this.#packing.head.at(slot));
  }

  /** Takes one out for good. The other variants of its key sleep on. */
  takeOut(slot: number): void {
    const hash = this.#slots.hash(slot);
    const next = this.#rows.get(slot, NEXT);
    let before = NO_SLOT;
    const first = this.#table.find(hash, (from) => {
      before = NO_SLOT;
      for (let at = from; at !== NO_SLOT; at = this.#rows.get(at, NEXT) - 1) {
        if (at === slot) return true;
        before = at;
      }
      return false;
    });
    if (first === NO_SLOT) throw new Error('what is asleep is in the table');
    if (before !== NO_SLOT) this.#rows.set(before, NEXT, next);
    else if (next === 0) this.#table.remove(hash, slot);
    else this.#table.replace(hash, slot, next - 1);
    this.#keepBody(slot, undefined);
  }
}
