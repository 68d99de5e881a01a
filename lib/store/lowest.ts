/** What a store says of the tiers below it where there are none. */
import type { Store } from './contract.js';

type OfBelow = Pick<
  Store,
  'below' | 'recall' | 'passOver' | 'changeUnseen' | 'scanBelow' | 'keysBelow' | 'settled' | 'openSpill' | 'giveUp'
>;

export abstract class LowestStore implements OfBelow {
  readonly below = undefined;

  recall(): undefined {}

  passOver(): void {}

  changeUnseen(): void {}

  scanBelow(): undefined {}

  keysBelow(): readonly string[] {
    return [];
  }

  settled(): Promise<void> {
    return Promise.resolve();
  }

  openSpill(): undefined {}

  giveUp(): void {}
}
