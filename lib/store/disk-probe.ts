/**
 * A process that opens the file of a disk tier and looks into it, so that another sees whether that can be survived: at some of
 * each table, or at the whole of all, and then it writes too.
 */
import { systemClock } from '../base/clock.js';
import { DISK_LOOK_MS, MAX_DISK_PROBED } from '../base/disk-limits.js';
import { BEHIND_ALL, openDiskFile, TABLES } from './disk-file.js';

const FIRST = Buffer.of(0);
/** A key that no table has. */
const NOBODYS = Buffer.alloc(8, 0xfe);

const [directory = '', sizeBytes = '', depth = ''] = process.argv.slice(2);
const clock = systemClock();
const until = clock.now() + DISK_LOOK_MS;
const isWhole = depth === 'whole';
try {
  const file = openDiskFile(directory, Number(sizeBytes));
  for (const name of TABLES) {
    let left = isWhole ? Number.POSITIVE_INFINITY : MAX_DISK_PROBED;
    file.tables[name].range(FIRST, BEHIND_ALL, () => --left > 0 && clock.now() < until);
  }
  // What is written takes pages that were given back: how those are kept is part of the file as well.
  if (isWhole) {
    file.write(() => {
      for (const name of TABLES) file.tables[name].put(NOBODYS, FIRST);
    });
    file.write(() => {
      for (const name of TABLES) file.tables[name].remove(NOBODYS);
    });
  }
  await file.close();
} catch (error) {
  process.stdout.write(String(error));
  process.exitCode = 1;
}
