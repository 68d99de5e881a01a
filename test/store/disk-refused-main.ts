/** A process that writes to a disk file until that is refused, and says with which code, and how much was written. */
import { BatchWriter } from '../../lib/store/disk-batch.js';
import { openDiskFile } from '../../lib/store/disk-file.js';
import { DiskWriting } from '../../lib/store/disk-writing.js';

const MB = 1024 * 1024;
const file = openDiskFile(process.argv[2] ?? '', 64 * MB);
const writing = new DiskWriting(file, 64 * MB);
for (let at = 0; ; at++) {
  const batch = new BatchWriter();
  for (let chunk = 0; chunk < 16; chunk++)
    batch.add({ kind: 'chunk', key: Buffer.alloc(20, `${at}-${chunk}-`), value: Buffer.alloc(60_000, 1) });
  try {
    writing.do({ batch: batch.take(), now: 1 });
  } catch (error) {
    console.log((error as { code: string }).code, file.tables.bodies.count);
    break;
  }
}
await file.close();
