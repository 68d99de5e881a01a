// Goal: each figure of a tier and of warming stands in /metrics under the name that the README gives it. Method: readings in which no two numbers are the same.
import t from 'tap';
import { createMetrics, NO_GAUGES } from '../../lib/observe/metrics.js';
import { FakeClock } from '../kit/clock.js';
import { metric } from '../kit/proxy-kit.js';

type Row = readonly [name: string, value: number, ...labels: string[]];

const DISK = {
  state: 'read-only',
  records: 1,
  usedBytes: 2,
  fileBytes: 3,
  sizeBytes: 4,
  pendingBytes: 5,
  droppedUses: 6,
  hits: 7,
  misses: 8,
  writes: { response: 9, header: 10 },
  failures: 11,
  openFailures: 35,
  hotPromoted: 12,
  hotSaves: 13,
  removed: { evicted: 14, expired: 15, replaced: 16, purged: 17, invalidated: 18, damaged: 19 },
  skipped: {
    pending: 20,
    'read-only': 21,
    full: 22,
    failed: 23,
    bodiless: 24,
    'part-too-large': 25,
    lost: 26,
    spill: 36,
    broken: 27,
    outdated: 35,
  },
  unreadable: { short: 28, foreign: 29, version: 30, checksum: 31, malformed: 32, body: 33, 'hot-list': 34 },
} as const;

const labelled = (name: string, label: string, values: Readonly<Record<string, number>>): Row[] =>
  Object.entries(values).map(([word, value]) => [name, value, `${label}="${word}"`]);

const DISK_ROWS: readonly Row[] = [
  ['patina_disk_state', 1, 'state="read-only"'],
  ['patina_disk_state', 0, 'state="writable"'],
  ['patina_disk_records', 1],
  ['patina_disk_used_bytes', 2],
  ['patina_disk_file_bytes', 3],
  ['patina_disk_budget_bytes', 4],
  ['patina_disk_pending_bytes', 5],
  ['patina_disk_uses_dropped_total', 6],
  ['patina_disk_hits_total', 7],
  ['patina_disk_misses_total', 8],
  ...labelled('patina_disk_writes_total', 'kind', DISK.writes),
  ['patina_disk_write_failures_total', 11],
  ['patina_disk_open_failures_total', 35],
  ['patina_disk_hot_promoted_total', 12],
  ['patina_disk_hot_saves_total', 13],
  ...labelled('patina_disk_removed_total', 'reason', DISK.removed),
  ...labelled('patina_disk_skipped_total', 'reason', DISK.skipped),
  ...labelled('patina_disk_unreadable_total', 'reason', DISK.unreadable),
];

const SHARED = {
  isUp: true,
  running: 2,
  waiting: 3,
  pendingWrites: 4,
  pendingBytes: 5,
  pendingOperations: 6,
  clockOffsetMs: 7000,
  commands: { answered: 8, failed: 9, late: 10, refused: 11 },
  lookups: {
    found: 12,
    missed: 13,
    kept: 14,
    refused: 15,
    unshared: 16,
    damaged: 17,
    missing: 18,
    newsHeard: 19,
    newsAlien: 20,
  },
  tombsDropped: 23,
  gaps: 21,
  overflows: 22,
} as const;

const SHARED_ROWS: readonly Row[] = [
  ['patina_shared_up', 1],
  ['patina_shared_commands_running', 2],
  ['patina_shared_waiting', 3],
  ['patina_shared_pending_writes', 4],
  ['patina_shared_pending_bytes', 5],
  ['patina_shared_pending_operations', 6],
  ['patina_shared_clock_offset_seconds', 7],
  ...labelled('patina_shared_commands_total', 'result', SHARED.commands),
  ...labelled('patina_shared_lookups_total', 'result', { found: 12, missed: 13 }),
  ...labelled('patina_shared_writes_total', 'result', { kept: 14, refused: 15, unshared: 16 }),
  ...labelled('patina_shared_unreadable_total', 'result', { damaged: 17, missing: 18 }),
  ['patina_shared_messages_total', 19],
  ['patina_shared_alien_messages_total', 20],
  ['patina_shared_tombs_dropped_total', 23],
  ['patina_shared_gaps_total', 21],
  ['patina_shared_overflows_total', 22],
];

/** Names and labels of all samples of these families, without their values. */
function samplesOf(exposition: string, prefix: string): number {
  return exposition.split('\n').filter((line) => line.startsWith(prefix)).length;
}

t.test('issue 5: every figure of the disk tier and of the shared tier is in /metrics under its name', async (t) => {
  const gauges = () => ({ ...NO_GAUGES, disk: DISK, shared: SHARED });
  const { body } = await createMetrics({ clock: new FakeClock(), gauges }).render();
  const text = String(body);
  for (const [name, value, ...labels] of [...DISK_ROWS, ...SHARED_ROWS]) {
    t.equal(metric(text, name, ...labels), value, `${name} ${labels.join()}`);
  }
  // A third state, `off`, has no row of its own.
  t.equal(samplesOf(text, 'patina_disk_'), DISK_ROWS.length + 1, 'and nothing else is');
  t.equal(samplesOf(text, 'patina_shared_'), SHARED_ROWS.length, 'and nothing else is');
});

t.test('issue 5: without such a tier nothing is told of it', async (t) => {
  const { body } = await createMetrics({ clock: new FakeClock(), gauges: () => NO_GAUGES }).render();
  t.equal(samplesOf(String(body), 'patina_disk_') + samplesOf(String(body), 'patina_shared_'), 0);
});

t.test('issue 4: how far warming is, and when it last went well, is in /metrics', async (t) => {
  const { events, render } = createMetrics({ clock: new FakeClock(), gauges: () => NO_GAUGES });
  events.warmed({ kind: 'standing', listed: 20, remaining: 7 });
  events.warmed({ kind: 'round', outcome: 'partial', endedWall: 1_000 });
  events.warmed({ kind: 'round', outcome: 'complete', endedWall: 3_000_000 });
  events.warmed({ kind: 'round', outcome: 'failed', endedWall: 9_000_000 });
  const text = String((await render()).body);
  t.equal(metric(text, 'patina_warm_remaining'), 7);
  t.equal(metric(text, 'patina_warm_last_success_timestamp_seconds'), 3_000);
  for (const outcome of ['partial', 'complete', 'failed']) {
    t.equal(metric(text, 'patina_warm_rounds_total', `outcome="${outcome}"`), 1, outcome);
  }
});
