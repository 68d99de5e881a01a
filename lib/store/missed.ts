/**
 * What happens to stored responses while the tier below memory cannot be had, to be done there when it can: what was replaced
 * or taken away must not come back from it.
 */
import { DISK_MISSED_STEP_COUNT, MAX_DISK_MISSED, MAX_DISK_MISSED_REACHES } from '../base/disk-limits.js';
import { askedAt, SAME_INSTANT_MS } from '../object/asked-at.js';
import type { StoredResponse } from '../object/stored.js';
import type { Store, UnseenChange, UnseenReach } from './contract.js';
import type { DiskTier } from './disk.js';
import { recordKey } from './disk-keys.js';
import { scanDisk } from './disk-scan.js';
import { isSameSelection } from './variants.js';

type Place = Pick<StoredResponse, 'key' | 'selection'>;

interface MissedPlace extends Place {
  /** What was asked for later is left alone. */
  readonly at: number;
}

interface MissedReach {
  readonly reach: UnseenReach;
  readonly change: UnseenChange;
  /** What was asked for later is left alone. */
  readonly at: number;
}

export class MissedChanges {
  /** By record key, as latin1. */
  readonly #places = new Map<string, MissedPlace>();
  #reaches: MissedReach[] = [];
  readonly #now: () => number;

  constructor(now: () => number) {
    this.#now = now;
  }

  /** A response was stored here: what was asked for as late or later is this very answer, which another process wrote, or a newer one. */
  noteStored(stored: StoredResponse): void {
    this.#notePlace(stored, askedAt(stored) - SAME_INSTANT_MS);
  }

  /** A response left, `at` being now. */
  noteGone(stored: Place, at: number): void {
    this.#notePlace(stored, at);
  }

  #notePlace({ key, selection }: Place, at: number): void {
    const place = recordKey(key, selection).toString('latin1');
    // What was to go still is, though something that was asked for before came after it.
    const before = this.#places.get(place)?.at ?? at;
    this.#places.set(place, { key, selection, at: Math.max(before, at) });
    if (this.#places.size > MAX_DISK_MISSED) this.#giveUp(this.#now());
  }

  noteReach(reach: UnseenReach, change: UnseenChange, at: number): void {
    this.#reaches.push({ reach, change, at });
    if (this.#reaches.length > MAX_DISK_MISSED_REACHES) this.#giveUp(at);
  }

  /** One wide operation in place of all that was noted: what is in memory is written when it changes. */
  #giveUp(at: number): void {
    this.#places.clear();
    this.#reaches = [{ reach: { kind: 'prefix', prefix: '' }, change: () => undefined, at }];
  }

  /** Brings `disk` in line with `memory`, in steps. Nothing is left to be done at the moment when it resolves. */
  async settle(disk: DiskTier, memory: Store): Promise<void> {
    while (this.#places.size > 0 || this.#reaches.length > 0) {
      this.#somePlaces(disk, memory);
      const [first] = this.#reaches.splice(0, 1);
      if (first !== undefined) await this.#reachThrough(disk, first);
      await disk.settled();
    }
  }

  #somePlaces(disk: DiskTier, memory: Store): void {
    let count = 0;
    for (const [place, { key, selection, at }] of this.#places) {
      if (count++ === DISK_MISSED_STEP_COUNT) break;
      this.#places.delete(place);
      const below = disk.reading.at(Buffer.from(place, 'latin1'));
      const held = memory.peek(key)?.find((one) => isSameSelection(one.selection, selection));
      // Another process has the same disk, and wrote this, or what is later.
      if (below !== undefined && askedAt(below) > at) {
        if (held !== undefined && askedAt(held) < askedAt(below) - SAME_INSTANT_MS) memory.remove(held, 'evicted');
        continue;
      }
      if (held !== undefined) disk.put(held);
      else if (below !== undefined) disk.remove(below, 'replaced');
    }
  }

  async #reachThrough(disk: DiskTier, { reach, change, at }: MissedReach): Promise<void> {
    const visit = (stored: StoredResponse): void => {
      if (askedAt(stored) > at) return;
      const next = change(stored);
      if (next === stored) return;
      if (next === undefined) disk.remove(stored, 'purged');
      else disk.swap(stored, next);
    };
    if (reach.kind === 'key') for (const stored of disk.find(reach.key)) visit(stored);
    // What headers, cookies and forwarding fields add to a key stands behind it.
    const below = reach.kind === 'key' ? ({ kind: 'prefix', prefix: `${reach.key} ` } as const) : reach;
    let after = scanDisk(disk, below, undefined, DISK_MISSED_STEP_COUNT, visit);
    while (after !== undefined) {
      await disk.settled();
      after = scanDisk(disk, below, after, DISK_MISSED_STEP_COUNT, visit);
    }
  }
}
