/** `patina check`: everything that is wrong with a conf file, and what is hardly meant. */
import { readFileSync } from 'node:fs';
import { ConfigError } from '../base/errors.js';
import { lint } from '../config/lint.js';
import { loadWritten } from '../config/load.js';
import { type Override, parseSetting } from '../config/overrides.js';
import { showProblem } from '../config/show.js';
import { TOKEN_VARIABLE } from '../config/token.js';
import { allValues, type CommandSpec, type Given, isGiven, lastValue, type Shell, UsageError } from './command.js';
import { diskWarnings } from './disk-warnings.js';
import { obstaclesOf } from './obstacles.js';

/** What `--set` gives, for commands that take a conf file. */
export function overridesOf(given: Given): readonly Override[] {
  return allValues(given, 'set').map((value) => {
    const setting = parseSetting(value);
    if ('problem' in setting) throw new UsageError(setting.problem);
    return setting;
  });
}

function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    // That it cannot be read is one of the problems.
    return '';
  }
}

/** The problems of a configuration as a person sees them, with the lines of the file. */
export function complainOf(
  problems: readonly string[],
  file: string | undefined,
  complain: (line: string) => void,
): void {
  const text = file === undefined ? '' : textOf(file);
  for (const problem of problems) for (const line of showProblem(problem, file ?? '', text)) complain(line);
}

async function run(given: Given, shell: Shell): Promise<number> {
  const file = given.operands[0] ?? lastValue(given, 'config');
  if (file === undefined) throw new UsageError('check: expected the FILE to check');
  try {
    const loaded = loadWritten({ file, overrides: overridesOf(given) });
    const obstacles = obstaclesOf(loaded, shell.env[TOKEN_VARIABLE]);
    if (obstacles.length > 0) throw new ConfigError(obstacles);
    const { settings, placeOf } = loaded;
    const warnings = [...lint(settings), ...diskWarnings(settings.cache.disk.path)];
    const lines = warnings.map(({ path, code, sentence }) => {
      const { prefix, order } = placeOf(path);
      return { order, line: `${prefix}warning: ${path.map(String).join('.')}: ${sentence} [${code}]` };
    });
    lines.sort((a, b) => compareOrders(a.order, b.order));
    complainOf(
      lines.map(({ line }) => line),
      file,
      shell.complain,
    );
    const count = warnings.length === 1 ? '1 warning' : `${warnings.length} warnings`;
    shell.say(`${file}: ${warnings.length === 0 ? 'good' : `valid, ${count}`}`);
    return warnings.length > 0 && isGiven(given, 'strict') ? 1 : 0;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    complainOf(error.problems, file, shell.complain);
    const { length } = error.problems;
    shell.complain(`${file}: ${length === 1 ? '1 problem' : `${length} problems`}`);
    return 2;
  }
}

function compareOrders(a: readonly number[], b: readonly number[]): number {
  for (const [index, own] of a.entries()) {
    const difference = own - (b[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

export const CHECK: CommandSpec = {
  name: 'check',
  usage: '[FILE] [flags]',
  summary: 'says all that is wrong with a conf file, and what is hardly meant',
  maxOperands: 1,
  flags: [
    { name: 'config', takes: 'FILE', doc: 'the conf file, where it is not the operand' },
    { name: 'set', takes: 'KEY.PATH=VALUE', doc: 'an option over the file; may be given again' },
    { name: 'strict', doc: 'exit with 1 where there is a warning' },
  ],
  doc: [
    'Exit code 0: valid, perhaps with warnings; 1: warnings, with --strict; 2: problems, and what keeps a proxy from starting.',
  ],
  run,
};
