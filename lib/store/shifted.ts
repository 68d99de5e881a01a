/** A stored response with its instants moved to another clock: of this machine before it was set back, or of the server that machines share. */
import { lifeWith } from '../object/life.js';
import type { StoredResponse } from '../object/stored.js';

/** What has the instants of a stored response. */
export type Timed = Omit<StoredResponse, 'body' | 'partial' | 'madeBy'>;

/** The same by a clock that is `byMs` ahead. `receivedWall` is left alone: it is on the scale of the wall clock. */
export function shifted<S extends Timed>(stored: S, byMs: number): S {
  const { life } = stored;
  const moved = (instant: number | undefined): number | undefined =>
    instant === undefined ? undefined : instant + byMs;
  const [receivedAt, requestedAt, expiredAt] = [stored.receivedAt, stored.requestedAt, stored.expiredAt].map(moved);
  return {
    ...stored,
    life: lifeWith(life, {
      bornAt: life.bornAt + byMs,
      staleAt: life.staleAt + byMs,
      graceUntil: life.graceUntil + byMs,
      offlineGraceUntil: life.offlineGraceUntil + byMs,
      keepUntil: life.keepUntil + byMs,
      errorUntil: life.errorUntil + byMs,
      unreachableUntil: life.unreachableUntil + byMs,
      ceilingAt: life.ceilingAt + byMs,
    }),
    ...(receivedAt === undefined ? {} : { receivedAt }),
    ...(requestedAt === undefined ? {} : { requestedAt }),
    ...(expiredAt === undefined ? {} : { expiredAt }),
    fetchedAt: stored.fetchedAt + byMs,
  };
}
