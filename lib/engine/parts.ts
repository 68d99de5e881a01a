/** What the engine is put together from. proxy.ts builds it once; tests build it with a fake clock and a scripted origin. */
import type { Clock } from '../base/clock.js';
import type { Rules } from '../config/rules.js';
import type { Events } from '../observe/events.js';
import type { OriginClient } from '../origin/contract.js';
import type { RequestSettings } from '../policy/hygiene.js';
import type { Store } from '../store/contract.js';
import type { Failures } from '../store/failures.js';
import type { Markers } from '../store/markers.js';
import type { ExplainSettings } from './explaining.js';
import type { Leases } from './leases-contract.js';
import type { OperatorMethods } from './operator-methods.js';
import type { Peers } from './peers-contract.js';
import type { RefreshBudget } from './refresh-budget.js';
import type { OriginPace } from './refresh-pace.js';
import type { Siblings } from './siblings-contract.js';

export interface EngineLimits {
  /** Requests that may wait on one fill. */
  readonly waitersPerFill: number;
  /** Milliseconds that a request waits on another's fill. */
  readonly waitMs: number;
  /** Longest target that a client may ask for. */
  readonly targetBytes: number;
}

/** What a reload changes: read anew for each request, and swapped as one. */
export interface EngineSettings {
  readonly rules: Rules;
  readonly hygiene: RequestSettings;
  readonly limits: EngineLimits;
  /** Undefined: nothing is explained. */
  readonly explain?: ExplainSettings | undefined;
  /** PURGE and REFRESH on the main listener. */
  readonly operators: OperatorMethods;
  /** What the origin may be asked while no client waits. */
  readonly refresh: RefreshBudget;
}

export interface EngineParts {
  readonly clock: Clock;
  readonly events: Events;
  readonly store: Store;
  readonly origin: OriginClient;
  /** Keys remembered as uncacheable (hit-for-miss). */
  readonly markers: Markers;
  /** When a failing key may be asked again. */
  readonly failures: Failures;
  /** How the origin fares. */
  readonly pace: OriginPace;
  /** Others who could ask the origin as well. Undefined: nobody; then nothing is awaited before it is asked. */
  leases?: Leases | undefined;
  /** Others that hold copies of what is stored here. */
  peers?: Peers | undefined;
  /** Undefined: this process is all there is. */
  readonly siblings?: Siblings | undefined;
  /** From 0 to below 1. */
  readonly random: () => number;
  /** Never held across two requests: a reload puts another one in its place. */
  live: EngineSettings;
}
