/** What --help prints: the flags, the signals and the exit codes, and every option from the option table. */
import { plainReference } from '../config/reference.js';
import { FLAGS } from './arguments.js';

/** The exit codes and what they mean; the README shows the same. */
export const EXIT_CODES: readonly (readonly [code: number, meaning: string])[] = [
  [0, 'stopped by SIGTERM or SIGINT, every running request finished or its time was up'],
  [1, 'something broke that should not; the message says what'],
  [2, 'cannot start: bad arguments or conf file, a port in use, an unreadable file'],
];

export function helpText(): string {
  const flags = FLAGS.map(({ name, takes, doc }) => {
    const left = `--${name}${takes === undefined ? '' : ` ${takes}`}`;
    return `  ${left.padEnd(24)}${doc}`;
  });
  const codes = EXIT_CODES.map(([code, meaning]) => `  ${code}  ${meaning}`);
  return [
    'patina: a caching reverse proxy in front of one origin. It serves stale responses at once and',
    'refreshes them by conditional requests.',
    '',
    'Usage: patina [run] [flags]',
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
