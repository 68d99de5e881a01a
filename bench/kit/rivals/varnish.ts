import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { coreOf, findProgram } from '../machine.js';
import { type Maker, ORIGIN_CONNECTIONS, type ProxySettings } from './contract.js';

/** Threads; each request in work needs one, idle connections do not. */
const THREADS = 300;

function vcl(settings: ProxySettings): string {
  const lifetime =
    settings.ttlSec === 'origin'
      ? ''
      : `set beresp.ttl = ${settings.ttlSec}s; set beresp.grace = ${settings.graceSec}s; set beresp.uncacheable = false;`;
  return `vcl 4.1;
backend default {
  .host = "127.0.0.1"; .port = "${settings.originPort}"; .connect_timeout = 2s; .first_byte_timeout = 15s;
  .max_connections = ${ORIGIN_CONNECTIONS * 4};
}
sub vcl_backend_response { set beresp.keep = 1d; ${lifetime} }
`;
}

export const varnish: Maker = {
  program: 'varnishd',
  versionFlag: '-V',
  start(scope, settings, port) {
    // Its log is shared memory in this folder; on a disk it would be written back.
    const dir = scope.folder('varnish', true);
    const file = join(dir, 'default.vcl');
    writeFileSync(file, vcl(settings));
    const parameters = ['thread_pools=1', `thread_pool_min=${THREADS}`, `thread_pool_max=${THREADS * 4}`];
    return scope.start({
      name: 'varnish',
      command: findProgram('varnishd') ?? 'varnishd',
      // No jail: varnishd would give its work folder to a user that cannot enter ours.
      args: ['-F', '-j', 'none', '-n', join(dir, 'work'), '-f', file, '-a', `127.0.0.1:${port}`, '-T', 'none'].concat(
        ['-s', `malloc,${settings.memoryMB}M`],
        // Unnamed transient storage has no bound, and takes what lives shorter than 10 s.
        ['-s', `Transient=malloc,${settings.memoryMB}M`],
        parameters.flatMap((parameter) => ['-p', parameter]),
      ),
      core: coreOf(settings),
    });
  },
};
