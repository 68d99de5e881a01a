#!/usr/bin/env node
/** The `patina` command: arguments in, exit code out. */
import { readFileSync } from 'node:fs';
import { systemClock } from '../base/clock.js';
import { createProxy } from '../proxy.js';
import { parseArguments } from './arguments.js';
import { helpText } from './help.js';
import { run, type World } from './run.js';

/** Time for the last lines to be written when something else still keeps the process alive. */
const EXIT_GRACE_MS = 1000;

const clock = systemClock();

function ownVersion(): string {
  const text = readFileSync(new URL('../../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}

const world: World = {
  clock,
  version: ownVersion(),
  createProxy: (config) => createProxy(config, { clock, version: world.version }),
  say: (line) => void process.stdout.write(`${line}\n`),
  complain: (line) => void process.stderr.write(`${line}\n`),
  onStopSignal: (stop) => {
    process.on('SIGTERM', stop);
    process.on('SIGINT', stop);
    return () => {
      process.off('SIGTERM', stop);
      process.off('SIGINT', stop);
    };
  },
};

async function main(args: readonly string[]): Promise<number> {
  const command = parseArguments(args);
  switch (command.kind) {
    case 'help':
      world.say(helpText());
      return 0;
    case 'version':
      world.say(world.version);
      return 0;
    case 'wrong':
      for (const problem of command.problems) world.complain(`patina: ${problem}`);
      world.complain('patina --help shows what there is');
      return 2;
    case 'run':
      return run(command, world);
  }
}

// A reader of the output that went away (`patina | head`) is no reason to stop serving.
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
  });
}

process.exitCode = await main(process.argv.slice(2));
clock.after(EXIT_GRACE_MS, () => process.exit());
