/** Requests that no client sent: made from a URL, or from the key of a stored response and the fields that selected it. */
import type { Rules } from '../config/rules.js';
import { Fields } from '../http/fields.js';
import { type Selection, urlInKey } from '../object/stored.js';
import { requestKey, splitUrl } from '../policy/key.js';
import type { ClientRequest } from './contract.js';
import { shaped } from './requests.js';

const OWN_ADDRESS = '127.0.0.1';
const NO_SELECTION: Selection = { names: [], values: [] };
/** What stands behind the target in a key (policy/key): a header, a cookie, or a forwarding field, with its value quoted. */
const KEYED = / (cookie:)?([^ =]+)=(?:-|("(?:[^"\\]|\\.)*"))/g;
const FORWARDING: Readonly<Record<string, string>> = {
  proto: 'x-forwarded-proto',
  host: 'x-forwarded-host',
  port: 'x-forwarded-port',
  'forwarded:uri': 'forwarded',
};

/** A GET for a URL with these fields, as its rule has it. Undefined where the text is no URL. */
export function requestOfUrl(url: string, fields: Fields, rules: Rules, now: number): ClientRequest | undefined {
  const parts = splitUrl(url);
  if (parts === undefined || (parts.scheme !== 'http' && parts.scheme !== 'https')) return undefined;
  const { scheme, host } = parts;
  const target = parts.target.startsWith('/') ? parts.target : `/${parts.target}`;
  const asked = { method: 'GET', target, scheme, host, fields: new Fields(['Host', host, ...fields.raw]) } as const;
  const request = ownRequest(asked, now);
  return shaped(request, rules.ruleFor(request));
}

type Asked = Pick<ClientRequest, 'method' | 'target' | 'scheme' | 'host' | 'fields'>;

/** As if a client here had sent it, with no body. */
export function ownRequest({ method, target, scheme, host, fields }: Asked, now: number): ClientRequest {
  const common = { httpVersion: '1.1', remoteAddress: OWN_ADDRESS, hasBody: false, isUpgrade: false } as const;
  return { method, target, scheme, host, fields, ...common, startedAt: now };
}

/**
 * The request that a stored response with this key and selection answers. `url` is asked for where the key leaves out
 * what makes one. Undefined where the two do not tell all that the key was made of.
 */
export function requestOfKey(
  key: string,
  rules: Rules,
  now: number,
  selection: Selection = NO_SELECTION,
  url?: string,
): ClientRequest | undefined {
  const request = requestOfUrl(url ?? urlInKey(key), keyedFields(key, selection), rules, now);
  if (request === undefined) return undefined;
  return requestKey(request, rules.ruleFor(request.received ?? request)) === key ? request : undefined;
}

function keyedFields(key: string, selection: Selection): Fields {
  const found = new Map<string, string>();
  const cookies: string[] = [];
  for (const [, cookie, name = '', quoted] of key.slice(urlInKey(key).length).matchAll(KEYED)) {
    if (quoted === undefined) continue;
    const value: unknown = JSON.parse(quoted);
    if (cookie === undefined) found.set(FORWARDING[name] ?? name, String(value));
    else cookies.push(`${name}=${String(value)}`);
  }
  if (cookies.length > 0) found.set('cookie', cookies.join('; '));
  for (const [index, name] of selection.names.entries()) {
    const value = selection.values[index];
    if (value !== undefined) found.set(name, value);
  }
  found.delete('host');
  return new Fields([...found].flat());
}
