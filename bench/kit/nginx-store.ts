/** What nginx takes for responses that it stores: memory of its processes, and pages of the system for its files. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { warmAll } from './client.js';
import { readUseOf } from './machine.js';
import { descendants } from './proxies.js';
import { startNginx } from './rivals/nginx.js';
import { freePort, type Scope, untilOpen } from './scope.js';
import { pathOf, startSwiftOrigin } from './swift.js';

const TTL_SEC = 36_000;
const WARM_UP = 1_000;
const MAX_MB = 64_000;
/** It takes 128 bytes for each in its index, and more than fit make it drop others: twice that. */
const KEY_BYTES = 256;

export interface NginxStore {
  /** For each response, all that it takes. */
  readonly bytesEach: number;
  /** Of these: of its processes, its index among them. The rest are its files, by the pages that they fill. */
  readonly processBytesEach: number;
  /** CPU time of its processes for each, with what it takes to fetch the response from the origin. */
  readonly cpuUs: number;
}

/** Memory of the processes, what they share counted once. */
function sharesOf(pids: readonly number[]): number {
  const kB = (pid: number) => Number(/^Pss:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1]);
  return pids.reduce((sum, pid) => sum + kB(pid) * 1024, 0);
}

/** What files take in the system's pages, and not how long they are. */
function fileBytes(dir: string): number {
  const { stdout } = spawnSync('du', ['-s', '--block-size=1', dir], { encoding: 'utf8' });
  const bytes = Number(/^\d+/.exec(stdout)?.[0] ?? Number.NaN);
  if (Number.isNaN(bytes)) throw new Error(`du does not say how large ${dir} is: ${stdout}`);
  return bytes;
}

function* paths(from: number, until: number, bodyBytes: number): Iterable<string> {
  for (let n = from; n < until; n++) yield pathOf(bodyBytes, TTL_SEC, `m${n}`);
}

/** Has it store so many, through requests. @throws where it does not hold them all. */
export async function fillNginx(scope: Scope, count: number, bodyBytes: number): Promise<NginxStore> {
  const origin = await startSwiftOrigin(scope);
  const port = await freePort();
  const dir = scope.folder('nginx', true);
  const keysMB = Math.max(64, Math.ceil((count * KEY_BYTES) / 1e6));
  const settings = { originPort: origin.port, ttlSec: 'origin', graceSec: 0, memoryMB: MAX_MB, keysMB } as const;
  const running = startNginx(scope, settings, port, dir);
  await untilOpen(running, port);
  await warmAll(port, paths(0, WARM_UP, bodyBytes));
  const pids = descendants(running.pid);
  const before = { processes: sharesOf(pids), files: fileBytes(dir), use: readUseOf(pids) };
  await warmAll(port, paths(WARM_UP, WARM_UP + count, bodyBytes));
  const processes = sharesOf(pids) - before.processes;
  const files = fileBytes(dir) - before.files;
  if (files < count * bodyBytes) throw new Error(`nginx has files of ${files} bytes for ${count} responses`);
  return {
    bytesEach: (processes + files) / count,
    processBytesEach: processes / count,
    cpuUs: ((readUseOf(pids).cpuMs - before.use.cpuMs) * 1000) / count,
  };
}
