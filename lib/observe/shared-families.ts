/** Metrics of the tier that machines share: read when somebody scrapes, absent where there is no such tier. */
import { type Family, single } from './families.js';

export interface SharedReadings {
  readonly isUp: boolean;
  /** Commands that have no answer yet. */
  readonly running: number;
  /** Waits for another machine. */
  readonly waiting: number;
  readonly pendingWrites: number;
  readonly pendingBytes: number;
  readonly pendingOperations: number;
  /** By how much the clock there is ahead. */
  readonly clockOffsetMs: number;
  readonly commands: Readonly<Record<'answered' | 'failed' | 'late' | 'refused', number>>;
  readonly lookups: Readonly<
    Record<
      'found' | 'missed' | 'kept' | 'refused' | 'unshared' | 'damaged' | 'missing' | 'newsHeard' | 'newsAlien',
      number
    >
  >;
  /** Times that it could not be told what had been done elsewhere. */
  readonly gaps: number;
  /** Keys that were invalidated by more requests than can be purged there. */
  readonly tombsDropped: number;
  /** Times that more operations waited than may. */
  readonly overflows: number;
}

type Reading = () => SharedReadings | undefined;

function gauge(reading: Reading, name: string, help: string, value: (from: SharedReadings) => number): Family {
  return single(name, 'gauge', help, () => {
    const from = reading();
    return from === undefined ? undefined : value(from);
  });
}

function total(reading: Reading, name: string, help: string, value: (from: SharedReadings) => number): Family {
  return { ...gauge(reading, name, help, value), type: 'counter' };
}

function labelled<K extends string>(
  reading: Reading,
  name: string,
  help: string,
  words: readonly K[],
  value: (from: SharedReadings) => Readonly<Record<K, number>>,
): Family {
  return {
    name,
    help,
    type: 'counter',
    samples: () => {
      const from = reading();
      return from === undefined ? [] : words.map((word) => ({ labels: { result: word }, value: value(from)[word] }));
    },
  };
}

export function sharedFamilies(reading: Reading): Family[] {
  return [
    {
      ...gauge(reading, 'patina_shared_up', '1 while the tier that machines share is used.', ({ isUp }) =>
        isUp ? 1 : 0,
      ),
      together: 'min',
    },
    ...commandFamilies(reading),
    ...pendingFamilies(reading),
    {
      ...gauge(
        reading,
        'patina_shared_clock_offset_seconds',
        'By how much the clock of the shared tier is ahead of the one here.',
        ({ clockOffsetMs }) => clockOffsetMs / 1000,
      ),
      together: 'average',
    },
    total(
      reading,
      'patina_shared_gaps_total',
      'Times that it could not be told what other machines had purged: all that was stored counted as stale.',
      ({ gaps }) => gaps,
    ),
  ];
}

function commandFamilies(reading: Reading): Family[] {
  return [
    labelled(
      reading,
      'patina_shared_commands_total',
      'Commands to the shared tier: answered, failed, too late, or not sent because it was gone.',
      ['answered', 'failed', 'late', 'refused'],
      ({ commands }) => commands,
    ),
    labelled(
      reading,
      'patina_shared_lookups_total',
      'Lookups in the shared tier that found something, and those that got the lease.',
      ['found', 'missed'],
      ({ lookups }) => lookups,
    ),
    labelled(
      reading,
      'patina_shared_writes_total',
      'Responses written to the shared tier, refused by it, and too large or too many to be shared.',
      ['kept', 'refused', 'unshared'],
      ({ lookups }) => lookups,
    ),
    labelled(
      reading,
      'patina_shared_unreadable_total',
      'Records and pieces of bodies in the shared tier that were damaged, or not there: each a miss.',
      ['damaged', 'missing'],
      ({ lookups }) => lookups,
    ),
    total(reading, 'patina_shared_messages_total', 'Messages of other machines.', ({ lookups }) => lookups.newsHeard),
    total(
      reading,
      'patina_shared_alien_messages_total',
      'Messages that make no sense.',
      ({ lookups }) => lookups.newsAlien,
    ),
    gauge(reading, 'patina_shared_commands_running', 'Commands that have no answer yet.', ({ running }) => running),
  ];
}

function pendingFamilies(reading: Reading): Family[] {
  return [
    gauge(reading, 'patina_shared_waiting', 'Fills that wait for another machine.', ({ waiting }) => waiting),
    gauge(
      reading,
      'patina_shared_pending_writes',
      'Responses that wait to be written.',
      ({ pendingWrites }) => pendingWrites,
    ),
    gauge(reading, 'patina_shared_pending_bytes', 'Bytes of their bodies.', ({ pendingBytes }) => pendingBytes),
    gauge(
      reading,
      'patina_shared_pending_operations',
      'Purges and expiries that other machines have not been told of yet.',
      ({ pendingOperations }) => pendingOperations,
    ),
    total(
      reading,
      'patina_shared_tombs_dropped_total',
      'Keys that unsafe requests had invalidated and that were not purged in the shared tier, for there were too many.',
      ({ tombsDropped }) => tombsDropped,
    ),
    total(
      reading,
      'patina_shared_overflows_total',
      'Times that more purges waited for the shared tier than may: others take all they have for stale.',
      ({ overflows }) => overflows,
    ),
  ];
}
