/** Where to listen, as people write it: `HOST:PORT`, `[::1]:PORT`, or a port alone for loopback. */
import type { Reading } from './kinds.js';
import { wanted } from './kinds.js';

export interface Address {
  /** A host name or an IP address, without brackets. */
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
}

export const ADDRESS_FORM = 'HOST:PORT such as 127.0.0.1:8080, [::1]:8080 or 0.0.0.0:80, or a port alone for loopback';

const LOOPBACK = '127.0.0.1';

/**
 * Reads an address. A port alone means loopback: listening to the world is something to say in so many words.
 * `form`: what is said to be expected where it is none.
 */
export function readAddress(written: string, form: string = ADDRESS_FORM): Reading<Address> {
  const match = /^(?:(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]+)):)?(\d{1,5})$/.exec(written.trim());
  const port = Number(match?.[3]);
  // Elsewhere it means every address, and a port alone means loopback here: neither is guessed.
  const [, bare] = /^:(\d{1,5})$/.exec(written.trim()) ?? [];
  if (bare !== undefined) {
    return {
      problem: `${written.trim()} names no host: write ${LOOPBACK}:${bare}, or 0.0.0.0:${bare} for every address`,
    };
  }
  if (match === null) return { problem: wanted(form, written) };
  if (port > 65_535) return { problem: `${port} is not a port: the most is 65535` };
  return { value: { host: match[1] ?? match[2] ?? LOOPBACK, port } };
}

const WHY_NOT_LISTENING: Readonly<Partial<Record<string, string>>> = {
  EADDRINUSE: 'the port is in use: another process listens there',
  EACCES: 'this user may not listen there: ports below 1024 need a privilege',
  EADDRNOTAVAIL: 'this machine has no such address',
  ENOTFOUND: 'no address is known for this host name',
  EAI_AGAIN: 'no address can be looked up for this host name now',
};

/** The sentence for an address that cannot be listened at; undefined where the error is another one. */
export function listenProblem(error: unknown, address: Address | undefined): string | undefined {
  const why = WHY_NOT_LISTENING[(error as NodeJS.ErrnoException).code ?? ''];
  return why === undefined || address === undefined ? undefined : `cannot listen on ${formatAddress(address)}: ${why}`;
}

/** The address as it is written in a URL or an error message. */
export function formatAddress({ host, port }: Address): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
