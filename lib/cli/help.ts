/** What --help prints: the flags, the signals and the exit codes, and every option from the option table. */
import { plainReference } from '../config/reference.js';
import { FLAGS } from './arguments.js';
import type { CommandSpec, Flag } from './command.js';
import { COMMANDS } from './commands.js';

/** The exit codes and what they mean; the README shows the same. */
export const EXIT_CODES: readonly (readonly [code: number, meaning: string])[] = [
  [0, 'done; a proxy: stopped by a signal or by `patina drain`, every running request finished or its time was up'],
  [1, 'a command found nothing, or was refused; or something broke that should not: the message says what'],
  [2, 'cannot begin: bad arguments or conf file, a port in use, an unreadable file, no proxy at the address'],
];

function flagLine({ name, short, takes, doc }: Flag): string {
  const left = `${short === undefined ? '' : `-${short}, `}--${name}${takes === undefined ? '' : ` ${takes}`}`;
  return `  ${left.padEnd(24)}${left.length >= 24 ? `  ${doc}` : doc}`;
}

/** What `patina help COMMAND` prints. */
export function commandHelp({ name, usage, summary, doc = [], flags }: CommandSpec): string {
  return [
    `patina ${name}: ${summary}`,
    '',
    `Usage: patina ${name} ${usage}`.trimEnd(),
    '',
    ...flags.map(flagLine),
    ...(doc.length === 0 ? [] : ['', ...doc]),
  ].join('\n');
}

/** What `patina help` prints. */
export function helpText(): string {
  const flags = FLAGS.map(({ short: _, ...flag }) => flagLine(flag));
  const commands = COMMANDS.map(({ name, summary }) => `  ${name.padEnd(24)}${summary}`);
  const codes = EXIT_CODES.map(([code, meaning]) => `  ${code}  ${meaning}`);
  return [
    'patina: a caching reverse proxy in front of one origin. It serves stale responses at once and',
    'refreshes them by conditional requests.',
    '',
    'Usage: patina [run] [flags]',
    '       patina COMMAND ...      patina help COMMAND says more',
    '',
    ...commands,
    '',
    ...flags,
    '',
    'Flags go before the conf file, --set may set any option below, and the last one counts.',
    'SIGHUP reads the conf file again, checks it, and puts it in force between two requests; what is stored is kept.',
    'SIGTERM and SIGINT drain: nothing new is accepted, running requests finish. A second one ends at once.',
    '',
    'Exit codes:',
    ...codes,
    '',
    'Options of the conf file (durations 500ms 10s 5m 1h 1d, sizes 64KB 256MB 2GB):',
    plainReference(),
    '',
  ].join('\n');
}
