/** A download that breaks off while it is received goes on where it stood, where its origin can give the rest (RFC 9111 §3.4). */
import { MAX_RESUMES_PER_FILL } from '../base/limits.js';
import type { StoredResponse } from '../object/stored.js';
import type { OriginResponseHead } from '../origin/contract.js';
import { isResumable } from './combining.js';
import { wholeByRest } from './verdict.js';

export class Rest {
  #left = MAX_RESUMES_PER_FILL;
  /** What a resumed body has to come to. */
  #totalBytes: number | undefined;

  /** Whether the rest is to be asked for now: it counts as asked for then. */
  begins(
    response: StoredResponse | undefined,
    inflow: { readonly isKept: boolean } | undefined,
  ): response is StoredResponse {
    if (this.#left === 0 || response === undefined || !isResumable(response, inflow)) return false;
    this.#left--;
    return true;
  }

  /** Whether the answer to that is the rest, and no reader will ever notice. */
  goesOn(response: StoredResponse | undefined, { status, fields }: OriginResponseHead): boolean {
    if (response !== undefined) this.#totalBytes = wholeByRest(response, status, fields);
    return this.#totalBytes !== undefined;
  }

  /** Whether what came is as long as the answers that it was put together from said. */
  isWhole({ receivedBytes }: { readonly receivedBytes: number }): boolean {
    return (this.#totalBytes ?? receivedBytes) === receivedBytes;
  }

  giveUp(): void {
    this.#left = 0;
  }
}
