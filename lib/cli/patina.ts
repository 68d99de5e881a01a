/** The `patina` command: arguments in, exit code out. */
import { type Stats, unwatchFile, watchFile } from 'node:fs';
import { systemClock } from '../base/clock.js';
import { CONFIG_WATCH_MS } from '../base/config-limits.js';
import { VERSION } from '../base/version.js';
import { TOKEN_VARIABLE } from '../config/token.js';
import { createProxy } from '../proxy.js';
import { makeFork } from '../workers/fork.js';
import { WholeProxy } from '../workers/whole.js';
import { parseArguments } from './arguments.js';
import { type Shell, UsageError } from './command.js';
import { commandHelp, helpText } from './help.js';
import { run, type World } from './run.js';

/** Time for the last lines to be written when something else still keeps the process alive. */
const EXIT_GRACE_MS = 1000;

const clock = systemClock();

/** Whether a proxy runs, which has more to do than to speak. */
let isServing = false;

/**
 * A reader of the output that went away (`patina | head`) or a full disk is no reason to stop serving, and there is no
 * place left to say so. Where speaking was all there was to do, the exit code does.
 */
function speechFailed(error: unknown): void {
  const isUnread = error instanceof Error && 'code' in error && error.code === 'EPIPE';
  if (!isServing && !isUnread) process.exitCode = 1;
}

for (const stream of [process.stdout, process.stderr]) stream.on('error', speechFailed);

function speak(stream: NodeJS.WriteStream, line: string): void {
  try {
    stream.write(`${line}\n`);
  } catch (error) {
    // A file fails within the call in some versions of Node, by the event in others.
    speechFailed(error);
  }
}

/** Where a person may be reading along. */
const terminal = process.stderr.isTTY
  ? {
      write: (text: string) => void process.stderr.write(text),
      get columns() {
        return process.stderr.columns;
      },
    }
  : undefined;

const world: World & Shell = {
  env: process.env,
  clock,
  version: VERSION,
  createProxy: ({ config, written, file }, read) => {
    const adminToken = process.env[TOKEN_VARIABLE];
    if (config.workers > 1) {
      const first = { config, written, file };
      return new WholeProxy(first, {
        clock,
        version: world.version,
        adminToken,
        read,
        fork: makeFork(clock, config.workers),
      });
    }
    return createProxy(config, { clock, version: world.version, written, file, read, adminToken, terminal });
  },
  say: (line) => speak(process.stdout, line),
  complain: (line) => speak(process.stderr, line),
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

function misused(problems: readonly string[], command: string | undefined): number {
  for (const problem of problems) world.complain(`patina: ${problem}`);
  world.complain(`patina ${command === undefined ? '' : `${command} `}--help shows what there is`);
  return 2;
}

async function main(args: readonly string[]): Promise<number> {
  const command = parseArguments(args);
  switch (command.kind) {
    case 'help':
      world.say(command.of === undefined ? helpText() : commandHelp(command.of));
      return 0;
    case 'version':
      world.say(world.version);
      return 0;
    case 'wrong':
      return misused(command.problems, command.of?.name);
    case 'other':
      try {
        return await command.spec.run(command.given, world);
      } catch (error) {
        if (error instanceof UsageError) return misused([error.message], command.spec.name);
        throw error;
      }
    case 'run':
      isServing = true;
      return run(command, world);
  }
}

const exitCode = await main(process.argv.slice(2));
process.exitCode ??= exitCode;
clock.after(EXIT_GRACE_MS, () => process.exit());
