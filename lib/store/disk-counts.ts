/** What the disk tier counts. */
import {
  DISK_REMOVALS,
  DISK_SKIPS,
  DISK_UNREADABLE,
  type DiskReadings,
  type DiskSkip,
  type DiskUnreadable,
} from '../observe/disk-meters.js';
import type { DiskReport } from './disk-contract.js';
import type { DiskFile } from './disk-file.js';

export class DiskCounts {
  hits = 0;
  misses = 0;
  failures = 0;
  openFailures = 0;
  hotPromoted = 0;
  hotSaves = 0;
  #records = 0;
  #usedBytes = 0;
  #fileBytes = 0;
  readonly #writes = { response: 0, header: 0 };
  readonly #removed = zeros(DISK_REMOVALS);
  readonly #skipped = zeros(DISK_SKIPS);
  readonly #unreadable = zeros(DISK_UNREADABLE);

  noteFile(file: DiskFile): void {
    this.#records = file.tables.records.count;
    this.#usedBytes = file.usedBytes;
    this.#fileBytes = file.fileBytes;
  }

  noteReport({ records, removed }: DiskReport): void {
    this.#records = records;
    for (const reason of DISK_REMOVALS) this.#removed[reason] += removed[reason] ?? 0;
  }

  wrote(kind: 'response' | 'header'): void {
    this.#writes[kind]++;
  }

  skip(reason: DiskSkip): void {
    this.#skipped[reason]++;
  }

  unreadable(reason: DiskUnreadable): void {
    this.#unreadable[reason]++;
  }

  get stats(): Omit<DiskReadings, 'state' | 'pendingBytes' | 'droppedUses' | 'sizeBytes'> {
    return {
      records: this.#records,
      usedBytes: this.#usedBytes,
      fileBytes: this.#fileBytes,
      hits: this.hits,
      misses: this.misses,
      writes: { ...this.#writes },
      failures: this.failures,
      openFailures: this.openFailures,
      hotPromoted: this.hotPromoted,
      hotSaves: this.hotSaves,
      removed: { ...this.#removed },
      skipped: { ...this.#skipped },
      unreadable: { ...this.#unreadable },
    };
  }
}

function zeros<Name extends string>(names: readonly Name[]): Record<Name, number> {
  return Object.fromEntries(names.map((name) => [name, 0])) as Record<Name, number>;
}

/** Of a disk tier that cannot be had. */
export const OFF_READINGS: DiskReadings = {
  ...new DiskCounts().stats,
  state: 'off',
  pendingBytes: 0,
  droppedUses: 0,
  sizeBytes: 0,
};
