/**
 * Keeps what is small of stored responses in slabs (lib/base/slab.ts), and the slabs well filled: responses leave in
 * another order than they came, and one that stays would keep a slab of many that are gone.
 *
 * It counts for each slab the bytes of what is stored in it. A slab with nothing left in it is let go; where too much of
 * all slabs is waste, the responses in those of which too much is waste are moved together, a few at a time.
 */
import { PACK_STEP_COUNT, PACK_WASTE_BYTES, PACK_WASTE_SHARE } from '../base/limits.js';
import { MAX_IN_SLAB_BYTES, SLAB_BYTES, Slab } from '../base/slab.js';
import type { StoredResponse } from '../object/stored.js';
import { Column } from './column.js';
import type { Slots } from './slots.js';

/** What a slot has in no slab. */
const NOWHERE = 0;

/** The slabs of one store, by number; what is in use of each. */
class Shelf {
  readonly #numbers = new Map<Slab, number>();
  readonly #slabs: (Slab | undefined)[] = [undefined];
  readonly #free: number[] = [];
  #usedBytes = new Float64Array(64);
  #filling: Slab = this.#add();
  usedBytes = 0;

  get bytes(): number {
    return this.#numbers.size * SLAB_BYTES;
  }

  /** The slab that takes so many bytes more. */
  withRoom(bytes: number): Slab {
    if (this.#filling.hasRoom(bytes)) return this.#filling;
    const full = this.#filling;
    this.#filling = this.#add();
    this.#letGo(this.numberOf(full));
    return this.#filling;
  }

  /** NOWHERE for what is not one of these. */
  numberOf(slab: Slab | undefined): number {
    return slab === undefined ? NOWHERE : (this.#numbers.get(slab) ?? NOWHERE);
  }

  use(number: number, bytes: number): void {
    if (number === NOWHERE) return;
    this.#usedBytes[number] = (this.#usedBytes[number] as number) + bytes;
    this.usedBytes += bytes;
    if (bytes < 0) this.#letGo(number);
  }

  isSparse(number: number): boolean {
    if (number === NOWHERE || this.#slabs[number] === this.#filling) return false;
    return (this.#usedBytes[number] as number) < SLAB_BYTES * (1 - PACK_WASTE_SHARE);
  }

  #add(): Slab {
    const slab = new Slab();
    const number = this.#free.pop() ?? this.#slabs.length;
    this.#slabs[number] = slab;
    this.#numbers.set(slab, number);
    if (number >= this.#usedBytes.length) {
      const grown = new Float64Array(number * 2);
      grown.set(this.#usedBytes);
      this.#usedBytes = grown;
    }
    this.#usedBytes[number] = 0;
    return slab;
  }

  /** Nothing refers to an empty one any more but what is being written to a client. */
  #letGo(number: number): void {
    const slab = this.#slabs[number];
    if (slab === undefined || slab === this.#filling || (this.#usedBytes[number] as number) > 0) return;
    this.#slabs[number] = undefined;
    this.#numbers.delete(slab);
    this.#free.push(number);
  }
}

export class Packing {
  readonly #slots: Slots<StoredResponse>;
  readonly #shelf = new Shelf();
  /** By slot: the slab of its fields and that of its body, and how much it has there. */
  readonly #fieldsIn = new Column(Uint32Array);
  readonly #bodyIn = new Column(Uint32Array);
  readonly #fieldsBytes = new Column(Uint16Array);
  readonly #bodyBytes = new Column(Uint16Array);
  /** The next slot to look at; past the last one: a round is over. */
  #at = 0;

  constructor(slots: Slots<StoredResponse>) {
    this.#slots = slots;
    slots.follow((capacity) => {
      this.#fieldsIn.grow(capacity);
      this.#bodyIn.grow(capacity);
      this.#fieldsBytes.grow(capacity);
      this.#bodyBytes.grow(capacity);
    });
  }

  /** Bytes of all slabs, and how much of that is in use. */
  get bytes(): number {
    return this.#shelf.bytes;
  }

  get usedBytes(): number {
    return this.#shelf.usedBytes;
  }

  /** More of the slabs is waste than is worth keeping. */
  get wantsWork(): boolean {
    const wasteBytes = this.bytes - this.usedBytes;
    return wasteBytes > PACK_WASTE_BYTES && wasteBytes > this.bytes * PACK_WASTE_SHARE;
  }

  /** What is stored in the slot from now on: a new response, or the next record of the same. */
  put(slot: number, stored: StoredResponse): void {
    this.#claimFields(slot, stored, false);
    this.#claimBody(slot, stored, false);
  }

  drop(slot: number): void {
    this.#giveFields(slot);
    this.#giveBody(slot);
  }

  /** Looks at the next few slots, and moves what lies in a slab that is not worth it. Returns whether there are more in this round. */
  step(): boolean {
    const until = Math.min(this.#at + PACK_STEP_COUNT, this.#slots.end);
    for (let slot = this.#at; slot < until; slot++) {
      const stored = this.#slots.at(slot);
      if (stored === undefined) continue;
      if (this.#shelf.isSparse(this.#fieldsIn.get(slot))) this.#claimFields(slot, stored, true);
      if (this.#shelf.isSparse(this.#bodyIn.get(slot))) this.#claimBody(slot, stored, true);
    }
    this.#at = until < this.#slots.end ? until : 0;
    return this.#at > 0;
  }

  #claimFields(slot: number, { fields }: StoredResponse, isToMove: boolean): void {
    const bytes = fields.packableBytes;
    let number = this.#shelf.numberOf(fields.slab);
    if (bytes === 0 || bytes > MAX_IN_SLAB_BYTES) number = NOWHERE;
    else if (number === NOWHERE || (isToMove && this.#shelf.isSparse(number))) {
      const slab = this.#shelf.withRoom(bytes);
      number = fields.pack(slab) ? this.#shelf.numberOf(slab) : NOWHERE;
    }
    // Taken before the other is given: they may be one.
    this.#shelf.use(number, bytes);
    this.#giveFields(slot);
    this.#fieldsIn.set(slot, number);
    this.#fieldsBytes.set(slot, number === NOWHERE ? 0 : bytes);
  }

  #claimBody(slot: number, { body }: StoredResponse, isToMove: boolean): void {
    const bytes = body.packableBytes;
    let number = this.#shelf.numberOf(body.slab);
    if (bytes === 0) number = NOWHERE;
    else if (number === NOWHERE || (isToMove && this.#shelf.isSparse(number))) {
      const slab = this.#shelf.withRoom(bytes);
      body.pack(slab);
      number = this.#shelf.numberOf(slab);
    }
    this.#shelf.use(number, bytes);
    this.#giveBody(slot);
    this.#bodyIn.set(slot, number);
    this.#bodyBytes.set(slot, number === NOWHERE ? 0 : bytes);
  }

  #giveFields(slot: number): void {
    this.#shelf.use(this.#fieldsIn.get(slot), -this.#fieldsBytes.get(slot));
    this.#fieldsIn.set(slot, NOWHERE);
  }

  #giveBody(slot: number): void {
    this.#shelf.use(this.#bodyIn.get(slot), -this.#bodyBytes.get(slot));
    this.#bodyIn.set(slot, NOWHERE);
  }
}
