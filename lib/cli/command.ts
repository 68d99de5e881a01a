/** What a command of `patina` is: its flags and operands, its words in --help, and what it does. */

export interface Flag {
  readonly name: string;
  /** One letter that says the same: `-H`. */
  readonly short?: string;
  /** What its value is; without it the flag takes none. A flag of one name is of one kind in all commands. */
  readonly takes?: string;
  readonly doc: string;
  /** The option of the conf file that it stands for. */
  readonly sets?: readonly string[];
}

/** What stands on a command line beside the name of the command, checked against its flags. */
export interface Given {
  /** In the order in which they were written. */
  readonly flags: readonly { readonly name: string; readonly value: string }[];
  readonly operands: readonly string[];
}

/** Where a command runs. */
export interface Shell {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Lines on stdout. */
  say(line: string): void;
  /** Lines on stderr. */
  complain(line: string): void;
}

export interface CommandSpec {
  readonly name: string;
  /** After the name in the usage line: `(URL | --prefix P | --tag T) [flags]`. */
  readonly usage: string;
  /** One line for the list of commands. */
  readonly summary: string;
  /** Further lines for its own --help. */
  readonly doc?: readonly string[];
  readonly flags: readonly Flag[];
  /** How many operands it takes; 0 where not given. */
  readonly maxOperands?: number;
  /**
   * Resolves to the exit code: 0 done, 1 it found nothing or was refused, 2 it could not begin. Throws a UsageError
   * where the command line does not say what to do.
   */
  run(given: Given, shell: Shell): Promise<number>;
}

/** A command line that is wrong in a way that its flags alone do not tell. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** The last value of a flag, which is the one that counts. */
export function lastValue(given: Given, name: string): string | undefined {
  return given.flags.findLast((flag) => flag.name === name)?.value;
}

/** Every value of a flag that may be given again. */
export function allValues(given: Given, name: string): string[] {
  return given.flags.filter((flag) => flag.name === name).map(({ value }) => value);
}

export function isGiven(given: Given, name: string): boolean {
  return given.flags.some((flag) => flag.name === name);
}
