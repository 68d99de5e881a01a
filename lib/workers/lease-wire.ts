/** What workers tell each other of leases and responses, in the words of the messages. */
import { isOriginFailure } from '../base/errors.js';
import type { LeaseFailure, LeaseOutcome } from '../engine/leases-contract.js';
import { askedAt } from '../object/asked-at.js';
import { Body } from '../object/body.js';
import { decodeRecord, encodeRecord } from '../object/record.js';
import { storedAround } from '../object/record-stored.js';
import type { Selection, StoredResponse } from '../object/stored.js';
import { SELECTS_ALL } from '../policy/vary.js';
import type { WireFailure, WireOutcome } from './messages.js';

/** The name of a lease. */
export function leaseName(key: string, { names, values }: Selection): string {
  return names.length === 0 ? key : `${key} ${JSON.stringify([names, values.map((value) => value ?? null)])}`;
}

/** The selection in the name of a lease, behind the key. */
export function selectionIn(name: string, keyLength: number): Selection {
  if (name.length === keyLength) return SELECTS_ALL;
  const [names, values] = JSON.parse(name.slice(keyLength + 1)) as [string[], (string | null)[]];
  return { names, values: values.map((value) => value ?? undefined) };
}

/** When what is known here was asked for; 0: nothing is. */
export function knownAt(known: StoredResponse | undefined): number {
  return known === undefined ? 0 : askedAt(known);
}

/** A response of a record, its body apart; undefined where it is none, or only parts of one. */
export function responseOf(record: Buffer): StoredResponse | undefined {
  const { head } = decodeRecord(record);
  if (head === undefined || head.parts !== undefined) return undefined;
  return storedAround(head, Body.empty);
}

export function wireOutcome(key: string, outcome: LeaseOutcome): WireOutcome {
  switch (outcome.kind) {
    case 'stored':
    case 'freshened': {
      const { response } = outcome;
      const told = { key, names: [leaseName(key, response.selection)], askedAt: askedAt(response) };
      return outcome.kind === 'stored'
        ? { kind: 'stored', ...told }
        : { kind: 'freshened', ...told, record: encodeRecord(response) };
    }
    case 'failed': {
      const { kind: _, ...failure } = outcome;
      return { kind: 'failed', key, failure };
    }
    default:
      return outcome;
  }
}

export function leaseFailure(failure: WireFailure): LeaseFailure | undefined {
  if (failure.failure === 'error-status') return failure;
  const { code } = failure;
  return isOriginFailure(code) ? { ...failure, code } : undefined;
}

/** A 304 keeps the body, and with it when that was received. */
export function isSameBody(one: StoredResponse, other: StoredResponse): boolean {
  return one.fetchedAt === other.fetchedAt;
}
