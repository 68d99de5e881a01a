/** Where to listen, as people write it: `HOST:PORT`, `[::1]:PORT`, or a port alone for loopback. */
import type { Reading } from './kinds.js';
import { wanted } from './kinds.js';

export interface Address {
  /** A host name or an IP address, without brackets. */
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
}

export const ADDRESS_FORM = 'HOST:PORT such as 127.0.0.1:8080, [::1]:8080 or 0.0.0.0:80';

const LOOPBACK = '127.0.0.1';

/** Reads an address. A port alone means loopback: listening to the world is something to say in so many words. */
export function readAddress(written: string): Reading<Address> {
  const match = /^(?:(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]+)):)?(\d{1,5})$/.exec(written.trim());
  const port = Number(match?.[3]);
  if (match === null) return { problem: wanted(ADDRESS_FORM, written) };
  if (port > 65_535) return { problem: `${port} is not a port: the most is 65535` };
  return { value: { host: match[1] ?? match[2] ?? LOOPBACK, port } };
}

/** The address as it is written in a URL or an error message. */
export function formatAddress({ host, port }: Address): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
