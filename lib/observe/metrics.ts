/**
 * Metrics from events: everything a listener counts, under names that begin with patina_. No label is of unbounded
 * cardinality: never a key, a host or a target; reasons and methods are closed sets, rules and notices are capped.
 */
import type { Clock } from '../base/clock.js';
import { type DiskReadings, diskFamilies } from './disk-meters.js';
import type { Events } from './events.js';
import { type Family, type FamilyReading, single } from './families.js';
import { ClientSide, Household, OriginSide } from './meters.js';
import { createExposition, type Exposition } from './prometheus.js';
import { type RefreshQueueReading, RefreshSide } from './refresh-meters.js';
import { type SharedReadings, sharedFamilies } from './shared-families.js';
import { WarmSide } from './warm.js';

/** What is true at this moment, asked for once at each scrape. */
export interface GaugeReadings {
  readonly objects: number;
  readonly bytes: number;
  readonly reservedBytes: number;
  readonly heldBytes: number;
  readonly budgetBytes: number;
  readonly fills: number;
  readonly waiters: number;
  readonly clientConnections: number;
  readonly fastConnections: number;
  readonly originConnected: number;
  readonly originRunning: number;
  readonly originQueued: number;
  readonly markers?: number | undefined;
  readonly refreshQueue?: RefreshQueueReading | undefined;
  readonly logLinesDropped?: number | undefined;
  /** Undefined: there is no disk tier. */
  readonly disk?: DiskReadings | undefined;
  readonly shared?: SharedReadings | undefined;
}

/** Of a process that serves nobody. */
export const NO_GAUGES: GaugeReadings = {
  objects: 0,
  bytes: 0,
  reservedBytes: 0,
  heldBytes: 0,
  budgetBytes: 0,
  fills: 0,
  waiters: 0,
  clientConnections: 0,
  fastConnections: 0,
  originConnected: 0,
  originRunning: 0,
  originQueued: 0,
};

export interface MetricsOptions {
  readonly clock: Clock;
  readonly gauges: () => GaugeReadings;
  readonly version?: string | undefined;
}

export interface Metrics {
  readonly events: Events;
  render(): Promise<Exposition>;
  /** The same as values, for a process that puts those of several together. */
  read(): Promise<readonly FamilyReading[]>;
}

/** The gauges: all from one reading, so that the figures of one scrape belong together. */
function gaugeFamilies(reading: () => GaugeReadings | undefined): Family[] {
  const gauge = (name: string, help: string, value: (from: GaugeReadings) => number | undefined): Family =>
    single(name, 'gauge', help, () => {
      const from = reading();
      return from === undefined ? undefined : value(from);
    });
  return [
    gauge('patina_objects', 'Stored responses.', (from) => from.objects),
    gauge('patina_stored_bytes', 'Bytes charged for stored responses.', (from) => from.bytes),
    gauge('patina_reserved_bytes', 'Bytes charged for fills in flight.', (from) => from.reservedBytes),
    gauge(
      'patina_held_bytes',
      'Bytes charged for what clients still take of responses that are not stored any more.',
      (from) => from.heldBytes,
    ),
    gauge('patina_budget_bytes', 'Bytes that the memory tier may hold.', (from) => from.budgetBytes),
    gauge('patina_fills_in_flight', 'Fills and refreshes in flight.', (from) => from.fills),
    gauge('patina_waiters', 'Requests that wait on a fill.', (from) => from.waiters),
    gauge('patina_client_connections', 'Open connections of clients.', (from) => from.clientConnections),
    gauge(
      'patina_fast_lane_connections',
      'Open connections of clients that the fast lane reads.',
      (from) => from.fastConnections,
    ),
    gauge('patina_origin_connections', 'Open connections to the origin.', (from) => from.originConnected),
    gauge('patina_origin_requests_running', 'Requests that the origin is working on.', (from) => from.originRunning),
    gauge(
      'patina_origin_requests_queued',
      'Requests that wait for a connection to the origin.',
      (from) => from.originQueued,
    ),
    gauge('patina_uncacheable_markers', 'Remembered keys whose responses are not storable.', (from) => from.markers),
    single(
      'patina_log_lines_dropped_total',
      'counter',
      'Log lines lost because their destination was full or failing.',
      () => reading()?.logLinesDropped,
    ),
  ];
}

export function createMetrics(options: MetricsOptions): Metrics {
  const client = new ClientSide();
  const origin = new OriginSide();
  const household = new Household(options.clock);
  const refreshes = new RefreshSide();
  const warm = new WarmSide();
  let reading: GaugeReadings | undefined;
  const build: Family = {
    name: 'patina_build_info',
    help: 'Always 1; its labels say what is running.',
    type: 'gauge',
    together: 'first',
    samples: () => [{ labels: { version: options.version ?? 'unknown', node: process.versions.node }, value: 1 }],
  };
  const expose = createExposition([
    ...client.families(),
    ...origin.families(),
    ...household.families(),
    ...refreshes.families(() => reading?.refreshQueue),
    ...warm.families(),
    ...gaugeFamilies(() => reading),
    ...diskFamilies(() => reading?.disk),
    ...sharedFamilies(() => reading?.shared),
    build,
  ]);
  return {
    events: {
      answered: (event) => client.answered(event),
      asked: (event) => origin.asked(event),
      leased: (kind, answer) => origin.leased(kind, answer),
      refreshed: (priority, outcome, waitedMs) => refreshes.ended(priority, outcome, waitedMs),
      removed: (reason, bytes) => household.removed(reason, bytes),
      breaker: (state) => household.breaker(state),
      operated: (operation, outcome) => household.operated(operation, outcome),
      warmed: (event) => warm.warmed(event),
      // An explanation is not something that happened.
      notice: (level, code) => (level === 'trace' ? undefined : household.notice(level, code)),
    },
    render: async () => {
      reading = options.gauges();
      return expose.render();
    },
    read: async () => {
      reading = options.gauges();
      return expose.read();
    },
  };
}
