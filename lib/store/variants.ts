/**
 * The stored responses of one key, newest first (RFC 9111 §4.1).
 * Their lists are replaced and never changed in place, so that a caller may walk one while responses come and go.
 */
import { isSameRecord, type Selection, type StoredResponse } from '../object/stored.js';
import { NO_SLOT } from './links.js';

const NONE: readonly StoredResponse[] = [];

export class Variants {
  list: readonly StoredResponse[];
  /** The slot of each, in the same order; where there is one response, as nearly always, its number alone. */
  #slots: number | readonly number[];

  /** Objects for these records were made a second time: who holds the first ones means the same. */
  readonly #isWoken: boolean;
  /** Among which of those that are awake it is, and its place there (groups.ts). */
  ring: { leave(variants: Variants): void } | undefined;
  ringAt = 0;
  /** Hits of all, when it was last considered there. */
  seenHits = 0;

  constructor(first: StoredResponse, slot: number, isWoken = false) {
    this.list = [first];
    this.#slots = slot;
    this.#isWoken = isWoken;
  }

  /** Of what was kept as bytes. */
  static woken(list: readonly StoredResponse[], slots: readonly number[]): Variants {
    const variants = new Variants(list[0] as StoredResponse, slots[0] as number, true);
    variants.list = list;
    variants.#slots = slots;
    return variants;
  }

  /** Of all of them; there is one for as long as the key is held. */
  get key(): string {
    return this.list[0]?.key ?? '';
  }

  get slots(): readonly number[] {
    return typeof this.#slots === 'number' ? [this.#slots] : this.#slots;
  }

  /** NO_SLOT for one that is not among them. */
  slotOf(stored: StoredResponse): number {
    const { list } = this;
    if (typeof this.#slots === 'number' && list[0] === stored) return this.#slots;
    let at = list.indexOf(stored);
    if (at < 0 && this.#isWoken) at = list.findIndex((own) => isSameRecord(own, stored));
    return this.slots[at] ?? NO_SLOT;
  }

  add(stored: StoredResponse, slot: number): void {
    this.list = [stored, ...this.list];
    this.#slots = [slot, ...this.slots];
  }

  /** Puts another record in the place of one, as the newest. */
  renew(slot: number, stored: StoredResponse): void {
    if (typeof this.#slots === 'number') {
      this.list = [stored];
      return;
    }
    const at = this.#slots.indexOf(slot);
    this.list = [stored, ...this.list.toSpliced(at, 1)];
    this.#slots = [slot, ...this.#slots.toSpliced(at, 1)];
  }

  /** The only one has gone, and the key with it: this is used no more. */
  giveUp(): void {
    this.list = NONE;
    this.#slots = NO_SLOT;
  }

  /** Takes one out that is not the only one. */
  remove(slot: number): void {
    const { slots } = this;
    const at = slots.indexOf(slot);
    this.list = this.list.toSpliced(at, 1);
    const [first, ...rest] = slots.toSpliced(at, 1);
    this.#slots = rest.length === 0 ? (first ?? NO_SLOT) : [first ?? NO_SLOT, ...rest];
  }
}

/** Whether two responses are selected by the very same request fields: the later one takes the place of the other. */
export function isSameSelection(one: Selection, other: Selection): boolean {
  const count = one.names.length;
  if (other.names.length !== count) return false;
  for (let at = 0; at < count; at++)
    // What differs is nearly always a value.
    if (one.values[at] !== other.values[at] || one.names[at] !== other.names[at]) return false;
  return true;
}

type Place = Pick<StoredResponse, 'key' | 'selection'>;

export function isSamePlace(one: Place, other: Place): boolean {
  return one.key === other.key && isSameSelection(one.selection, other.selection);
}
