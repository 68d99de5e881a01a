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

/** Of what is large, or was taken once: nothing else pays for it. */
class Account {
  takers = 0;
  keeper: Keeper | undefined;
  /** Stored responses that it is a part of: a 304 may have made it that of several. */
  storedCount = 0;
  /** What the keeper was told of. */
  bytes = 0;

  get isStored(): boolean {
    return this.storedCount > 0;
  }

  tell(bytes: number): void {
    if (this.keeper === undefined) return;
    this.bytes = bytes;
    this.keeper.take(bytes, this.isStored);
  }

  tellNoMore(): void {
    if (this.bytes > 0) this.keeper?.giveBack(this.bytes, this.isStored);
    this.bytes = 0;
  }
}

export abstract class Taken {
  #account: Account | undefined;

  /** Bytes that stay in memory for whoever takes them. */
  abstract readonly lastingBytes: number;

  /** Bytes that are not given back just now, whatever becomes of it. */
  get takenBytes(): number {
    return this.#account?.bytes ?? 0;
  }

  /** Of these, what is charged though nothing that is stored has it. */
  get leftBytes(): number {
    return this.#account?.isStored === false ? this.takenBytes : 0;
  }

  /** A client takes some or all of it from now on, until giveBack() is called for it. */
  take(): void {
    this.#account ??= new Account();
    if (this.#account.takers++ === 0) this.#account.tell(this.lastingBytes);
  }

  giveBack(): void {
    const account = this.#account;
    assert(account !== undefined && account.takers > 0, 'no more is given back than was taken');
    if (--account.takers === 0) account.tellNoMore();
  }

  /** It is a part of one more stored response. */
  storedBy(keeper: Keeper): void {
    this.#become(keeper, 1);
  }

  /** And of one less. */
  letGoBy(keeper: Keeper): void {
    this.#become(keeper, -1);
  }

  /** It is complete, and was not stored, unless it was. */
  leftOutBy(keeper: Keeper): void {
    if (this.#account?.isStored !== true) this.#become(keeper, 0);
  }

  #become(keeper: Keeper, change: 1 | 0 | -1): void {
    const { lastingBytes } = this;
    // Small ones, of which there may be millions.
    if (this.#account === undefined && lastingBytes === 0) return;
    this.#account ??= new Account();
    const account = this.#account;
    account.tellNoMore();
    account.keeper = keeper;
    // What was small when it came was not counted, and is charged for nothing.
    account.storedCount = Math.max(0, account.storedCount + change);
    if (account.takers > 0) account.tell(lastingBytes);
  }
}
