/**
 * Hit-for-miss markers: keys whose last response was uncacheable, so that requests for them do not queue up behind one
 * another. Few and small by number and by bytes; the oldest goes first, and each ends by itself.
 */
import type { Clock } from '../base/clock.js';
import { MAX_MARKERS_BYTES } from '../base/limits.js';
import { Remembered } from './remembered.js';

export interface Markers {
  /** Remembers the key for `ttlMs` from now on. */
  mark(key: string, ttlMs: number): void;
  isMarked(key: string): boolean;
  /** Forgets the key: its response was cacheable after all, or it was purged. */
  unmark(key: string): void;
  /** unmark() for every key that begins so. */
  unmarkUnder(prefix: string): void;
  readonly size: number;
}

export function createMarkers(options: { readonly max: number; readonly clock: Clock }): Markers {
  const { clock } = options;
  const untils = new Remembered<number>(options.max, MAX_MARKERS_BYTES);
  const dropEnded = (): void => {
    const now = clock.now();
    for (let oldest = untils.oldest(); oldest !== undefined && oldest[1] <= now; oldest = untils.oldest())
      untils.delete(oldest[0]);
  };
  return {
    mark(key, ttlMs) {
      dropEnded();
      if (ttlMs > 0) untils.set(key, clock.now() + ttlMs);
      else untils.delete(key);
    },
    isMarked(key) {
      const until = untils.get(key);
      if (until === undefined) return false;
      if (until > clock.now()) return true;
      untils.delete(key);
      return false;
    },
    unmark(key) {
      untils.delete(key);
    },
    unmarkUnder(prefix) {
      untils.deleteWhere((key) => key.startsWith(prefix));
    },
    get size() {
      dropEnded();
      return untils.size;
    },
  };
}
