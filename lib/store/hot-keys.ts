/**
 * What is asked for most is in memory again soon after a restart: a small list of it is written now and then and at the
 * end, and after a start what it names is brought up from disk, in small steps, as a lookup would.
 *
 * Hits of earlier runs count on, half as much with each list: a process that has just begun knows little of its own. Where
 * several processes share the disk each writes the list, at a time of its own, and what it finds in the one of the others
 * counts half, so that what any of them is asked for most is in it.
 */
import type { Clock, Timer } from '../base/clock.js';
import {
  HOT_FILL_SHARE,
  HOT_READ_STEP_COUNT,
  HOT_SAVE_EVERY_MS,
  HOT_SCAN_STEP_COUNT,
  HOT_STEP_DELAY_MS,
  MAX_HOT_KEYS,
} from '../base/disk-limits.js';
import type { StoredResponse } from '../object/stored.js';
import type { Store } from './contract.js';
import type { DiskTier } from './disk.js';
import { recordKey } from './disk-keys.js';
import { decodeHotList, encodeHotList, type HotEntry } from './hot-list.js';
import { Stepper } from './stepper.js';
import { isSameSelection } from './variants.js';

export interface HotKeysOptions {
  readonly store: Store;
  readonly disk: DiskTier;
  readonly clock: Clock;
  /** Whether other processes write the list as well. */
  readonly hasOthers: boolean;
  /** From 0 to below 1. */
  readonly random: () => number;
}

export class HotKeys {
  readonly #options: HotKeysOptions;
  readonly #reading: Stepper;
  readonly #making: Stepper;
  #every: Timer | undefined;
  /** What the list names that is still to be read, the hottest first. */
  #named: HotEntry[] = [];
  #nextNamed = 0;
  /** Hits of earlier runs, by record key as latin1. */
  #earlier = new Map<string, number>();
  #found: HotEntry[] = [];
  #nextPlace = 0;

  constructor(options: HotKeysOptions) {
    this.#options = options;
    this.#reading = new Stepper(options.clock, () => this.#readStep());
    this.#making = new Stepper(options.clock, () => this.#makeStep());
  }

  /** The process serves from now on. */
  start(): void {
    const { clock, hasOthers, random } = this.#options;
    this.#named = this.#listed();
    for (const { recordKey: key, hits } of this.#named) this.#earlier.set(key.toString('latin1'), hits);
    if (this.#named.length > 0) this.#reading.start(HOT_STEP_DELAY_MS);
    const goOn = (): void => {
      this.#every = clock.every(HOT_SAVE_EVERY_MS, () => this.#making.start(0));
    };
    // Those that begin together would read one list, and the last to write would be the only one that counts.
    if (hasOthers) this.#every = clock.after(random() * HOT_SAVE_EVERY_MS, goOn);
    else goOn();
  }

  /** The list that is there; none where it cannot be read. */
  #listed(): HotEntry[] {
    const { disk } = this.#options;
    const list = disk.hotList();
    const named = list === undefined ? [] : decodeHotList(list);
    if (named === undefined) disk.counts.unreadable('hot-list');
    return named ?? [];
  }

  /** Writes the list a last time, before the disk closes. */
  close(): void {
    const isStarted = this.#every !== undefined;
    this.#every?.cancel();
    this.#every = undefined;
    this.#reading.stop();
    this.#making.stop();
    if (!isStarted) return;
    while (this.#makeStep() !== undefined);
  }

  #readStep(): number | undefined {
    const { disk, store } = this.#options;
    for (let count = 0; count < HOT_READ_STEP_COUNT; count++) {
      const { bytes, reservedBytes, budgetBytes } = store.stats;
      const entry = this.#named[this.#nextNamed++];
      if (entry === undefined || bytes + reservedBytes >= budgetBytes * HOT_FILL_SHARE) {
        this.#named = [];
        return undefined;
      }
      const named = disk.reading.at(entry.recordKey);
      if (named !== undefined && this.#bringUp(named)) disk.counts.hotPromoted++;
    }
    return HOT_STEP_DELAY_MS;
  }

  /** What was asked for meanwhile is there already; what is past its keep is of no use. */
  #bringUp({ key, selection, life }: StoredResponse): boolean {
    const { store, clock } = this.#options;
    const isMeant = (one: StoredResponse): boolean => isSameSelection(one.selection, selection);
    if (life.keepUntil <= clock.now() || store.peek(key)?.some(isMeant) === true) return false;
    return store.recall(key, (found) => found.find(isMeant)) !== undefined;
  }

  #makeStep(): number | undefined {
    const { store } = this.#options;
    const next = store.scan(this.#nextPlace, HOT_SCAN_STEP_COUNT, (stored) => this.#note(stored), 1);
    // Twice as many as there is room for, so that it is seldom sorted.
    if (this.#found.length > MAX_HOT_KEYS * 2) this.#cut();
    this.#nextPlace = next ?? 0;
    if (next !== undefined) return HOT_STEP_DELAY_MS;
    this.#save();
    return undefined;
  }

  #note(stored: StoredResponse): void {
    const hits = this.#options.store.usage(stored)?.hits ?? 0;
    this.#found.push({ recordKey: recordKey(stored.key, stored.selection), hits });
  }

  #cut(): void {
    this.#found.sort((a, b) => b.hits - a.hits);
    this.#found.length = Math.min(this.#found.length, MAX_HOT_KEYS);
  }

  #save(): void {
    const own = new Map(this.#found.map(({ recordKey: key, hits }) => [key.toString('latin1'), hits]));
    this.#found = [];
    for (const [key, hits] of this.#earlier) own.set(key, (own.get(key) ?? 0) + hits);
    if (this.#options.hasOthers) {
      for (const { recordKey: key, hits } of this.#listed()) {
        const name = key.toString('latin1');
        // What it knows of itself was written by itself.
        if (!own.has(name) && hits > 1) own.set(name, hits >>> 1);
      }
    }
    const entries = [...own].map(([key, hits]) => ({ recordKey: Buffer.from(key, 'latin1'), hits }));
    this.#earlier = new Map(
      [...this.#earlier].map(([key, hits]) => [key, hits >>> 1] as const).filter(([, hits]) => hits > 0),
    );
    this.#options.disk.saveHotList(encodeHotList(entries));
  }
}
