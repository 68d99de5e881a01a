/** Counts the bytes of the memory tier against its budget. It moves nothing; the store asks it before and tells it after. */
import assert from 'node:assert';
import { FRESHEN_HEADROOM_SHARE, PRUNE_FROM_SHARE, RESERVE_MAX_SHARE } from '../base/limits.js';
import type { StoreStats } from './contract.js';

export class Ledger implements StoreStats {
  budgetBytes = 0;
  maxObjectBytes = 0;
  /** What puts and reservations may fill; the rest of the budget is for freshened records whose fields grew. */
  ceilingBytes = 0;
  #reserveMaxBytes = 0;
  #pruneFromBytes = 0;
  objects = 0;
  bytes = 0;
  reservedBytes = 0;

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
    this.#pruneFromBytes = Math.floor(budgetBytes * PRUNE_FROM_SHARE);
  }

  get usedBytes(): number {
    return this.bytes + this.reservedBytes;
  }

  get wantsPruning(): boolean {
    return this.objects > 0 && this.usedBytes > this.#pruneFromBytes;
  }

  mayReserve(bytes: number): boolean {
    return this.reservedBytes + bytes <= this.#reserveMaxBytes;
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
}
