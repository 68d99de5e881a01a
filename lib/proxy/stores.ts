/** The tiers that a configuration asks for, as one store. A disk that cannot be had is missed, noted, and no reason not to serve. */
import type { Clock } from '../base/clock.js';
import { DISK_CLOSE_TIMEOUT_MS } from '../base/disk-limits.js';
import { ConfigError } from '../base/errors.js';
import { hasRedis } from '../config/redis-options.js';
import type { Config } from '../config/schema.js';
import type { DiskReadings } from '../observe/disk-meters.js';
import type { Events } from '../observe/events.js';
import { noticeEnd } from '../observe/states.js';
import type { Store } from '../store/contract.js';
import type { DiskTier } from '../store/disk.js';
import { OFF_READINGS } from '../store/disk-counts.js';
import { diskPathProblem } from '../store/disk-place.js';
import { HotKeys } from '../store/hot-keys.js';
import { LateStore } from '../store/late.js';
import { createMemoryStore } from '../store/memory.js';
import { createTieredStore } from '../store/tiered.js';
import { type DiskPlan, DiskTries } from './disk-tries.js';

export interface Stores {
  readonly store: Store;
  /** Undefined where no disk tier is asked for. */
  diskReadings(): DiskReadings | undefined;
  /** The process serves from now on. */
  start(): void;
  close(): Promise<void>;
}

/** `hasOthers`: processes that share the disk. Throws a ConfigError where the path of the disk tier is somebody else's. */
export function openStores({ cache }: Config, clock: Clock, events: Events, hasOthers: boolean): Stores {
  const { path, sizeBytes } = cache.disk;
  const keepsBodies = hasRedis(cache.redis);
  const memory = createMemoryStore({ budgetBytes: cache.memoryBytes, clock, events, keepsBodies });
  const below = path === undefined ? undefined : new Below({ path, sizeBytes }, memory, clock, events, hasOthers);
  const store = below?.store ?? memory;
  return {
    store,
    start: () => below?.start(),
    diskReadings: () => below?.readings,
    close: () => {
      below?.close();
      const overdue = new Promise<void>((resolve) => {
        clock.after(DISK_CLOSE_TIMEOUT_MS, resolve);
      });
      return Promise.race([store.close(), overdue]);
    },
  };
}

/** Memory, with the disk tier below it: from the start, or from when it can be had. */
class Below {
  readonly store: Store;
  readonly #clock: Clock;
  readonly #hasOthers: boolean;
  readonly #tries: DiskTries;
  #disk: DiskTier | undefined;
  /** It can be had, and is not in line with memory yet. */
  #coming: DiskTier | undefined;
  #hot: HotKeys | undefined;
  #isStarted = false;

  constructor(plan: DiskPlan, memory: Store, clock: Clock, events: Events, hasOthers: boolean) {
    const problem = diskPathProblem(plan.path);
    if (problem?.kind === 'foreign') throw new ConfigError([`cache.disk.path: ${problem.sentence}`]);
    this.#clock = clock;
    this.#hasOthers = hasOthers;
    this.#tries = new DiskTries(plan, clock, events);
    const disk = this.#tries.first();
    if (disk !== undefined) {
      this.store = createTieredStore(memory, disk);
      this.#has(disk);
      return;
    }
    const late = new LateStore(memory, clock);
    this.store = late;
    this.#tries.goOn((found) => {
      this.#coming = found;
      void late.adopt(found).then(() => {
        if (this.#coming === undefined) return;
        this.#coming = undefined;
        this.#has(found);
        noticeEnd(events, 'disk-unavailable');
      });
    });
  }

  #has(disk: DiskTier): void {
    this.#disk = disk;
    this.#hot = new HotKeys({
      store: this.store,
      disk,
      clock: this.#clock,
      hasOthers: this.#hasOthers,
      random: Math.random,
    });
    if (this.#isStarted) this.#hot.start();
  }

  start(): void {
    this.#isStarted = true;
    this.#hot?.start();
  }

  get readings(): DiskReadings {
    return this.#disk?.stats ?? { ...OFF_READINGS, openFailures: this.#tries.failures };
  }

  /** Before the store closes. */
  close(): void {
    this.#tries.stop();
    this.#hot?.close();
    void this.#coming?.close();
    this.#coming = undefined;
  }
}
