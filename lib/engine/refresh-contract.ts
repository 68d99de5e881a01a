/** What the refresh queue is given to do, and what it tells. */
import type { RefreshOutcome, RefreshPriority } from '../observe/events.js';
import type { FillEnd } from './fill-contract.js';

/** The end of a job: none that is still to be retried is one. */
export type RefreshEnd = Exclude<RefreshOutcome, 'retried'>;

/** `needless`: nobody would be better off. `later`: not before that instant. */
export type Begun = 'running' | 'needless' | { readonly later: number };

/** One request to the origin that no client waits for. */
export interface RefreshJob {
  /** No two jobs in the queue have the same. */
  readonly id: string;
  readonly priority: RefreshPriority;
  /** Of one priority the hottest goes first. */
  readonly heat: number;
  /** What it holds in memory while it waits. */
  readonly bytes: number;
  /** It does not begin before this instant. */
  readonly notBefore: number;
  /** Starts the exchange; `ended` is called once where that gives `running`, and never elsewhere. */
  begin(ended: (end: FillEnd) => void): Begun;
  /** When to try again after so many tries that failed. */
  retryAt(tries: number): number;
}

/**
 * `running`: it began at once. `joined`: the same is in the queue already. `over`: it came to its end at once. `full` and
 * `shed`: it was not taken.
 */
export type Enqueued = 'running' | 'queued' | 'joined' | 'over' | 'full' | 'shed';

export interface QueueStats {
  /** Jobs that wait. */
  readonly depth: Readonly<Record<RefreshPriority, number>>;
  /** How long the oldest of them has been waiting. */
  readonly oldestMs: Readonly<Record<RefreshPriority, number>>;
  readonly running: number;
  /** How far the queue gives way to the origin, from 0 to 5. */
  readonly strain: number;
}
