/** A process that ends with exit code 3 while its thread is in the middle of what it writes to disk. */

import { BatchWriter } from '../../lib/store/disk-batch.js';
import { openThreadPort } from '../../lib/store/disk-port.js';

const CHUNKS = 64;
// Not so much that a slow device takes longer for it than the end of the process waits.
const CHUNK_BYTES = 128 * 1024;

const port = openThreadPort({ directory: process.argv[2] ?? '', sizeBytes: 1024 * 1024 * 1024 });
// The thread has begun, and the file is there.
await port.send({ batch: undefined, now: 0 });
const writer = new BatchWriter(1024);
for (let at = 0; at < CHUNKS; at++) {
  writer.add({ kind: 'chunk', key: Buffer.alloc(16, at), value: Buffer.alloc(CHUNK_BYTES, at) });
}
void port.send({ batch: writer.take(), now: 0 });
setTimeout(() => process.exit(3), Number(process.argv[3]));
