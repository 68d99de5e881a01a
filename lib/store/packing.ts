/**
 * Keeps what is small of stored responses in slabs (lib/base/slab.ts), and the slabs well filled: responses leave in
 * another order than they came, and one that stays would keep a slab of many that are gone.
 *
 * It counts for each slab the bytes of what is stored in it. A slab with nothing left in it is let go; where too much of
 * all slabs is waste, the responses in those of which too much is waste are moved together, a few at a time.
 */

import assert from 'node:assert';
import { PACK_STEP_COUNT, PACK_WASTE_BYTES, PACK_WASTE_SHARE } from '../base/limits.js';
import { MAX_IN_SLAB_BYTES, SLAB_BYTES, Slab } from '../base/slab.js';
import { Fields } from '../http/fields.js';
import { Body } from '../object/body.js';
import { NO_BYTES } from '../object/chunks.js';
import type { StoredResponse } from '../object/stored.js';
import type { Rows } from './column.js';
import { PARTS } from './row.js';
import type { Sight } from './sight.js';
import type { Slots } from './slots.js';

/** What a slot has in no slab. */
const NOWHERE = 0;

/** The slabs of one store, by number; what is in use of each. */
class Shelf {
  readonly #slabs: (Slab | undefined)[] = [undefined];
  #count = 0;
  readonly #free: number[] = [];
  #usedBytes = new Float64Array(64);
  #filling: Slab = this.#add();
  usedBytes = 0;

  get bytes(): number {
    return this.#count * SLAB_BYTES;
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
    return slab?.owner === this ? slab.number : NOWHERE;
  }

  at(number: number): Slab {
    const slab = this.#slabs[number];
    assert(slab !== undefined, 'a slab stays while something is in it');
    return slab;
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
    slab.owner = this;
    slab.number = number;
    this.#count++;
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
    slab.owner = undefined;
    this.#count--;
    this.#free.push(number);
  }
}

const BYTES_SHIFT = 16;
const AT_MASK = 0xffff;

/** Where one part of the response in each slot lies, and how much that is. */
class Part {
  readonly #shelf: Shelf;
  readonly #rows: Rows;
  readonly #part: number;

  /** In each row: the slab of each part, then the place of each in its slab and its length. */
  constructor(shelf: Shelf, rows: Rows, part: number) {
    this.#shelf = shelf;
    this.#rows = rows;
    this.#part = part;
  }

  /** NOWHERE: in none. */
  slabNumber(slot: number): number {
    return this.#rows.get(slot, this.#part);
  }

  slab(slot: number): Slab {
    return this.#shelf.at(this.slabNumber(slot));
  }

  at(slot: number): number {
    return this.#rows.get(slot, PARTS + this.#part) & AT_MASK;
  }

  bytes(slot: number): number {
    return this.#rows.get(slot, PARTS + this.#part) >>> BYTES_SHIFT;
  }

  set(slot: number, number: number, at: number, bytes: number): void {
    // Taken before the other is given: they may be one.
    this.#shelf.use(number, bytes);
    this.give(slot);
    if (number === NOWHERE) return;
    this.#rows.set(slot, this.#part, number);
    this.#rows.set(slot, PARTS + this.#part, (bytes << BYTES_SHIFT) | at);
  }

  give(slot: number): void {
    this.#shelf.use(this.slabNumber(slot), -this.bytes(slot));
    this.#rows.set(slot, this.#part, NOWHERE);
    this.#rows.set(slot, PARTS + this.#part, 0);
  }

  /** Of a slab that so many bytes can be written to, from `next` on, to be laid down then. */
  room(bytes: number): Slab {
    return this.#shelf.withRoom(bytes);
  }

  /** What was written to the slab that room() gave is the part of this slot. */
  lay(slot: number, slab: Slab, bytes: number): void {
    this.set(slot, this.#shelf.numberOf(slab), slab.take(bytes), bytes);
  }

  /** Moves it to where it has better neighbours, if it is alone in its slab. */
  move(slot: number): void {
    if (!this.#shelf.isSparse(this.slabNumber(slot))) return;
    const at = this.at(slot);
    const bytes = this.bytes(slot);
    const slab = this.room(bytes);
    slab.bytes.set(this.slab(slot).bytes.subarray(at, at + bytes), slab.next);
    this.lay(slot, slab, bytes);
  }
}

export class Packing {
  readonly #slots: Slots<StoredResponse>;
  readonly #shelf = new Shelf();
  readonly #fields: Part;
  readonly #body: Part;
  /** What is to be known of the response beside these, of which there is no object: asleep.ts. */
  readonly head: Part;
  /** The body of a slot that holds no object, where there is one for its body all the same: it must not pin the slab that it is moved from. */
  bodyAsleep: (slot: number) => Body | undefined = () => undefined;
  /** The next slot to look at; past the last one: a round is over. */
  #at = 0;

  constructor(slots: Slots<StoredResponse>) {
    this.#slots = slots;
    this.#fields = new Part(this.#shelf, slots.rows, 0);
    this.#body = new Part(this.#shelf, slots.rows, 1);
    this.head = new Part(this.#shelf, slots.rows, 2);
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

  /** A body of at most MAX_IN_SLAB_BYTES in a slab, before it is in a slot: put() moves it where that slab was let go meanwhile. */
  laid(content: Buffer): Body {
    const { length } = content;
    if (length === 0) return Body.of([]);
    const slab = this.#shelf.withRoom(length);
    const at = slab.take(length);
    slab.bytes.set(content, at);
    return Body.packedIn(slab, at, length);
  }

  /** What is stored in the slot from now on: a new response, or the next record of the same. */
  put(slot: number, stored: StoredResponse): void {
    this.#claimFields(slot, stored, false);
    this.#claimBody(slot, stored.body, false);
  }

  drop(slot: number): void {
    this.#fields.give(slot);
    this.#body.give(slot);
    this.head.give(slot);
  }

  hasFields(slot: number): boolean {
    return this.#fields.slabNumber(slot) !== NOWHERE;
  }

  /** Whether these are the fields of the slot, as far as that is seen by where they lie. */
  holdsFields(slot: number, { slab, slabAt }: Fields): boolean {
    return (
      slab !== undefined && this.hasFields(slot) && this.#fields.slab(slot) === slab && this.#fields.at(slot) === slabAt
    );
  }

  hasBody(slot: number): boolean {
    return this.#body.slabNumber(slot) !== NOWHERE;
  }

  hasHead(slot: number): boolean {
    return this.head.slabNumber(slot) !== NOWHERE;
  }

  /** Those of the slot, which has them in a slab, as an object. */
  fieldsOf(slot: number): Fields {
    return Fields.packedIn(this.#fields.slab(slot), this.#fields.at(slot), this.#fields.bytes(slot));
  }

  showFields(slot: number, sight: Sight): void {
    sight.hasSection(this.#fields.slab(slot).bytes, this.#fields.at(slot), this.#fields.bytes(slot));
  }

  /** The body of the slot, or none where it has none in a slab. */
  showBody(slot: number, sight: Sight): void {
    const number = this.#body.slabNumber(slot);
    if (number === NOWHERE) sight.hasBytes(NO_BYTES, 0, 0);
    else sight.hasBytes(this.#shelf.at(number).bytes, this.#body.at(slot), this.#body.bytes(slot));
  }

  bodyOf(slot: number): Body {
    return Body.packedIn(this.#body.slab(slot), this.#body.at(slot), this.#body.bytes(slot));
  }

  bodyBytes(slot: number): number {
    return this.#body.bytes(slot);
  }

  /** Looks at the next few slots, and moves what lies in a slab that is not worth it. Returns whether there are more in this round. */
  step(): boolean {
    const until = Math.min(this.#at + PACK_STEP_COUNT, this.#slots.end);
    for (let slot = this.#at; slot < until; slot++) {
      const stored = this.#slots.at(slot);
      this.head.move(slot);
      if (stored === undefined) this.#fields.move(slot);
      else if (this.#shelf.isSparse(this.#fields.slabNumber(slot))) this.#claimFields(slot, stored, true);
      if (!this.#shelf.isSparse(this.#body.slabNumber(slot))) continue;
      const body = stored?.body ?? this.bodyAsleep(slot);
      if (body === undefined) this.#body.move(slot);
      else this.#claimBody(slot, body, true);
    }
    this.#at = until < this.#slots.end ? until : 0;
    return this.#at > 0;
  }

  #claimFields(slot: number, { fields }: StoredResponse, isToMove: boolean): void {
    const bytes = fields.packableBytes;
    let number = this.#shelf.numberOf(fields.slab);
    if (bytes === 0) number = NOWHERE;
    else if (bytes > MAX_IN_SLAB_BYTES) {
      // On the heap of strings its bytes would be collected late: that grows to several times what is in use.
      if (fields.slab === undefined) fields.pack(new Slab(bytes));
      number = NOWHERE;
    } else if (number === NOWHERE || (isToMove && this.#shelf.isSparse(number))) {
      const slab = this.#shelf.withRoom(bytes);
      number = fields.pack(slab) ? this.#shelf.numberOf(slab) : NOWHERE;
    }
    this.#fields.set(slot, number, fields.slabAt, bytes);
  }

  #claimBody(slot: number, body: Body, isToMove: boolean): void {
    const bytes = body.packableBytes;
    let number = this.#shelf.numberOf(body.slab);
    if (bytes === 0) number = NOWHERE;
    else if (number === NOWHERE || (isToMove && this.#shelf.isSparse(number))) {
      const slab = this.#shelf.withRoom(bytes);
      body.pack(slab);
      number = this.#shelf.numberOf(slab);
    }
    this.#body.set(slot, number, body.slabAt, bytes);
  }
}
