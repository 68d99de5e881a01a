/** Other processes of this proxy, each with a memory of its own: what is done here has to be done there as well. */
import type { Counts, OperatorDoor, Target } from './operations.js';

export interface Siblings {
  /** The operations of an operator on all of them. */
  readonly operations: OperatorDoor;
  /** Makes what is stored in any of them stale. Undefined where the target is none. */
  expire(target: Target): Promise<Counts | undefined>;
  /** A request that went by changed what is stored for a URL, itself written as a key. */
  invalidated(url: string): void;
}
