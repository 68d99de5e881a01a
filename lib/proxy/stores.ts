/** The tiers that a configuration asks for, as one store. A disk that cannot be had is missed, noted, and no reason not to serve. */
import type { Clock } from '../base/clock.js';
import { DISK_CLOSE_TIMEOUT_MS } from '../base/disk-limits.js';
import { ConfigError } from '../base/errors.js';
import type { Config } from '../config/schema.js';
import type { DiskReadings } from '../observe/disk-meters.js';
import type { Events } from '../observe/events.js';
import type { Store } from '../store/contract.js';
import { DiskTier } from '../store/disk.js';
import { OFF_READINGS } from '../store/disk-counts.js';
import { openDiskFile } from '../store/disk-file.js';
import { diskPathProblem, markDamaged, noteOpening, prepareDiskPlace } from '../store/disk-place.js';
import { openThreadPort } from '../store/disk-port.js';
import { HotKeys } from '../store/hot-keys.js';
import { createMemoryStore } from '../store/memory.js';
import { createTieredStore } from '../store/tiered.js';

export interface Stores {
  readonly store: Store;
  /** Undefined where no disk tier is asked for. */
  diskReadings(): DiskReadings | undefined;
  /** The process serves from now on. */
  start(): void;
  /** Says what of a reload waits for the next start. */
  noteChange(before: Config, next: Config): void;
  close(): Promise<void>;
}

/** `savesHotKeys`: of those that share a disk one does. Throws a ConfigError where the path of the disk tier is somebody else's. */
export function openStores({ cache }: Config, clock: Clock, events: Events, savesHotKeys: boolean): Stores {
  const memory = createMemoryStore({ budgetBytes: cache.memoryBytes, clock, events });
  const disk =
    cache.disk.path === undefined ? undefined : openDisk(cache.disk.path, cache.disk.sizeBytes, clock, events);
  const store = disk === undefined ? memory : createTieredStore(memory, disk);
  const hot = disk === undefined ? undefined : new HotKeys({ store, disk, clock, saves: savesHotKeys });
  return {
    store,
    start: () => hot?.start(),
    diskReadings: () => disk?.stats ?? (cache.disk.path === undefined ? undefined : OFF_READINGS),
    noteChange(before, next) {
      const [old, now] = [before.cache.disk, next.cache.disk];
      if (old.path === now.path && old.sizeBytes === now.sizeBytes) return;
      events.notice('warn', 'disk-at-next-start', 'cache.disk has changed: that takes effect at the next start.');
    },
    close: () => {
      hot?.close();
      const overdue = new Promise<void>((resolve) => {
        clock.after(DISK_CLOSE_TIMEOUT_MS, resolve);
      });
      return Promise.race([store.close(), overdue]);
    },
  };
}

function openDisk(path: string, sizeBytes: number, clock: Clock, events: Events): DiskTier | undefined {
  const problem = diskPathProblem(path);
  if (problem?.kind === 'foreign') throw new ConfigError([`cache.disk.path: ${problem.sentence}`]);
  try {
    const { directory, remarks } = prepareDiskPlace(path);
    for (const { code, sentence } of remarks) events.notice('warn', code, sentence);
    const opened = noteOpening(directory);
    const file = openDiskFile(directory, sizeBytes);
    const port = openThreadPort({ directory, sizeBytes });
    const tier = new DiskTier({ file, port, sizeBytes, clock, events, onDamaged: () => markDamaged(directory) });
    opened();
    return tier;
  } catch (error) {
    const message = `The disk tier cannot be had (${String(error)}): responses are stored in memory alone.`;
    events.notice('error', 'disk-unavailable', message);
    return undefined;
  }
}
