/** A process that closes the way to its disk thread while a job is under way, and says when that is closed. */
import { openThreadPort } from '../../lib/store/disk-port.js';

const port = openThreadPort({ directory: process.argv[2] ?? '', sizeBytes: 1024 * 1024 * 1024 });
const job = port.send({ batch: undefined, now: 0 });
await Promise.all([job, port.close()]);
console.log('closed');
