/** What the parts of a running proxy hold at this moment, for the metrics. */
import type { Engine } from '../engine/engine.js';
import type { SharedLeases } from '../engine/shared-leases.js';
import type { Front } from '../front/contract.js';
import type { AccessLog } from '../observe/access-log.js';
import type { GaugeReadings } from '../observe/metrics.js';
import type { ReplaceableOrigin } from '../origin/replaceable.js';
import type { Markers } from '../store/markers.js';
import { readShared } from './shared.js';
import type { Stores } from './stores.js';

export interface Gauged {
  readonly stores: Stores;
  readonly engine: Engine;
  readonly origin: ReplaceableOrigin;
  readonly front: Front;
  readonly markers: Markers;
  readonly log: AccessLog;
  readonly shared: SharedLeases | undefined;
}

export function readGauges({ stores, engine, origin, front, markers, log, shared }: Gauged): GaugeReadings {
  const { objects, bytes, reservedBytes, heldBytes, budgetBytes } = stores.store.stats;
  const { fills, waiters } = engine.stats;
  const { connected, running, queued } = origin.stats;
  return {
    objects,
    bytes,
    reservedBytes,
    heldBytes,
    budgetBytes,
    fills,
    waiters,
    clientConnections: front.connections,
    fastConnections: front.fastConnections,
    originConnected: connected,
    originRunning: running,
    originQueued: queued,
    markers: markers.size,
    refreshQueue: engine.refreshes.stats,
    logLinesDropped: log.stats.droppedLines,
    disk: stores.diskReadings(),
    shared: readShared(shared),
  };
}
