import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { coreOf, findProgram } from '../machine.js';
import { MAX_CLIENTS, type Maker, ORIGIN_CONNECTIONS, type ProxySettings } from './contract.js';

/** Where the packages of distributions put what it loads. */
const LIBRARIES = '/usr/lib/trafficserver';
const MEGABYTE = 1024 * 1024;

function records(settings: ProxySettings, port: number): string {
  const memory = settings.memoryMB * MEGABYTE;
  const all: Readonly<Record<string, string>> = {
    'http.server_ports STRING': `${port}:ip-in=127.0.0.1`,
    'exec_thread.autoconfig INT': '0',
    'exec_thread.limit INT': '1',
    'accept_threads INT': '0',
    'task_threads INT': '1',
    'admin.user_id STRING': '#-1',
    'log.logging_enabled INT': '0',
    'cache.ram_cache.size INT': String(memory),
    'cache.ram_cache_cutoff INT': String(memory),
    'net.connections_throttle INT': String(MAX_CLIENTS + 2 * ORIGIN_CONNECTIONS),
    'net.max_connections_in INT': String(MAX_CLIENTS),
    'net.listen_backlog INT': '4096',
    'http.keep_alive_no_activity_timeout_in INT': '75',
    'http.connect_attempts_timeout INT': '15',
    // So that waiting clients share one request: it looks again while the object is being written.
    'http.cache.open_write_fail_action INT': '5',
    'http.cache.max_open_read_retries INT': '5',
    'http.cache.max_open_write_retries INT': '1',
    'cache.enable_read_while_writer INT': '1',
    'http.background_fill_active_timeout INT': '0',
    'http.background_fill_completed_threshold FLOAT': '0.0',
    'http.cache.max_stale_age INT': String(settings.graceSec),
    'reverse_proxy.enabled INT': '1',
    'url_remap.remap_required INT': '1',
    'url_remap.pristine_host_hdr INT': '1',
  };
  return Object.entries(all)
    .map(([name, value]) => `CONFIG proxy.config.${name} ${value}\n`)
    .join('');
}

/** Says where everything is, so that nothing outside the folder is written. */
function runRoot(dir: string): string {
  const own = ['etc', 'cache', 'run', 'log'] as const;
  for (const name of own) mkdirSync(join(dir, name));
  const places = {
    prefix: '/usr',
    exec_prefix: '/usr',
    bindir: '/usr/bin',
    sbindir: '/usr/sbin',
    includedir: '/usr/include',
    libdir: LIBRARIES,
    libexecdir: `${LIBRARIES}/modules`,
    sysconfdir: join(dir, 'etc'),
    datadir: join(dir, 'cache'),
    cachedir: join(dir, 'cache'),
    localstatedir: join(dir, 'run'),
    runtimedir: join(dir, 'run'),
    logdir: join(dir, 'log'),
    mandir: dir,
    infodir: dir,
  };
  return Object.entries(places)
    .map(([name, place]) => `${name}: ${place}\n`)
    .join('');
}

export const trafficServer: Maker = {
  program: 'traffic_server',
  versionFlag: '-V',
  start(scope, settings, port) {
    const dir = scope.folder('trafficserver', true);
    const root = join(dir, 'runroot.yaml');
    writeFileSync(root, runRoot(dir));
    const etc = (name: string, text: string) => writeFileSync(join(dir, 'etc', name), text);
    etc('records.config', records(settings, port));
    etc('remap.config', `map / http://127.0.0.1:${settings.originPort}/\n`);
    etc('storage.config', `${join(dir, 'cache')} ${settings.memoryMB}M\n`);
    etc('plugin.config', '');
    if (settings.ttlSec !== 'origin') etc('cache.config', `url_regex=.* ttl-in-cache=${settings.ttlSec}s\n`);
    etc('ip_allow.yaml', 'ip_allow:\n  - {apply: in, ip_addrs: 127.0.0.1, action: allow, methods: ALL}\n');
    return scope.start({
      name: 'trafficserver',
      command: findProgram('traffic_server') ?? 'traffic_server',
      args: [`--run-root=${root}`],
      core: coreOf(settings),
    });
  },
};
