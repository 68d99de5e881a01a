/**
 * The thread that writes for the disk tier: one job after another, so that no request ever waits for a disk. Where there
 * is one core for all, it gives way to the thread that answers.
 */
import { getPriority, setPriority } from 'node:os';
import { parentPort, workerData } from 'node:worker_threads';
import { systemClock } from '../base/clock.js';
import { DISK_BREATH_MS, DISK_STRETCH_MS, DISK_THREAD_NICE } from '../base/disk-limits.js';
import type { DiskJob, DiskReport } from './disk-contract.js';
import { DiskFailure } from './disk-contract.js';
import { mindTakenAway, openDiskFile } from './disk-file.js';
import { DiskGate } from './disk-gate.js';
import { DiskWriting } from './disk-writing.js';

export interface ThreadOrder {
  readonly directory: string;
  readonly sizeBytes: number;
  /** Of the file that is read: another one that is there when the thread begins is not written. */
  readonly inode?: number | undefined;
}

/** With what a thread begins. */
export type ThreadStart = ThreadOrder & { readonly gate: SharedArrayBuffer };

/** What the thread is told, and what it answers. */
export type ToThread = DiskJob | 'close';
export type FromThread =
  | { readonly report: DiskReport; readonly failure?: undefined }
  | { readonly report?: undefined; readonly failure: { readonly code: string; readonly message: string } }
  | 'closed';

const clock = systemClock();
const nothing = new Int32Array(new SharedArrayBuffer(4));
/** When this stretch of work began. */
let begunAt = 0;

/**
 * Leaves the core to who waits for it, now and then. On one core with the thread that answers, the system lets this one
 * finish its turn of a millisecond or more, however far it stands back, before it gives way.
 */
function breathe(): void {
  if (clock.now() - begunAt < DISK_STRETCH_MS) return;
  Atomics.wait(nothing, 0, 0, DISK_BREATH_MS);
  begunAt = clock.now();
}

const { directory, sizeBytes, inode, gate: shared } = workerData as ThreadStart;
// lmdb would make one, and the directory too: what is taken away there would stay in the one that is read.
if (inode !== undefined) mindTakenAway(directory, inode);
const port = parentPort;
const gate = new DiskGate(shared);
// Where the process ends, nothing is begun.
if (port !== null && gate.enter()) {
  // On Linux alone 0 means this thread and not the whole process.
  if (process.platform === 'linux' && getPriority(0) < DISK_THREAD_NICE) setPriority(0, DISK_THREAD_NICE);
  const file = openDiskFile(directory, sizeBytes);
  const writing = new DiskWriting(file, sizeBytes, breathe);
  gate.leave();
  port.on('message', (job: ToThread) => {
    if (job === 'close') {
      void file.close().finally(() => port.postMessage('closed' satisfies FromThread));
      return;
    }
    if (!gate.enter()) return;
    begunAt = clock.now();
    try {
      port.postMessage({ report: writing.do(job) } satisfies FromThread);
    } catch (error) {
      const { code, message } = error instanceof DiskFailure ? error : new DiskFailure('unknown', String(error));
      port.postMessage({ failure: { code, message } } satisfies FromThread);
    } finally {
      gate.leave();
    }
  });
}
