// Goal: issue 5, the thread that writes to disk gives way to the one that answers. Method: a real thread, and what the system says of the threads of this process.
import { readdirSync, readFileSync } from 'node:fs';
import t from 'tap';
import { DISK_THREAD_NICE } from '../../lib/base/disk-limits.js';
import { openThreadPort } from '../../lib/store/disk-port.js';
import { makeDirectory } from '../kit/disk.js';

const isLinux = process.platform === 'linux';

/** How far each thread of this process stands back, this one first. */
function niceOfThreads(): number[] {
  return readdirSync('/proc/self/task').map((thread) => {
    const stat = readFileSync(`/proc/self/task/${thread}/stat`, 'utf8');
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[16]);
  });
}

t.test(
  'issue 5: the thread that writes stands back, and no other does',
  { skip: isLinux ? false : 'only Linux has priorities of threads' },
  async (t) => {
    const own = niceOfThreads()[0] ?? 0;
    const port = openThreadPort({ directory: makeDirectory(t), sizeBytes: 16 * 1024 * 1024 });
    const report = await port.send({ batch: undefined, now: 0, isSynced: false });
    t.equal(report.records, 0, 'it works');
    const all = niceOfThreads();
    t.equal(all[0], own);
    t.equal(all.filter((nice) => nice === DISK_THREAD_NICE).length, own < DISK_THREAD_NICE ? 1 : all.length);
    await port.close();
  },
);
