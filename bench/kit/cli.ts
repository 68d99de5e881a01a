/** Flags of the instruments: every one is declared, an unknown one ends the run with exit code 2. */
import { type ParseArgsConfig, parseArgs } from 'node:util';

type Options = NonNullable<ParseArgsConfig['options']>;
type Values<T extends Options> = ReturnType<typeof parseArgs<{ options: T }>>['values'];

export function readFlags<T extends Options>(usage: string, options: T): Values<T> {
  try {
    if (process.argv.slice(2).some((flag) => flag === '--help' || flag === '-h')) {
      console.log(usage);
      process.exit(0);
    }
    return parseArgs({ options, strict: true }).values;
  } catch (error) {
    refuse(usage, error instanceof Error ? error.message : String(error));
  }
}

/** The number that a flag gives: whole, and 1 at least, so that nothing is called good of which nothing was run. */
export function readCount(usage: string, flag: string, written: string): number {
  const count = Number(written);
  if (!/^\d{1,15}$/.test(written) || count === 0)
    refuse(usage, `--${flag} takes a number such as 20, not '${written}'`);
  return count;
}

function refuse(usage: string, sentence: string): never {
  console.error(`${sentence}\n\n${usage}`);
  process.exit(2);
}
