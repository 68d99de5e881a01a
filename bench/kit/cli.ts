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
    console.error(`${error instanceof Error ? error.message : error}\n\n${usage}`);
    process.exit(2);
  }
}
