/** Every command beside `run` and `help`, in the order of --help. A new one is an entry here. */
import { CHECK } from './check.js';
import type { CommandSpec } from './command.js';
import { EXPLAIN } from './explain.js';
import { OPERATION_COMMANDS } from './operations.js';
import { TEST } from './test.js';

export const COMMANDS: readonly CommandSpec[] = [CHECK, EXPLAIN, TEST, ...OPERATION_COMMANDS];
