/** Counts the bytes of the memory tier against its budget. It moves nothing; the store asks it before and tells it after. */
import assert from 'node:assert';
import {
  FRESHEN_HEADROOM_SHARE,
  LARGE_SHARE,
  PRUNE_FROM_SHARE,
  RESERVE_MAX_SHARE,
  TAKEN_MAX_SHARE,
} from '../base/limits.js';
import type { Keeper } from '../object/taken.js';
import type { StoreStats } from './contract.js';

export class Ledger implements StoreStats, Keeper {
  budgetBytes = 0;
  maxObjectBytes = 0;
  /** What puts and reservations may fill; the rest of the budget is for freshened records whose fields grew. */
  ceilingBytes = 0;
  #reserveMaxBytes = 0;
  #takenMaxBytes = 0;
  objects = 0;
  bytes = 0;
  reservedBytes = 0;
  /** Of what is stored: what clients take just now. */
  #takenBytes = 0;
  heldBytes = 0;

  constructor(budgetBytes: number, maxObjectBytes: number | undefined) {
    this.resize(budgetBytes, maxObjectBytes);
  }

  resize(budgetBytes: number, maxObjectBytes: number | undefined): void {
    assert(budgetBytes > 0, `a memory budget of ${budgetBytes} bytes holds nothing`);
    this.budgetBytes = budgetBytes;
    this.ceilingBytes = Math.floor(budgetBytes * (1 - FRESHEN_HEADROOM_SHARE));
    this.maxObjectBytes = Math.min(maxObjectBytes ?? Math.floor(budgetBytes / 2), this.ceilingBytes);
    // A single fill of the largest size must be able to reserve its bytes.
    this.#reserveMaxBytes = Math.max(Math.floor(budgetBytes * RESERVE_MAX_SHARE), this.maxObjectBytes);
    this.#takenMaxBytes = Math.max(Math.floor(budgetBytes * TAKEN_MAX_SHARE), this.maxObjectBytes);
  }

  get usedBytes(): number {
    return this.bytes + this.reservedBytes + this.heldBytes;
  }

  /** What no eviction gives back. */
  get fixedBytes(): number {
    return this.reservedBytes + this.heldBytes + this.#takenBytes;
  }

  /** What clients take counts as if the budget were smaller by it: to evict all else for it would help nobody. */
  get wantsPruning(): boolean {
    const movableBytes = this.bytes - this.#takenBytes + this.reservedBytes;
    const leftBytes = this.budgetBytes - this.#takenBytes - this.heldBytes;
    return this.objects > 0 && movableBytes > leftBytes * PRUNE_FROM_SHARE;
  }

  /** Clients take so much of what is stored that too little is left for all else. */
  get isTakenUp(): boolean {
    return this.#takenBytes > this.#takenMaxBytes;
  }

  mayReserve(bytes: number): boolean {
    if (this.reservedBytes + bytes > this.#reserveMaxBytes) return false;
    // A large one is mostly taken for long, too: together they would leave no room for the small.
    return bytes <= this.budgetBytes * LARGE_SHARE || this.fixedBytes + bytes <= this.#takenMaxBytes;
  }

  reserve(bytes: number): void {
    this.reservedBytes += bytes;
  }

  release(bytes: number): void {
    assert(bytes >= 0 && bytes <= this.reservedBytes, 'no more is given back than was reserved');
    this.reservedBytes -= bytes;
  }

  add(bytes: number): void {
    this.objects++;
    this.bytes += bytes;
  }

  subtract(bytes: number): void {
    this.objects--;
    this.bytes -= bytes;
  }

  take(bytes: number, isStored: boolean): void {
    if (isStored) this.#takenBytes += bytes;
    else this.heldBytes += bytes;
  }

  giveBack(bytes: number, isStored: boolean): void {
    this.take(-bytes, isStored);
  }
}
