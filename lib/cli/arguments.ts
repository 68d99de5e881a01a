/** The command line: what each flag means, and what is said of one that is not known. */
import { parseArgs } from 'node:util';
import { type Override, parseSetting } from '../config/overrides.js';
import { nearest } from '../config/suggest.js';

export type Command =
  | {
      readonly kind: 'run';
      readonly file: string | undefined;
      readonly overrides: readonly Override[];
      readonly isWatching: boolean;
    }
  | { readonly kind: 'help' }
  | { readonly kind: 'version' }
  | { readonly kind: 'wrong'; readonly problems: readonly string[] };

interface Flag {
  readonly name: string;
  readonly takes?: string;
  readonly doc: string;
  /** The option that it stands for. */
  readonly sets?: readonly string[];
}

/** Every flag, in the order of --help. */
export const FLAGS: readonly Flag[] = [
  { name: 'config', takes: 'FILE', doc: 'the conf file (YAML); without one the headers of the origin decide' },
  { name: 'origin', takes: 'URL', doc: 'the origin; without one a demo origin is started', sets: ['origin', 'url'] },
  { name: 'listen', takes: 'HOST:PORT', doc: 'where clients connect', sets: ['listen'] },
  { name: 'admin', takes: 'HOST:PORT|off', doc: "the operator's listener", sets: ['admin', 'listen'] },
  { name: 'set', takes: 'KEY.PATH=VALUE', doc: 'any option of the conf file; may be given again' },
  { name: 'watch', doc: 'reload when the conf file changes' },
  { name: 'help', doc: 'these lines and every option' },
  { name: 'version', doc: 'the version' },
];

const COMMANDS = ['run'] as const;

/** Reads the arguments after `patina`. */
export function parseArguments(args: readonly string[]): Command {
  const { tokens } = parseArgs({
    args: [...args],
    options: Object.fromEntries(
      FLAGS.map(({ name, takes }) => [name, { type: takes === undefined ? 'boolean' : 'string' }]),
    ),
    strict: false,
    allowPositionals: true,
    tokens: true,
  });
  const problems: string[] = [];
  const overrides: Override[] = [];
  let file: string | undefined;
  let isWatching = false;
  let isCommandGiven = false;
  let shown: 'help' | 'version' | undefined;
  for (const token of tokens) {
    if (token.kind === 'positional') {
      if (isCommandGiven || token.value !== 'run') problems.push(unknown('command', token.value, COMMANDS, ''));
      isCommandGiven = true;
    } else if (token.kind === 'option') {
      const flag = FLAGS.find(({ name }) => name === (token.name === 'h' ? 'help' : token.name));
      const value = token.value ?? '';
      const wrong =
        flag === undefined
          ? unknown(
              'flag',
              token.rawName,
              FLAGS.map(({ name }) => name),
              '--',
            )
          : misuse(flag, token.value);
      if (wrong !== undefined) problems.push(wrong);
      else if (flag?.sets !== undefined) overrides.push({ path: flag.sets, value, flag: `--${flag.name} ${value}` });
      else if (flag?.name === 'config') file = value;
      else if (flag?.name === 'watch') isWatching = true;
      else if (flag?.name === 'set') {
        const setting = parseSetting(value);
        if ('problem' in setting) problems.push(setting.problem);
        else overrides.push(setting);
      } else if (flag?.name === 'help' || flag?.name === 'version') shown ??= flag.name;
    }
  }
  if (isWatching && file === undefined) problems.push('--watch: there is no conf file to watch: add --config FILE');
  if (problems.length > 0) return { kind: 'wrong', problems };
  return shown === undefined ? { kind: 'run', file, overrides, isWatching } : { kind: shown };
}

function misuse(flag: Flag, value: string | undefined): string | undefined {
  if (flag.takes === undefined) return value === undefined ? undefined : `--${flag.name} takes no value`;
  return value === undefined || value === '' || value.startsWith('--')
    ? `--${flag.name}: expected ${flag.takes} after it`
    : undefined;
}

function unknown(what: string, written: string, known: readonly string[], prefix: string): string {
  const meant = nearest(written.replace(/^-+/, ''), known);
  const hint =
    meant === undefined
      ? `expected ${known.map((name) => prefix + name).join(', ')}`
      : `did you mean ${prefix}${meant}?`;
  return `unknown ${what} ${JSON.stringify(written)}: ${hint}`;
}
