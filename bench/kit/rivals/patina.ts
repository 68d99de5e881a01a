import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { coreOf } from '../machine.js';
import { patinaMain } from '../root.js';
import { type Maker, ORIGIN_CONNECTIONS, type ProxySettings } from './contract.js';

function conf(settings: ProxySettings, port: number, disk: string): string {
  const origin = settings.ttlSec === 'origin';
  return [
    `listen: 127.0.0.1:${port}`,
    'admin: off',
    `origin: {url: "http://127.0.0.1:${settings.originPort}", connections: ${ORIGIN_CONNECTIONS}}`,
    `cache: {memory: ${settings.memoryMB}MB${disk}}`,
    'defaults:',
    `  ttl: ${origin ? 'origin' : `${settings.ttlSec}s`}`,
    `  grace: ${origin ? 'origin' : `${settings.graceSec}s`}`,
    `  keep: ${settings.keepSec === undefined ? (origin ? 'origin' : '1d') : `${settings.keepSec}s`}`,
    `  stale_if_error: ${origin ? 'origin' : '1d'}`,
    `  set_cookie: ${settings.setCookie ?? 'refuse'}`,
    `log: {access: ${settings.accessLogFile === undefined ? 'off' : 'json'}, level: error}`,
    settings.extraConf ?? '',
    '',
  ].join('\n');
}

export const patina: Maker = {
  program: undefined,
  versionFlag: '--version',
  start(scope, settings, port) {
    const file = join(scope.folder('conf'), 'patina.yaml');
    const { diskMB } = settings;
    const core = coreOf(settings);
    // On disk for good: the others' files are in memory, and this one's pages are in the page cache, where they are read from.
    const disk = diskMB === undefined ? '' : `, disk: {path: "${scope.folder('disk')}", size: ${diskMB}MB}`;
    writeFileSync(file, conf(settings, port, disk));
    return scope.start({
      name: 'patina',
      command: process.execPath,
      args: [...(settings.nodeFlags ?? []), patinaMain(), 'run', '--config', file],
      core,
      stdoutFile: settings.accessLogFile,
      hasChannel: settings.hasChannel ?? false,
    });
  },
};
