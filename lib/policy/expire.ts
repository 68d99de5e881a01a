/** A soft purge: what is stored becomes stale now, and its grace and keep go on from here (Varnish: softpurge). */
import { lifeWith } from '../object/life.js';
import type { Life, StoredResponse } from '../object/stored.js';

/** The life of a response that an operator expired at `expiredAt`. What was stale already stays as it was. */
export function expiredLife(life: Life, expiredAt: number): Life {
  if (expiredAt >= life.staleAt) return life;
  const movedMs = life.staleAt - expiredAt;
  const moved = (instant: number): number => Math.max(expiredAt, instant - movedMs);
  return lifeWith(life, {
    // Born later than it is said to be stale it cannot be: an operator may expire what is just being received.
    bornAt: Math.min(life.bornAt, expiredAt),
    staleAt: expiredAt,
    graceUntil: moved(life.graceUntil),
    offlineGraceUntil: moved(life.offlineGraceUntil),
    keepUntil: moved(life.keepUntil),
    errorUntil: moved(life.errorUntil),
    unreachableUntil: moved(life.unreachableUntil),
  });
}

/** The record of the same response, expired at `expiredAt`. */
export function expiredResponse(stored: StoredResponse, expiredAt: number): StoredResponse {
  return { ...stored, life: expiredLife(stored.life, expiredAt), expiredAt };
}
