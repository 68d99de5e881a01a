/** Addresses that are each good, and not together: where clients and operators connect, and where the origin is. */
import { isLoopbackAddress } from '../base/loopback.js';
import { type Address, formatAddress } from './address.js';
import type { Flaw } from './kinds.js';
import type { ConfigSettings } from './schema.js';

type Addresses = Pick<ConfigSettings, 'listen' | 'admin' | 'origin'>;

export function addressFlaws(addresses: Addresses): Flaw[] {
  return [...sharedAddress(addresses), ...ownOrigin(addresses)];
}

/** Of a document as written: who names the key and leaves its value out, as a template does, did not mean the demo. */
export function blankOrigin(written: unknown): Flaw[] {
  const isBlank = typeof written === 'object' && written !== null && 'origin' in written && written.origin === null;
  if (!isBlank) return [];
  const message = 'expected a URL such as http://127.0.0.1:3000, got an empty value: without this key a demo starts';
  return [{ path: ['origin'], message, unknown: undefined }];
}

/** Two listeners cannot have one address. */
function sharedAddress({ listen, admin }: Addresses): Flaw[] {
  if (admin.listen?.port !== listen.port || admin.listen.host !== listen.host || listen.port === 0) return [];
  const message = `${formatAddress(listen)} is the address of listen already: choose another, or off`;
  return [{ path: ['admin', 'listen'], message, unknown: undefined }];
}

/** Each request would come round to this proxy again, and be refused as a loop (508). */
function ownOrigin({ listen, admin, origin }: Addresses): Flaw[] {
  const { url } = origin;
  if (url === undefined) return [];
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  const port = Number(url.port === '' ? (url.protocol === 'https:' ? 443 : 80) : url.port);
  const isHere = (address: Address | undefined): boolean => address?.port === port && reaches(host, address.host);
  const which = isHere(listen) ? 'listen' : isHere(admin.listen) ? 'admin.listen' : undefined;
  if (which === undefined) return [];
  const message = `${url.origin} is this proxy itself (${which}): write the address of the server behind it`;
  return [{ path: ['origin', 'url'], message, unknown: undefined }];
}

/** Whether a connection to `host` comes to who listens at `own`, as far as the words tell. */
function reaches(host: string, own: string): boolean {
  const isLoopback = host === 'localhost' || isLoopbackAddress(host);
  return host === own || (isLoopback && (own === 'localhost' || own === '0.0.0.0' || own === '::'));
}
