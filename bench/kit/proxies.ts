/** Patina and its rivals, each started with the same settings: one worker, cache in memory, no access log. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { findProgram } from './machine.js';
import type { Maker, ProxySettings } from './rivals/contract.js';
import { haproxy } from './rivals/haproxy.js';
import { nginx } from './rivals/nginx.js';
import { patina } from './rivals/patina.js';
import { trafficServer } from './rivals/traffic-server.js';
import { varnish } from './rivals/varnish.js';
import { patinaMain } from './root.js';
import { freePort, type Running, type Scope, untilOpen } from './scope.js';

export type { ProxySettings } from './rivals/contract.js';

export const PROXY_NAMES = ['patina', 'nginx', 'varnish', 'haproxy', 'trafficserver'] as const;
export type ProxyName = (typeof PROXY_NAMES)[number];

const MAKERS: Readonly<Record<ProxyName, Maker>> = { patina, nginx, varnish, haproxy, trafficserver: trafficServer };

export interface Proxy {
  readonly name: ProxyName;
  readonly port: number;
  readonly running: Running;
  /** Ids of the processes that do the work, for their use of CPU and memory. */
  workers(): readonly number[];
}

/** Its version where it is here, else undefined. */
export function installedVersion(name: ProxyName): string | undefined {
  const { program: named, versionFlag } = MAKERS[name];
  if (named === undefined) return existsSync(patinaMain()) ? 'this commit' : undefined;
  const program = findProgram(named);
  if (program === undefined) return undefined;
  const { stdout, stderr } = spawnSync(program, [versionFlag], { encoding: 'utf8' });
  return /\d+\.[\d.]*\d/.exec(stdout + stderr)?.[0] ?? 'unknown version';
}

/** Why it cannot run although it is installed; undefined where it can. */
export function lacking(name: ProxyName): string | undefined {
  if (name === 'varnish' && ['cc', 'gcc', 'clang'].every((compiler) => findProgram(compiler) === undefined))
    return 'it compiles its configuration, and there is no C compiler (cc) here';
  return undefined;
}

/** The processes that `pid` has started, and theirs. */
export function descendants(pid: number): number[] {
  const { stdout } = spawnSync('ps', ['-e', '-o', 'pid=,ppid='], { encoding: 'utf8' });
  const pairs = stdout
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/\s+/).map(Number));
  const found = [pid];
  for (const parent of found)
    for (const [child, of] of pairs) if (of === parent && child !== undefined) found.push(child);
  return found;
}

export async function startProxy(scope: Scope, name: ProxyName, settings: ProxySettings): Promise<Proxy> {
  const port = await freePort();
  const running = MAKERS[name].start(scope, settings, port);
  await untilOpen(running, port);
  return { name, port, running, workers: () => descendants(running.pid) };
}
