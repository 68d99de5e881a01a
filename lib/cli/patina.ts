/** The `patina` command: arguments in, exit code out. */
import { systemClock } from '../base/clock.js';
import { VERSION } from '../base/version.js';
import { parseArguments } from './arguments.js';
import { type Shell, UsageError } from './command.js';
import { commandHelp, helpText } from './help.js';

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

const shell: Shell = {
  env: process.env,
  say: (line) => speak(process.stdout, line),
  complain: (line) => speak(process.stderr, line),
};

function misused(problems: readonly string[], command: string | undefined): number {
  for (const problem of problems) shell.complain(`patina: ${problem}`);
  shell.complain(`patina ${command === undefined ? '' : `${command} `}--help shows what there is`);
  return 2;
}

async function main(args: readonly string[]): Promise<number> {
  const command = parseArguments(args);
  switch (command.kind) {
    case 'help':
      shell.say(command.of === undefined ? helpText() : commandHelp(command.of));
      return 0;
    case 'version':
      shell.say(VERSION);
      return 0;
    case 'wrong':
      return misused(command.problems, command.of?.name);
    case 'other':
      try {
        return await command.spec.run(command.given, shell);
      } catch (error) {
        if (error instanceof UsageError) return misused([error.message], command.spec.name);
        throw error;
      }
    case 'run':
      isServing = true;
      // The proxy is most of the program, and no other command needs it.
      return (await import('./serve.js')).serve(command, shell, clock);
  }
}

const exitCode = await main(process.argv.slice(2));
process.exitCode ??= exitCode;
clock.after(EXIT_GRACE_MS, () => process.exit());
