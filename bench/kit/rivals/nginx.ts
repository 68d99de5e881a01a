import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { coreOf, findProgram } from '../machine.js';
import type { Running, Scope } from '../scope.js';
import { MAX_CLIENTS, type Maker, ORIGIN_CONNECTIONS, type ProxySettings } from './contract.js';

/** Files of its cache that it keeps open. */
const MAX_OPEN_FILES = 20_000;
/** Of 128 bytes for each response. */
const KEYS_MB = 64;
/** For connections where it keeps many files; where it has many connections it keeps few. */
const OTHER_FILES = 4_000;

/** Beyond what a process may open here nginx answers 500. */
function openFiles(): number {
  const [, soft] = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'latin1')) ?? [];
  return Math.min(MAX_OPEN_FILES, Math.max(1, Number(soft ?? Number.NaN) - OTHER_FILES) || MAX_OPEN_FILES);
}

function conf(settings: ProxySettings, port: number, dir: string): string {
  const ttl =
    settings.ttlSec === 'origin'
      ? ''
      : `proxy_ignore_headers Cache-Control Expires X-Accel-Expires; proxy_cache_valid 200 ${settings.ttlSec}s;`;
  return `
daemon off; worker_processes 1; pid ${dir}/nginx.pid; error_log ${dir}/error.log error;
${process.getuid?.() === 0 ? 'user root;' : ''}
events { worker_connections ${MAX_CLIENTS + 1000}; }
http {
  # No tcp_nopush: on the loopback it holds back the end of 64 KB bodies for 40 ms.
  access_log off; keepalive_requests 1000000000; keepalive_timeout 75s; sendfile on; tcp_nodelay on;
  open_file_cache max=${openFiles()} inactive=60s;
  client_body_temp_path ${dir}/body; proxy_temp_path ${dir}/proxy;
  fastcgi_temp_path ${dir}/f; uwsgi_temp_path ${dir}/u; scgi_temp_path ${dir}/s;
  proxy_cache_path ${dir}/cache levels=1:2 keys_zone=all:${settings.keysMB ?? KEYS_MB}m max_size=${settings.memoryMB}m inactive=1d use_temp_path=off;
  upstream origin { server 127.0.0.1:${settings.originPort}; keepalive ${ORIGIN_CONNECTIONS}; keepalive_requests 1000000000; }
  server {
    listen 127.0.0.1:${port} backlog=4096;
    location / {
      proxy_pass http://origin; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $http_host;
      proxy_cache all; proxy_cache_revalidate on; proxy_cache_lock on; proxy_cache_lock_timeout 60s;
      proxy_cache_background_update on; proxy_force_ranges on;
      proxy_cache_use_stale updating error timeout http_500 http_502 http_503 http_504;
      proxy_connect_timeout 2s; proxy_read_timeout 15s;
      ${ttl}
      add_header X-Cache-Status $upstream_cache_status;
    }
  }
}
`;
}

export const nginx: Maker = {
  program: 'nginx',
  versionFlag: '-v',
  start(scope, settings, port) {
    // Its cache is files: in memory, so that it is not held up by a disk that the others do not use.
    return startNginx(scope, settings, port, scope.folder('nginx', true));
  },
};

/** `dir`: for all of its files. */
export function startNginx(scope: Scope, settings: ProxySettings, port: number, dir: string): Running {
  const file = join(dir, 'nginx.conf');
  writeFileSync(file, conf(settings, port, dir));
  return scope.start({
    name: 'nginx',
    command: findProgram('nginx') ?? 'nginx',
    args: ['-p', dir, '-c', file, '-e', join(dir, 'error.log')],
    core: coreOf(settings),
  });
}
