/** Between the disk tier and whoever writes for it: a thread, or in tests whatever a test wants to go wrong. */
import type { DiskRemoval } from '../observe/disk-meters.js';

/** Work for the writer: orders, or without them a step of tidying up. */
export interface DiskJob {
  /** Not changed until the job is done. */
  readonly batch: Uint8Array | undefined;
  /** On the scale of what is stored. */
  readonly now: number;
}

/** What a job did. */
export interface DiskReport {
  readonly records: number;
  /** Stored responses that left, by reason. */
  readonly removed: Readonly<Partial<Record<DiskRemoval, number>>>;
  /** Record keys that were not written, because their body is not there any more. */
  readonly bodiless: readonly Uint8Array[];
  /** Record keys that were not written, because what is there is a later form of the same. */
  readonly outdated: readonly Uint8Array[];
  /** Record keys that were not written for want of room. */
  readonly refused: readonly Uint8Array[];
  /** There was no room for what is new: no chunk was written. */
  readonly isFull: boolean;
  /** There is more to tidy up. */
  readonly hasMore: boolean;
}

/** A job of which nothing was done, or not all. */
export class DiskFailure extends Error {
  override readonly name = 'DiskFailure';
  /** Such as `ENOSPC`, or what lmdb calls it. */
  readonly code: string;
  /** The writer is still at it, and reads its orders. */
  readonly isUnderWay: boolean;

  constructor(code: string, message: string, isUnderWay = false) {
    super(message);
    this.code = code;
    this.isUnderWay = isUnderWay;
  }
}

export interface DiskPort {
  /** Does one job; the next is sent when it is done. Rejects with a DiskFailure where not all was written. */
  send(job: DiskJob): Promise<DiskReport>;
  close(): Promise<void>;
}
