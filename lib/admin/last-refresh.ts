/** How the last exchange with the origin for each key ended: failures too, which the stored response does not show. */

import { MAX_NOTED_REFRESHES, MAX_NOTED_REFRESHES_BYTES } from '../base/admin-limits.js';
import type { Clock } from '../base/clock.js';
import { type AskedEnd, type Events, SILENT } from '../observe/events.js';
import { Remembered } from '../store/remembered.js';

export interface LastRefresh {
  /** By the wall clock. */
  readonly wall: number;
  readonly end: AskedEnd;
  readonly reason: string;
  readonly status: number | undefined;
  readonly durationMs: number;
}

export interface LastRefreshes {
  /** The listener that notes them. */
  readonly events: Events;
  /** Undefined where there was none, or it is forgotten. */
  of(key: string): LastRefresh | undefined;
}

export function createLastRefreshes(clock: Clock): LastRefreshes {
  const noted = new Remembered<LastRefresh>(MAX_NOTED_REFRESHES, MAX_NOTED_REFRESHES_BYTES);
  return {
    events: {
      ...SILENT,
      asked({ key, end, reason, status, durationMs, askedFor }) {
        // What goes past the cache says nothing of what is stored.
        if (askedFor !== 'uncacheable') noted.set(key, { wall: clock.wall(), end, reason, status, durationMs });
      },
    },
    of: (key) => noted.get(key),
  };
}
