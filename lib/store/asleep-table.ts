/**
 * Slots by a hash of their key, in numbers alone: 256 open tables, so that none of them holds the process up when it grows.
 * What is asked for by a client decides the hash, so the place of a hash in its table depends on a secret of this
 * process, and of what has the same hash for all that only a few are taken in.
 */
import { randomBytes } from 'node:crypto';
import { NO_SLOT } from './links.js';

/** Two to the power of this: tables. */
const TABLE_BITS = 8;
const FIRST_CAPACITY = 16;
/** A fuller table grows. */
const MOST_FULL = 3 / 4;
/** With one hash. */
const MAX_ALIKE = 8;

/** Of every table that nothing is in: a small store has use for few of them. Never written to. */
const NO_PAIRS = new Uint32Array(2);

/** Pairs of a hash and of a slot plus one; 0 where there is none. */
class Table {
  #pairs = NO_PAIRS;
  #mask = 0;
  #count = 0;

  /** False where there are too many of this hash already. `place`: the hash, mixed. */
  add(hash: number, place: number, slot: number): boolean {
    if (this.#count + 1 > (this.#mask + 1) * MOST_FULL) this.#grow();
    let alike = 0;
    let at = place & this.#mask;
    for (; this.#pairs[at * 2 + 1] !== 0; at = (at + 1) & this.#mask)
      if (this.#pairs[at * 2] === hash && ++alike === MAX_ALIKE) return false;
    this.#put(at, hash, slot + 1);
    this.#count++;
    return true;
  }

  find(hash: number, place: number, isMeant: (slot: number) => boolean): number {
    const at = this.#find(hash, place, isMeant);
    return at === NO_SLOT ? NO_SLOT : (this.#pairs[at * 2 + 1] as number) - 1;
  }

  replace(hash: number, place: number, slot: number, by: number): void {
    const at = this.#find(hash, place, (one) => one === slot);
    if (at !== NO_SLOT) this.#put(at, hash, by + 1);
  }

  remove(hash: number, place: number, slot: number): void {
    let hole = this.#find(hash, place, (one) => one === slot);
    if (hole === NO_SLOT) return;
    this.#count--;
    // What stands behind it in the same run moves up, where its own place is not behind the hole.
    for (let at = (hole + 1) & this.#mask; this.#pairs[at * 2 + 1] !== 0; at = (at + 1) & this.#mask) {
      const own = this.#pairs[at * 2] as number;
      const fromHome = (at - mixed(own)) & this.#mask;
      if (fromHome < ((at - hole) & this.#mask)) continue;
      this.#put(hole, own, this.#pairs[at * 2 + 1] as number);
      hole = at;
    }
    this.#put(hole, 0, 0);
  }

  /** Has the same hashes in a table twice as large, or in the first one. */
  #grow(): void {
    const pairs = this.#pairs;
    this.#mask = pairs === NO_PAIRS ? FIRST_CAPACITY - 1 : this.#mask * 2 + 1;
    this.#pairs = new Uint32Array((this.#mask + 1) * 2);
    for (let at = 0; at < pairs.length; at += 2) {
      const slot = pairs[at + 1] as number;
      if (slot === 0) continue;
      const hash = pairs[at] as number;
      let to = mixed(hash) & this.#mask;
      while (this.#pairs[to * 2 + 1] !== 0) to = (to + 1) & this.#mask;
      this.#put(to, hash, slot);
    }
  }

  #find(hash: number, place: number, isMeant: (slot: number) => boolean): number {
    const pairs = this.#pairs;
    for (let at = place & this.#mask; ; at = (at + 1) & this.#mask) {
      const slot = pairs[at * 2 + 1] as number;
      if (slot === 0) return NO_SLOT;
      if (pairs[at * 2] === hash && isMeant(slot - 1)) return at;
    }
  }

  #put(at: number, hash: number, slot: number): void {
    this.#pairs[at * 2] = hash;
    this.#pairs[at * 2 + 1] = slot;
  }
}

const SECRET = randomBytes(4).readUInt32LE(0);

/** Each bit of it depends on each bit of the hash. */
function mixed(hash: number): number {
  let bits = hash ^ SECRET;
  bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
  return (bits ^ (bits >>> 16)) >>> 0;
}

export class AsleepTable {
  readonly #tables = Array.from({ length: 1 << TABLE_BITS }, () => new Table());

  /** False where there are too many of this hash already. */
  add(hash: number, slot: number): boolean {
    const place = mixed(hash);
    return this.#of(place).add(hash, place, slot);
  }

  /** The one with this hash that `isMeant` is true for, else NO_SLOT. */
  find(hash: number, isMeant: (slot: number) => boolean): number {
    const place = mixed(hash);
    return this.#of(place).find(hash, place, isMeant);
  }

  /** Puts another slot in the place of one. */
  replace(hash: number, slot: number, by: number): void {
    const place = mixed(hash);
    this.#of(place).replace(hash, place, slot, by);
  }

  remove(hash: number, slot: number): void {
    const place = mixed(hash);
    this.#of(place).remove(hash, place, slot);
  }

  /** The high bits choose the table, the low ones the place in it. */
  #of(place: number): Table {
    return this.#tables[place >>> (32 - TABLE_BITS)] as Table;
  }
}
