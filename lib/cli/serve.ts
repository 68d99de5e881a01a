/** `patina run` in the process that it is run in: its signals, its files, and the proxy that it drives. */
import { type Stats, unwatchFile, watchFile } from 'node:fs';
import type { Clock } from '../base/clock.js';
import { CONFIG_WATCH_MS } from '../base/config-limits.js';
import { VERSION } from '../base/version.js';
import { TOKEN_VARIABLE } from '../config/token.js';
import { createProxy } from '../proxy.js';
import { makeFork } from '../workers/fork.js';
import { WholeProxy } from '../workers/whole.js';
import type { Shell } from './command.js';
import { type RunRequest, run, type World } from './run.js';

/** Where a person may be reading along. */
const terminal = process.stderr.isTTY
  ? {
      write: (text: string) => void process.stderr.write(text),
      get columns() {
        return process.stderr.columns;
      },
    }
  : undefined;

/** Serves until a signal ends it. Resolves to the exit code. */
export function serve(request: RunRequest, shell: Shell, clock: Clock): Promise<number> {
  return run(request, worldOf(shell, clock));
}

function worldOf(shell: Shell, clock: Clock): World {
  return {
    ...shell,
    clock,
    version: VERSION,
    createProxy: ({ config, written, file }, read) => {
      const adminToken = process.env[TOKEN_VARIABLE];
      if (config.workers > 1) {
        const first = { config, written, file };
        return new WholeProxy(first, {
          clock,
          version: VERSION,
          adminToken,
          read,
          fork: makeFork(clock, config.workers),
        });
      }
      return createProxy(config, { clock, version: VERSION, written, file, read, adminToken, terminal });
    },
    onStopSignal: (stop) => {
      process.on('SIGTERM', stop);
      process.on('SIGINT', stop);
      return () => {
        process.off('SIGTERM', stop);
        process.off('SIGINT', stop);
      };
    },
    onReloadSignal: (reload) => {
      process.on('SIGHUP', reload);
      return () => process.off('SIGHUP', reload);
    },
    watchFile: (file, changed) => {
      // By looking, not by events: those are lost on some file systems, and where a link is put in the place of another.
      const listener = (now: Stats, before: Stats): void => {
        if (now.mtimeMs !== before.mtimeMs || now.ino !== before.ino || now.size !== before.size) changed();
      };
      watchFile(file, { interval: CONFIG_WATCH_MS, persistent: false }, listener);
      return () => unwatchFile(file, listener);
    },
  };
}
