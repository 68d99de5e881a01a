/** What the disk tier tells of itself, as metrics. */
import { type Family, single, type Together } from './families.js';
import type { Sample } from './tallies.js';

/** Why a stored response left the disk. */
export const DISK_REMOVALS = ['evicted', 'expired', 'replaced', 'purged', 'invalidated', 'damaged'] as const;
export type DiskRemoval = (typeof DISK_REMOVALS)[number];
/** Why a response is stored in memory alone. */
export const DISK_SKIPS = [
  'pending',
  'read-only',
  'full',
  'failed',
  'bodiless',
  'part-too-large',
  'lost',
  'spill',
  'broken',
  'outdated',
] as const;
export type DiskSkip = (typeof DISK_SKIPS)[number];
/** What was wrong with what could not be read. */
export const DISK_UNREADABLE = ['short', 'foreign', 'version', 'checksum', 'malformed', 'body', 'hot-list'] as const;
export type DiskUnreadable = (typeof DISK_UNREADABLE)[number];

export const DISK_STATES = ['writable', 'read-only', 'off'] as const;
export type DiskState = (typeof DISK_STATES)[number];

export interface DiskReadings {
  readonly state: DiskState;
  readonly records: number;
  readonly usedBytes: number;
  readonly fileBytes: number;
  readonly sizeBytes: number;
  readonly pendingBytes: number;
  readonly droppedUses: number;
  readonly hits: number;
  readonly misses: number;
  readonly writes: Readonly<Record<'response' | 'header', number>>;
  readonly failures: number;
  readonly openFailures: number;
  readonly hotPromoted: number;
  readonly hotSaves: number;
  readonly removed: Readonly<Record<DiskRemoval, number>>;
  readonly skipped: Readonly<Record<DiskSkip, number>>;
  readonly unreadable: Readonly<Record<DiskUnreadable, number>>;
}

type Reading = () => DiskReadings | undefined;

function one(
  reading: Reading,
  name: string,
  type: 'gauge' | 'counter',
  help: string,
  value: (from: DiskReadings) => number,
): Family {
  return single(name, type, help, () => {
    const from = reading();
    return from === undefined ? undefined : value(from);
  });
}

/** One sample for each word that `values` names. */
function by(
  reading: Reading,
  name: string,
  help: string,
  label: string,
  values: (from: DiskReadings) => Readonly<Record<string, number>>,
): Family {
  const samples = (): Sample[] => {
    const from = reading();
    const all = from === undefined ? [] : Object.entries(values(from));
    return all.map(([word, value]) => ({ labels: { [label]: word }, value }));
  };
  return { name, help, type: 'counter', samples };
}

function stateFamily(reading: Reading): Family {
  const help = 'The state of the disk tier: 1 for the one it is in.';
  const states = by(reading, 'patina_disk_state', help, 'state', ({ state }) =>
    Object.fromEntries(DISK_STATES.map((own) => [own, own === state ? 1 : 0])),
  );
  return { ...states, type: 'gauge', together: 'max' };
}

export function diskFamilies(reading: Reading): Family[] {
  const gauge = (name: string, help: string, value: (from: DiskReadings) => number): Family =>
    one(reading, name, 'gauge', help, value);
  const count = (name: string, help: string, value: (from: DiskReadings) => number): Family =>
    one(reading, name, 'counter', help, value);
  // Of the one file that several processes have: each says the same.
  const together: Together = 'max';
  return [
    stateFamily(reading),
    { ...gauge('patina_disk_records', 'Stored responses on disk.', (from) => from.records), together },
    { ...gauge('patina_disk_used_bytes', 'Bytes in use on disk.', (from) => from.usedBytes), together },
    { ...gauge('patina_disk_file_bytes', 'Bytes of the file of the disk tier.', (from) => from.fileBytes), together },
    { ...gauge('patina_disk_budget_bytes', 'Bytes that the disk tier may use.', (from) => from.sizeBytes), together },
    gauge('patina_disk_pending_bytes', 'Bytes that wait to be written to disk.', (from) => from.pendingBytes),
    count('patina_disk_hits_total', 'Lookups that the disk answered.', (from) => from.hits),
    count('patina_disk_misses_total', 'Lookups that found nothing on disk.', (from) => from.misses),
    count(
      'patina_disk_hot_promoted_total',
      'Stored responses that came to memory after the start for being asked for most.',
      (from) => from.hotPromoted,
    ),
    count(
      'patina_disk_hot_saves_total',
      'Times that the list of what is asked for most was written.',
      (from) => from.hotSaves,
    ),
    count('patina_disk_write_failures_total', 'Writes to disk that failed.', (from) => from.failures),
    count(
      'patina_disk_open_failures_total',
      'Tries to open the disk tier that failed: it is tried again, and there is none meanwhile.',
      (from) => from.openFailures,
    ),
    count(
      'patina_disk_uses_dropped_total',
      'Uses that were not noted on disk, for there were too many.',
      (from) => from.droppedUses,
    ),
    by(
      reading,
      'patina_disk_writes_total',
      'Records sent to disk: with a body, or alone.',
      'kind',
      (from) => from.writes,
    ),
    by(reading, 'patina_disk_removed_total', 'Stored responses that left the disk.', 'reason', (from) => from.removed),
    by(reading, 'patina_disk_skipped_total', 'Responses stored in memory alone.', 'reason', (from) => from.skipped),
    by(
      reading,
      'patina_disk_unreadable_total',
      'What was found on disk and could not be read.',
      'reason',
      (from) => from.unreadable,
    ),
  ];
}
