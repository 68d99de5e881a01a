/** A stored response with its instants moved: between two clocks of which one was set back. */
import type { StoredResponse } from '../object/stored.js';

export function shifted(stored: StoredResponse, byMs: number): StoredResponse {
  const { life } = stored;
  const moved = (instant: number | undefined): number | undefined =>
    instant === undefined ? undefined : instant + byMs;
  const [receivedAt, requestedAt, expiredAt] = [stored.receivedAt, stored.requestedAt, stored.expiredAt].map(moved);
  return {
    ...stored,
    life: {
      ...life,
      bornAt: life.bornAt + byMs,
      staleAt: life.staleAt + byMs,
      graceUntil: life.graceUntil + byMs,
      offlineGraceUntil: life.offlineGraceUntil + byMs,
      keepUntil: life.keepUntil + byMs,
      errorUntil: life.errorUntil + byMs,
      unreachableUntil: life.unreachableUntil + byMs,
      ceilingAt: life.ceilingAt + byMs,
    },
    ...(receivedAt === undefined ? {} : { receivedAt }),
    ...(requestedAt === undefined ? {} : { requestedAt }),
    ...(expiredAt === undefined ? {} : { expiredAt }),
    fetchedAt: stored.fetchedAt + byMs,
  };
}
