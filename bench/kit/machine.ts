/** What a number was measured on, and how to keep server and load apart. */
import { spawnSync } from 'node:child_process';
import { accessSync, constants, readdirSync, readFileSync } from 'node:fs';
import { availableParallelism, cpus, release, totalmem } from 'node:os';
import { delimiter, join } from 'node:path';
import { checkoutRoot } from './root.js';

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGB: number;
  readonly kernel: string;
  readonly node: string;
  readonly commit: string;
  readonly pinned: boolean;
}

/** Where a program is; also looks where daemons live, which a user's PATH may leave out. */
export function findProgram(name: string): string | undefined {
  for (const dir of [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin', '/sbin']) {
    const file = join(dir, name);
    try {
      accessSync(file, constants.X_OK);
      return file;
    } catch {
      // Not in this folder, or not a program: the next one may have it.
    }
  }
  return undefined;
}

function commit(): string {
  const git = (...args: string[]) => spawnSync('git', args, { cwd: checkoutRoot(), encoding: 'utf8' }).stdout.trim();
  const hash = git('rev-parse', '--short', 'HEAD');
  if (hash === '') return 'unknown';
  return git('status', '--porcelain', '--untracked-files=no') === '' ? hash : `${hash}+changes`;
}

export function canPin(): boolean {
  return availableParallelism() > 1 && findProgram('taskset') !== undefined;
}

export function describeMachine(): Machine {
  return {
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: availableParallelism(),
    memoryGB: Math.round(totalmem() / 1024 ** 3),
    kernel: release(),
    node: process.version,
    commit: commit(),
    pinned: canPin(),
  };
}

/** The core of the server under test, and that of the load and the origins; undefined where nothing can be pinned. */
export const SERVER_CORE: number | undefined = canPin() ? 0 : undefined;
export const LOAD_CORE: number | undefined = canPin() ? 1 : undefined;

/** Where a server runs that may be told to run anywhere. */
export function coreOf(settings: { readonly pinned?: boolean }): number | undefined {
  return settings.pinned === false ? undefined : SERVER_CORE;
}

export interface ProcessUse {
  /** CPU time of all its threads. */
  readonly cpuMs: number;
  readonly rssBytes: number;
  /** The most that it ever had. */
  readonly peakBytes: number;
}

/** What a process has used so far, from /proc; undefined on systems without it. */
export function readUse(pid: number): ProcessUse | undefined {
  try {
    let cpuNs = 0;
    for (const thread of readdirSync(`/proc/${pid}/task`))
      cpuNs += Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ')[0] ?? 0);
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    const bytes = (field: string) => Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(status)?.[1] ?? 0) * 1024;
    return { cpuMs: cpuNs / 1e6, rssBytes: bytes('VmRSS'), peakBytes: bytes('VmHWM') };
  } catch {
    return undefined;
  }
}

/** Of several processes together; peaks are added too, so that the sum is a bound. */
export function readUseOf(pids: readonly number[]): ProcessUse {
  const sum = { cpuMs: 0, rssBytes: 0, peakBytes: 0 };
  for (const use of pids.map(readUse)) {
    sum.cpuMs += use?.cpuMs ?? 0;
    sum.rssBytes += use?.rssBytes ?? 0;
    sum.peakBytes += use?.peakBytes ?? 0;
  }
  return sum;
}
