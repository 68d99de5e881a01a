/**
 * How many cores a process has. Linux tells a process on which cores it may run; how much of their time it may take, a container's
 * `--cpus`, is said by its control groups, which Node heeds since version 22.
 */
import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';

/** The text of a file, or nothing where there is none. */
export type ReadText = (path: string) => string | undefined;

/** Whole cores that this process may use, at least one: those it may run on, and no more than the quota of its control groups lets it. */
export function usableCores(allowed = availableParallelism(), read: ReadText = readText): number {
  return Math.max(1, Math.min(allowed, Math.floor(quota(read))));
}

/** In cores; Infinity where there is none. */
function quota(read: ReadText): number {
  const quotas = (read('/proc/self/cgroup') ?? '').split('\n').map((line) => {
    const [, controllers, group] = /^\d+:([^:]*):(\/.*)$/.exec(line) ?? [];
    if (controllers === undefined || group === undefined) return Number.POSITIVE_INFINITY;
    const isUnified = controllers === '';
    if (!isUnified && !controllers.split(',').includes('cpu')) return Number.POSITIVE_INFINITY;
    return Math.min(
      ...withParents(group).map((path) => (isUnified ? unifiedQuota(path, read) : olderQuota(path, read))),
    );
  });
  return Math.min(...quotas);
}

/** A group is held to what those above it have; what lies above a container's own root is not there to be read. */
function withParents(group: string): string[] {
  const names = group.split('/').filter((name) => name !== '');
  return [...names.keys(), names.length].map((count) =>
    names
      .slice(0, count)
      .map((name) => `/${name}`)
      .join(''),
  );
}

/** Control groups of version 2: `200000 100000`, or `max 100000`. */
function unifiedQuota(path: string, read: ReadText): number {
  const [time, period] = (read(`/sys/fs/cgroup${path}/cpu.max`) ?? 'max').trim().split(' ');
  return time === 'max' ? Number.POSITIVE_INFINITY : share(time, period);
}

/** Version 1: -1 is none. */
function olderQuota(path: string, read: ReadText): number {
  const folder = `/sys/fs/cgroup/cpu${path}`;
  return share(read(`${folder}/cpu.cfs_quota_us`), read(`${folder}/cpu.cfs_period_us`));
}

function share(time: string | undefined, period: string | undefined): number {
  const cores = Number(time) / Number(period);
  return cores > 0 ? cores : Number.POSITIVE_INFINITY;
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    // Another system, or one that hides it.
    return undefined;
  }
}
