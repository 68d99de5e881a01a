/**
 * Bytes that clients take for a while, and who is charged for them meanwhile: they stay in memory until the last of these
 * clients has all of them, whether they are stored still or not (decisions/0043).
 */
import assert from 'node:assert/strict';

/** Is told of bytes for as long as at least one client takes them. */
export interface Keeper {
  /** `isStored`: they are charged as a part of what is stored. */
  take(bytes: number, isStored: boolean): void;
  giveBack(bytes: number, isStored: boolean): void;
}

export abstract class Taken {
  #takers = 0;
  #keeper: Keeper | undefined;
  #isStored = false;
  #takenBytes = 0;

  /** Bytes that stay in memory for whoever takes them. */
  abstract readonly lastingBytes: number;

  /** Bytes that are not given back just now, whatever becomes of it. */
  get takenBytes(): number {
    return this.#takenBytes;
  }

  /** A client takes some or all of it from now on, until giveBack() is called for it. */
  take(): void {
    if (this.#takers++ === 0) this.#tell();
  }

  giveBack(): void {
    assert(this.#takers > 0, 'no more is given back than was taken');
    if (--this.#takers === 0) this.#tellNoMore();
  }

  /** It is stored from now on. */
  storedBy(keeper: Keeper): void {
    this.#become(keeper, true);
  }

  /** It is not stored any more. */
  letGoBy(keeper: Keeper): void {
    this.#become(keeper, false);
  }

  /** It is complete, and was not stored, unless it was. */
  leftOutBy(keeper: Keeper): void {
    if (!this.#isStored) this.#become(keeper, false);
  }

  #become(keeper: Keeper, isStored: boolean): void {
    this.#tellNoMore();
    this.#keeper = keeper;
    this.#isStored = isStored;
    if (this.#takers > 0) this.#tell();
  }

  #tell(): void {
    if (this.#keeper === undefined) return;
    this.#takenBytes = this.lastingBytes;
    this.#keeper.take(this.#takenBytes, this.#isStored);
  }

  #tellNoMore(): void {
    // Nobody took it, or nobody wants to know.
    if (this.#takenBytes > 0) this.#keeper?.giveBack(this.#takenBytes, this.#isStored);
    this.#takenBytes = 0;
  }
}
