/** What a store says of the tiers below it where there are none. */
import type { StoredResponse } from '../object/stored.js';
import type { KeysBelow, Store } from './contract.js';

type OfBelow = Pick<
  Store,
  | 'below'
  | 'known'
  | 'maxCopyBytes'
  | 'recall'
  | 'passOver'
  | 'changeUnseen'
  | 'scanBelow'
  | 'keysBelow'
  | 'settled'
  | 'openSpill'
  | 'giveUp'
>;

const NO_KEYS: KeysBelow = { keys: [], next: undefined };

export abstract class LowestStore implements OfBelow {
  readonly below = undefined;
  abstract readonly maxObjectBytes: number;

  abstract peek(key: string): readonly StoredResponse[] | undefined;

  known(key: string): readonly StoredResponse[] {
    return this.peek(key) ?? [];
  }

  get maxCopyBytes(): number {
    return this.maxObjectBytes;
  }

  recall(): undefined {}

  passOver(): void {}

  changeUnseen(): void {}

  scanBelow(): undefined {}

  keysBelow(): KeysBelow {
    return NO_KEYS;
  }

  settled(): Promise<boolean> {
    return Promise.resolve(true);
  }

  openSpill(): undefined {}

  giveUp(): void {}
}
