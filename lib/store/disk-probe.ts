/** A process that opens the file of a disk tier and looks into it, so that another sees whether that can be survived. */
import { MAX_DISK_PROBED } from '../base/disk-limits.js';
import { BEHIND_ALL, openDiskFile, TABLES } from './disk-file.js';

const [directory = '', sizeBytes = ''] = process.argv.slice(2);
try {
  const file = openDiskFile(directory, Number(sizeBytes));
  for (const name of TABLES) {
    let left = MAX_DISK_PROBED;
    file.tables[name].range(Buffer.of(0), BEHIND_ALL, () => --left > 0);
  }
  await file.close();
} catch (error) {
  process.stdout.write(String(error));
  process.exitCode = 1;
}
