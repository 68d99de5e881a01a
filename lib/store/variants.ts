/**
 * The stored responses of one key, newest first (RFC 9111 §4.1).
 * Their lists are replaced and never changed in place, so that a caller may walk one while responses come and go.
 */
import type { Selection, StoredResponse } from '../object/stored.js';

export interface Variants {
  list: readonly StoredResponse[];
  /** The slot of each, in the same order. */
  slots: readonly number[];
}

export function withFirst<T>(list: readonly T[], item: T): readonly T[] {
  return list.length === 0 ? [item] : [item, ...list];
}

export function without<T>(list: readonly T[], at: number): readonly T[] {
  return list.length === 1 ? [] : list.toSpliced(at, 1);
}

/** Whether two responses are selected by the very same request fields: the later one takes the place of the other. */
export function isSameSelection(one: Selection, other: Selection): boolean {
  const count = one.names.length;
  if (other.names.length !== count) return false;
  for (let at = 0; at < count; at++)
    if (one.names[at] !== other.names[at] || one.values[at] !== other.values[at]) return false;
  return true;
}
