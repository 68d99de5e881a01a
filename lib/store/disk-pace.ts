/**
 * How the thread that writes to disk shares one core with the thread that answers. The system lets it finish a turn of a millisecond or more,
 * however far it stands back, before it gives way: so it leaves the core by itself, the sooner the less it has to do.
 */
import {
  DISK_BREATH_MS,
  DISK_HURRIED_BREATH_MS,
  DISK_HURRIED_FROM_BYTES,
  DISK_HURRIED_STRETCH_MS,
  DISK_STRETCH_MS,
} from '../base/disk-limits.js';
import type { DiskJob } from './disk-contract.js';

export interface DiskPace {
  /** Milliseconds of work, after which it leaves the core to others. */
  readonly stretchMs: number;
  /** For so many. */
  readonly breathMs: number;
}

const CALM: DiskPace = { stretchMs: DISK_STRETCH_MS, breathMs: DISK_BREATH_MS };
const HURRIED: DiskPace = { stretchMs: DISK_HURRIED_STRETCH_MS, breathMs: DISK_HURRIED_BREATH_MS };

/** Large batches are what has piled up, or large bodies on their way. */
export function paceOf({ batch }: Pick<DiskJob, 'batch'>): DiskPace {
  return batch !== undefined && batch.byteLength >= DISK_HURRIED_FROM_BYTES ? HURRIED : CALM;
}
