/** Where the checkout is. The instruments run from compiled code, but read and write beside their sources. */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { program } from '../../test/kit/program.js';

function isCheckout(dir: string): boolean {
  const file = join(dir, 'package.json');
  if (!existsSync(file) || !existsSync(join(dir, 'bench'))) return false;
  const parsed: unknown = JSON.parse(readFileSync(file, 'utf8'));
  return typeof parsed === 'object' && parsed !== null && 'name' in parsed && parsed.name === 'patina';
}

function above(start: string): string | undefined {
  for (let dir = start; ; dir = dirname(dir)) {
    if (isCheckout(dir)) return dir;
    if (dirname(dir) === dir) return undefined;
  }
}

/** The root of the checkout: above the working directory, else above this file. */
export function checkoutRoot(): string {
  const root = above(process.cwd()) ?? above(dirname(fileURLToPath(import.meta.url)));
  if (root === undefined) throw new Error('run this inside the checkout of Patina');
  return root;
}

/** The program that a user starts. */
export function patinaMain(): string {
  return process.env['PATINA_MAIN'] ?? program();
}

/** The compiled module of the kit. */
export function kitModule(name: string): string {
  return join(dirname(fileURLToPath(import.meta.url)), name);
}
