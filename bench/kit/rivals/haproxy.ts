import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { coreOf, findProgram } from '../machine.js';
import type { Maker, ProxySettings } from './contract.js';

/** It wants two descriptors for each, and will not start beyond the limit of the process. */
const CLIENTS = 9_000;
const DAY_SEC = 86_400;
/** The most that its cache section takes. */
const MOST_MB = 4095;

function conf(settings: ProxySettings, port: number): string {
  const ttl = settings.ttlSec === 'origin' ? '' : `http-response set-header Cache-Control "max-age=${settings.ttlSec}"`;
  const memoryMB = Math.min(settings.memoryMB, MOST_MB);
  return `
global
  nbthread 1
  maxconn ${CLIENTS}
defaults
  mode http
  timeout client 75s
  timeout server 15s
  timeout connect 2s
  timeout http-keep-alive 75s
  http-reuse always
cache all
  total-max-size ${memoryMB}
  max-object-size ${Math.floor((memoryMB * 1024 * 1024) / 2)}
  max-age ${DAY_SEC}
  process-vary on
frontend in
  bind 127.0.0.1:${port} backlog 4096
  http-request cache-use all
  ${ttl}
  http-response cache-store all
  # Its 304 has the length of the body that it leaves out, for which wrk would wait.
  http-after-response del-header content-length if { status 304 }
  default_backend origin
backend origin
  server one 127.0.0.1:${settings.originPort}
`;
}

export const haproxy: Maker = {
  program: 'haproxy',
  versionFlag: '-v',
  start(scope, settings, port) {
    const file = join(scope.folder('haproxy'), 'haproxy.cfg');
    writeFileSync(file, conf(settings, port));
    return scope.start({
      name: 'haproxy',
      command: findProgram('haproxy') ?? 'haproxy',
      args: ['-db', '-f', file],
      core: coreOf(settings),
    });
  },
};
