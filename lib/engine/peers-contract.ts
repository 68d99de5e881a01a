/** Others that hold copies of what is stored here: what is done to it here is done to theirs. */
import type { StoredResponse } from '../object/stored.js';
import type { Effect } from './fate.js';
import type { Reach } from './reach.js';

export interface Peers {
  /** An operator did it, or (`isPassing`) a request that changes what is stored. */
  operated(effect: Effect, reach: Reach, isPassing: boolean): void;
  /** The same, where another process of this machine tells them: what they have of it still is not to be taken from them. */
  noted(effect: Effect, reach: Reach): void;
  /** Whether all that was done here lies where they learn of it; else it is put there later. Takes a bounded time; never rejects. */
  told(): Promise<boolean>;
  /** It was stored without a lease. `isPush`: by an operator, and it wins over what is on its way. `before`: what had been pushed there, as far as it was here. */
  stored(response: StoredResponse, isPush: boolean, before?: StoredResponse): void;
}

/** What one process does of an operation that several of one machine do together. */
export interface Share {
  /** Another one of them tells the other machines. */
  readonly isQuiet: boolean;
  /** Hears of each stored response that it reached: others may have the same. */
  readonly reached?: (place: Pick<StoredResponse, 'key' | 'selection'>) => void;
}

export const WHOLE: Share = { isQuiet: false };

/** Tells `peers` of what was done here, or leaves that to another process. `isPassing`: as operated() has it. */
export function tellPeers(
  peers: Peers | undefined,
  effect: Effect,
  reach: Reach,
  isQuiet: boolean,
  isPassing = false,
): void {
  if (isQuiet) peers?.noted(effect, reach);
  else peers?.operated(effect, reach, isPassing);
}
