/** When a stored response was asked for: by that the later of two forms of one response is told. */
import type { StoredResponse } from './stored.js';

/** Instants that differ by less were one before they were moved between clocks. */
export const SAME_INSTANT_MS = 0.01;

/** When what it answers was asked for, or what it was last freshened by. */
export function askedAt({ requestedAt, fetchedAt }: AskedOnce): number {
  return requestedAt ?? fetchedAt;
}

interface AskedOnce {
  readonly requestedAt?: number | undefined;
  readonly fetchedAt: number;
}

/** Of two forms of one response, whether `one` is the later truth: by when it was asked for, then by an operator's word. */
export function isLater(one: StoredResponse, other: StoredResponse): boolean {
  const [mine, theirs] = [askedAt(one), askedAt(other)];
  if (mine !== theirs) return mine > theirs;
  return (one.expiredAt ?? 0) > (other.expiredAt ?? 0);
}

/** Whether both are one form of one response, though they may be different objects. */
export function isSameForm(one: StoredResponse, other: StoredResponse): boolean {
  const apartMs = Math.abs(askedAt(one) - askedAt(other));
  const movedMs = Math.max(apartMs, Math.abs((one.expiredAt ?? 0) - (other.expiredAt ?? 0)));
  return movedMs < SAME_INSTANT_MS && one.body.receivedBytes === other.body.receivedBytes;
}
