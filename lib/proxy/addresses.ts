/** The addresses of a proxy, and the name by which it knows a request of its own. */
import { randomBytes } from 'node:crypto';
import { ConfigError } from '../base/errors.js';
import { type Address, listenProblem } from '../config/address.js';
import { makePseudonym } from '../policy/hygiene.js';

/** A name in Via that no other instance has. */
export function newPseudonym(): string {
  return makePseudonym('patina', randomBytes(4).toString('hex'));
}

export function isMoved(before: Address | undefined, after: Address | undefined): boolean {
  return after !== undefined && (after.host !== before?.host || after.port !== before.port);
}

/** What `binding` gives, or a sentence about the address that cannot be had. */
export async function bound<T>(key: string, address: Address | undefined, binding: Promise<T>): Promise<T> {
  try {
    return await binding;
  } catch (error) {
    throw new ConfigError([`${key}: ${listenProblem(error, address) ?? String(error)}`]);
  }
}
