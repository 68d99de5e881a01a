/** The command line: which command it is, what each flag means, and what is said of one that is not known. */
import { parseArgs } from 'node:util';
import { type Override, parseSetting } from '../config/overrides.js';
import { nearest } from '../config/suggest.js';
import type { CommandSpec, Flag, Given } from './command.js';
import { COMMANDS } from './commands.js';

export type Command =
  | {
      readonly kind: 'run';
      readonly file: string | undefined;
      readonly overrides: readonly Override[];
      readonly isWatching: boolean;
    }
  | { readonly kind: 'other'; readonly spec: CommandSpec; readonly given: Given }
  /** `of`: the command that is asked about; undefined: all of it. */
  | { readonly kind: 'help'; readonly of: CommandSpec | undefined }
  | { readonly kind: 'version' }
  /** `of`: whose --help shows what there is. */
  | { readonly kind: 'wrong'; readonly problems: readonly string[]; readonly of?: CommandSpec };

const HELP: Flag = { name: 'help', short: 'h', doc: 'these lines and every option' };
const VERSION: Flag = { name: 'version', doc: 'the version' };

/** Every flag of `patina run`, in the order of --help. */
export const FLAGS: readonly Flag[] = [
  { name: 'config', takes: 'FILE', doc: 'the conf file (YAML); without one the headers of the origin decide' },
  { name: 'origin', takes: 'URL', doc: 'the origin; without one a demo origin is started', sets: ['origin', 'url'] },
  { name: 'listen', takes: 'HOST:PORT', doc: 'where clients connect', sets: ['listen'] },
  { name: 'admin', takes: 'HOST:PORT|off', doc: "the operator's listener", sets: ['admin', 'listen'] },
  { name: 'workers', takes: 'N|auto', doc: 'processes that serve behind the one port', sets: ['workers'] },
  { name: 'set', takes: 'KEY.PATH=VALUE', doc: 'any option of the conf file; may be given again' },
  { name: 'watch', doc: 'reload when the conf file changes' },
  HELP,
  VERSION,
];

/** Names that a command line may begin with. */
export const COMMAND_NAMES: readonly string[] = ['run', ...COMMANDS.map(({ name }) => name), 'help'];

const ALL_FLAGS: readonly Flag[] = [...FLAGS, ...COMMANDS.flatMap(({ flags }) => flags)];

/** One piece of a command line, in order. */
type Token =
  | { readonly kind: 'word'; readonly value: string }
  | { readonly kind: 'flag'; readonly name: string; readonly written: string; readonly value: string | undefined };

/** Reads the arguments after `patina`. */
export function parseArguments(args: readonly string[]): Command {
  const tokens = tokensOf(args);
  const words = tokens.filter(({ kind }) => kind === 'word').map(({ value }) => value ?? '');
  const [first = 'run', ...operands] = words;
  if (first === 'help') return helpAbout(operands);
  const spec = COMMANDS.find(({ name }) => name === first);
  const problems: string[] = [];
  const known = spec === undefined ? FLAGS : [...spec.flags, HELP];
  const flags: { name: string; value: string }[] = [];
  let isFirst = true;
  for (const token of tokens) {
    if (token.kind === 'flag') {
      const problem = flagProblem(token, known, spec);
      if (problem === undefined) flags.push({ name: token.name, value: token.value ?? '' });
      else problems.push(problem);
    } else if (spec === undefined && (!isFirst || first !== 'run')) {
      problems.push(isFirst ? unknownCommand(token.value) : `unexpected ${JSON.stringify(token.value)}`);
    }
    if (token.kind === 'word') isFirst = false;
  }
  const given: Given = { flags, operands };
  if (spec === undefined) return readRun(given, problems);
  const surplus = operands.slice(spec.maxOperands ?? 0);
  if (surplus.length > 0) problems.push(`unexpected ${surplus.map((word) => JSON.stringify(word)).join(', ')}`);
  if (problems.length > 0) return { kind: 'wrong', problems, of: spec };
  return flags.some(({ name }) => name === 'help') ? { kind: 'help', of: spec } : { kind: 'other', spec, given };
}

function tokensOf(args: readonly string[]): Token[] {
  const options = Object.fromEntries(
    ALL_FLAGS.map(({ name, short, takes }) => [
      name,
      {
        type: takes === undefined ? ('boolean' as const) : ('string' as const),
        ...(short === undefined ? {} : { short }),
      },
    ]),
  );
  const { tokens } = parseArgs({ args: [...args], options, strict: false, allowPositionals: true, tokens: true });
  return tokens.flatMap((token): Token[] => {
    if (token.kind === 'positional') return [{ kind: 'word', value: token.value }];
    if (token.kind === 'option-terminator') return [];
    return [{ kind: 'flag', name: token.name, written: token.rawName, value: token.value }];
  });
}

function helpAbout([topic, ...more]: readonly string[]): Command {
  if (topic === undefined || topic === 'run' || topic === 'help') return { kind: 'help', of: undefined };
  const spec = COMMANDS.find(({ name }) => name === topic);
  const wrong = [...(spec === undefined ? [topic] : []), ...more];
  if (wrong.length === 0) return { kind: 'help', of: spec };
  return { kind: 'wrong', problems: wrong.map(unknownCommand) };
}

function flagProblem(
  token: Token & { kind: 'flag' },
  known: readonly Flag[],
  spec: CommandSpec | undefined,
): string | undefined {
  const flag = known.find(({ name }) => name === token.name);
  if (flag !== undefined) return misuse(flag, token.value);
  const names = known.map(({ name }) => name);
  const problem = unknown('flag', token.written, names, '--');
  return spec === undefined ? problem : `${spec.name}: ${problem}`;
}

/** What `run`, which needs not be named, makes of its flags. */
function readRun({ flags }: Given, problems: string[]): Command {
  const overrides: Override[] = [];
  let file: string | undefined;
  let isWatching = false;
  let shown: 'help' | 'version' | undefined;
  for (const { name, value } of flags) {
    const sets = FLAGS.find((flag) => flag.name === name)?.sets;
    if (sets !== undefined) overrides.push({ path: sets, value, flag: `--${name} ${value}` });
    else if (name === 'config') file = value;
    else if (name === 'watch') isWatching = true;
    else if (name === 'set') {
      const setting = parseSetting(value);
      if ('problem' in setting) problems.push(setting.problem);
      else overrides.push(setting);
    } else if (name === 'help' || name === 'version') shown ??= name;
  }
  if (isWatching && file === undefined) problems.push('--watch: there is no conf file to watch: add --config FILE');
  if (problems.length > 0) return { kind: 'wrong', problems };
  if (shown === 'version') return { kind: 'version' };
  return shown === undefined ? { kind: 'run', file, overrides, isWatching } : { kind: 'help', of: undefined };
}

function misuse(flag: Flag, value: string | undefined): string | undefined {
  if (flag.takes === undefined) return value === undefined ? undefined : `--${flag.name} takes no value`;
  return value === undefined || value === '' || value.startsWith('--')
    ? `--${flag.name}: expected ${flag.takes} after it`
    : undefined;
}

function unknownCommand(written: string): string {
  if (/\.ya?ml$/i.test(written)) return `unexpected ${JSON.stringify(written)}: a conf file is named by --config FILE`;
  return unknown('command', written, COMMAND_NAMES, '');
}

function unknown(what: string, written: string, known: readonly string[], prefix: string): string {
  const meant = nearest(written.replace(/^-+/, ''), known);
  const hint =
    meant === undefined
      ? `expected ${known.map((name) => prefix + name).join(', ')}`
      : `did you mean ${prefix}${meant}?`;
  return `unknown ${what} ${JSON.stringify(written)}: ${hint}`;
}
