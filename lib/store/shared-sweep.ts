/**
 * Takes what was purged out of the tier that machines share. That it is purged the log says already, to whoever reads it:
 * this gives the room back, in steps, and where it breaks off the records end with their keep.
 */
import { SHARED_SWEEP_AT_ONCE, SHARED_TOMB_MS } from '../base/shared-limits.js';
import { askedAt } from '../object/asked-at.js';
import { decodeRecord } from '../object/record.js';
import type { SharedTable } from './shared-contract.js';
import type { SharedGuard } from './shared-guard.js';
import { earlierUntil, type SharedOp } from './shared-ops.js';
import { nameOf } from './shared-record.js';
import { INSTANT_DIGITS } from './shared-scripts.js';
import { isSamePlace } from './variants.js';

export async function sweepShared(table: SharedTable, guard: SharedGuard, op: SharedOp): Promise<void> {
  const { reach, at } = op;
  switch (reach.kind) {
    case 'keys':
      if (reach.but === 'pushed') {
        await inSteps(reach.keys.map(nameOf), (name) => dropMatching(table, guard, name, op));
        return;
      }
      await inSteps(reach.keys.map(nameOf), (name) =>
        guard.background(() => table.purgeName(name, at, SHARED_TOMB_MS, false)).then(() => undefined),
      );
      return;
    case 'tag':
      for (;;) {
        const given = await guard.background(() => table.takeTagged(reach.tag, SHARED_SWEEP_AT_ONCE));
        if (given === undefined || given.value.length === 0) return;
        await inSteps(given.value, (name) => dropMatching(table, guard, name, op));
      }
    case 'prefix': {
      let cursor: string | undefined;
      do {
        const given = await guard.background(() => table.scan(cursor));
        if (given === undefined) return;
        await inSteps(given.value.names, (name) => dropMatching(table, guard, name, op));
        cursor = given.value.cursor;
      } while (cursor !== undefined);
      return;
    }
    case 'all':
  }
}

async function inSteps(names: readonly string[], one: (name: string) => Promise<void>): Promise<void> {
  for (let at = 0; at < names.length; at += SHARED_SWEEP_AT_ONCE)
    await Promise.all(names.slice(at, at + SHARED_SWEEP_AT_ONCE).map(one));
}

/** Whether anything lies there that was asked for up to then and not pushed; where that cannot be told, it may. */
export async function hasFetched(table: SharedTable, guard: SharedGuard, key: string, at: number): Promise<boolean> {
  const op: SharedOp = { effect: 'purge', reach: { kind: 'keys', keys: [key], but: 'pushed' }, at, by: '' };
  const given = await guard.background(() => table.records(nameOf(key)));
  return given === undefined || given.value.some(([, record]) => isMeant(record, op));
}

async function dropMatching(table: SharedTable, guard: SharedGuard, name: string, op: SharedOp): Promise<void> {
  const given = await guard.background(() => table.records(name));
  for (const [variant, record] of given?.value ?? [])
    if (isMeant(record, op)) await guard.background(() => table.drop(name, variant, record));
}

/** What cannot be read is nobody's loss. */
function isMeant(record: Buffer, op: SharedOp): boolean {
  const { reach, at } = op;
  const { head } = decodeRecord(record.subarray(2 * INSTANT_DIGITS));
  if (head === undefined) return true;
  const asked = askedAt(head);
  if (asked > at) return false;
  if (reach.kind === 'keys') {
    if (head.pushed !== true) return true;
    return reach.earlier !== undefined && isSamePlace(reach.earlier, head) && asked <= earlierUntil(op);
  }
  if (reach.kind === 'tag') return head.tags?.includes(reach.tag) === true;
  return reach.kind === 'prefix' && reach.prefixes.some((prefix) => head.key.startsWith(prefix));
}
