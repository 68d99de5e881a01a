/** Patina and its rivals, each started with the same settings: one worker, cache in memory, no access log. */

import { spawnSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { findProgram, SERVER_CORE } from './machine.js';
import { patinaMain } from './root.js';
import { freePort, type Running, type Scope, untilOpen } from './scope.js';

export const PROXY_NAMES = ['patina', 'nginx', 'varnish'] as const;
export type ProxyName = (typeof PROXY_NAMES)[number];

export interface ProxySettings {
  readonly originPort: number;
  /** `origin`: what the origin's fields say; else this for every response. */
  readonly ttlSec: number | 'origin';
  /** Served stale meanwhile, where the origin does not say. */
  readonly graceSec: number;
  readonly memoryMB: number;
  readonly setCookie?: 'share' | 'refuse';
  /** For Patina: further lines of its conf file. */
  readonly extraConf?: string;
  /** False: on any core. */
  readonly pinned?: boolean;
}

export interface Proxy {
  readonly name: ProxyName;
  readonly port: number;
  readonly running: Running;
  /** Ids of the processes that do the work, for their use of CPU and memory. */
  workers(): readonly number[];
}

type Start = (scope: Scope, settings: ProxySettings, port: number) => Running;

function core(settings: ProxySettings): number | undefined {
  return settings.pinned === false ? undefined : SERVER_CORE;
}

function patinaConf(settings: ProxySettings, port: number): string {
  const origin = settings.ttlSec === 'origin';
  return [
    `listen: 127.0.0.1:${port}`,
    'admin: off',
    `origin: http://127.0.0.1:${settings.originPort}`,
    `cache: {memory: ${settings.memoryMB}MB}`,
    'defaults:',
    `  ttl: ${origin ? 'origin' : `${settings.ttlSec}s`}`,
    `  grace: ${origin ? 'origin' : `${settings.graceSec}s`}`,
    `  keep: ${origin ? 'origin' : '1d'}`,
    `  stale_if_error: ${origin ? 'origin' : '1d'}`,
    `  set_cookie: ${settings.setCookie ?? 'refuse'}`,
    'log: {access: off, level: error}',
    settings.extraConf ?? '',
    '',
  ].join('\n');
}

const startPatina: Start = (scope, settings, port) => {
  const file = join(scope.folder('conf'), 'patina.yaml');
  writeFileSync(file, patinaConf(settings, port));
  return scope.start({
    name: 'patina',
    command: process.execPath,
    args: [patinaMain(), 'run', '--config', file],
    core: core(settings),
  });
};

function nginxConf(settings: ProxySettings, port: number, dir: string): string {
  const ttl =
    settings.ttlSec === 'origin'
      ? ''
      : `proxy_ignore_headers Cache-Control Expires X-Accel-Expires; proxy_cache_valid 200 ${settings.ttlSec}s;`;
  return `
daemon off; worker_processes 1; pid ${dir}/nginx.pid; error_log ${dir}/error.log error;
${process.getuid?.() === 0 ? 'user root;' : ''}
events { worker_connections 4096; }
http {
  access_log off; keepalive_requests 1000000000; keepalive_timeout 75s; sendfile on; tcp_nopush on;
  client_body_temp_path ${dir}/body; proxy_temp_path ${dir}/proxy;
  fastcgi_temp_path ${dir}/f; uwsgi_temp_path ${dir}/u; scgi_temp_path ${dir}/s;
  proxy_cache_path ${dir}/cache keys_zone=all:64m max_size=${settings.memoryMB}m inactive=1d use_temp_path=off;
  upstream origin { server 127.0.0.1:${settings.originPort}; keepalive 64; }
  server {
    listen 127.0.0.1:${port} backlog=4096;
    location / {
      proxy_pass http://origin; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $http_host;
      proxy_cache all; proxy_cache_revalidate on; proxy_cache_lock on; proxy_cache_lock_timeout 60s;
      proxy_cache_background_update on;
      proxy_cache_use_stale updating error timeout http_500 http_502 http_503 http_504;
      proxy_connect_timeout 2s; proxy_read_timeout 15s;
      ${ttl}
      add_header X-Cache-Status $upstream_cache_status;
    }
  }
}
`;
}

const startNginx: Start = (scope, settings, port) => {
  const dir = scope.folder('nginx');
  const file = join(dir, 'nginx.conf');
  writeFileSync(file, nginxConf(settings, port, dir));
  return scope.start({
    name: 'nginx',
    command: findProgram('nginx') ?? 'nginx',
    args: ['-p', dir, '-c', file, '-e', join(dir, 'error.log')],
    core: core(settings),
  });
};

function varnishVcl(settings: ProxySettings): string {
  const lifetime =
    settings.ttlSec === 'origin'
      ? ''
      : `set beresp.ttl = ${settings.ttlSec}s; set beresp.grace = ${settings.graceSec}s; set beresp.uncacheable = false;`;
  return `vcl 4.1;
backend default { .host = "127.0.0.1"; .port = "${settings.originPort}"; .connect_timeout = 2s; .first_byte_timeout = 15s; }
sub vcl_backend_response { set beresp.keep = 1d; ${lifetime} }
`;
}

const startVarnish: Start = (scope, settings, port) => {
  const dir = scope.folder('varnish');
  const file = join(dir, 'default.vcl');
  writeFileSync(file, varnishVcl(settings));
  const work = join(dir, 'work');
  return scope.start({
    name: 'varnish',
    command: findProgram('varnishd') ?? 'varnishd',
    // No jail: varnishd would give its work folder to a user that cannot enter ours.
    args: ['-F', '-j', 'none', '-n', work, '-f', file, '-a', `127.0.0.1:${port}`, '-T', 'none'].concat([
      '-s',
      `malloc,${settings.memoryMB}M`,
      '-p',
      'thread_pools=1',
      '-p',
      'thread_pool_min=300',
    ]),
    core: core(settings),
  });
};

const STARTS: Readonly<Record<ProxyName, Start>> = { patina: startPatina, nginx: startNginx, varnish: startVarnish };

/** Its version where it is here, else undefined. */
export function installedVersion(name: ProxyName): string | undefined {
  if (name === 'patina') return existsSync(patinaMain()) ? 'this commit' : undefined;
  const program = findProgram(name === 'varnish' ? 'varnishd' : name);
  if (program === undefined) return undefined;
  const { stdout, stderr } = spawnSync(program, [name === 'varnish' ? '-V' : '-v'], { encoding: 'utf8' });
  return /[\d]+\.[\d.]+/.exec(stdout + stderr)?.[0] ?? 'unknown version';
}

/** The processes that `pid` has started, and theirs. */
function descendants(pid: number): number[] {
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
  const running = STARTS[name](scope, settings, port);
  await untilOpen(running, port);
  return { name, port, running, workers: () => descendants(running.pid) };
}
