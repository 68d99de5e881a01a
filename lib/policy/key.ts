/**
 * The primary key of a stored response: its target URI, written in one way only.
 * Implements RFC 9111 §2 and, of RFC 9110 §4.2.3, what is always safe.
 *
 * Scheme and host are put in lower case, the default port goes, an empty path is `/`. The rest of the target stays
 * byte for byte: no percent-decoding, no removal of dot segments. RFC 9110 §4.2.3 calls such URIs equivalent, but
 * origins do tell `/a%2Fb` from `/a/b`, and a key that joins two requests which the origin answers differently serves
 * one client the other's page. Two keys for one page cost a fetch; one key for two pages is a leak.
 */

import { joined } from '../base/hash.js';
import type { Keying } from '../config/rule.js';
import type { Fields } from '../http/fields.js';
import { cookieForm } from '../http/query.js';
import { forwardedForm, forwardedPort } from './forwarded.js';
import { normalValue } from './negotiation.js';
import { targetForKey } from './query-key.js';

/** What a request is about: the members of the request record that make the key. */
export interface RequestTarget {
  readonly scheme: string;
  /** Host and port as they came, in any case. */
  readonly host: string;
  /** Origin-form: path and query. */
  readonly target: string;
}

const SLASH = 0x2f;

/** The key under which all responses to this target are stored. */
export function primaryKey(request: RequestTarget): string {
  const target = request.target;
  const origin = originOf(request.scheme, request.host);
  // RFC 9110 §4.2.3: an empty path is the same as `/`.
  return target.charCodeAt(0) === SLASH ? joined(origin, target) : `${origin}/${target}`;
}

/** What the key of a request is made of, beside the rule that it falls under. */
export interface KeyedRequest extends RequestTarget {
  readonly fields: Fields;
  /** Of a POST that its rule caches. */
  readonly content?: { readonly digest: string } | undefined;
}

/**
 * The key of a request as the origin will understand it, and as its rule has it. X-Forwarded-Proto and X-Forwarded-Host
 * of a proxy in front of us, and what Forwarded and X-Forwarded-Port say of the URI, are passed on and believed there, so they
 * are part of the key: left out, one client could have the page of another scheme or host stored for everybody. A plain `http` or `https` is the scheme; anything
 * else unusual makes the key its own. Values stand in it whole and quoted: no two requests that differ in what is keyed
 * have one key.
 */
export function requestKey(request: KeyedRequest, rule: Keying = ANY_KEYING): string {
  const { fields } = request;
  const { headers, cookies } = rule.key;
  const scheme = fields.get('x-forwarded-proto');
  const host = fields.get('x-forwarded-host');
  let key = targetKey(request, rule);
  for (const name of headers) key += ` ${name}=${quoted(keyedHeader(name, fields))}`;
  if (cookies.length > 0) {
    const field = fields.get('cookie');
    for (const name of cookies) key += ` cookie:${name}=${cookieForm(field, name)}`;
  }
  if (request.content !== undefined) key += ` POST content=${request.content.digest}`;
  if (scheme !== undefined && !isScheme(scheme)) key += ` proto=${quoted(scheme)}`;
  if (host !== undefined && host.toLowerCase() !== request.host) key += ` host=${quoted(host)}`;
  const forwarded = fields.get('forwarded');
  return forwarded === undefined && !fields.has('x-forwarded-port') ? key : key + forwardedKey(request, forwarded);
}

function forwardedKey(request: KeyedRequest, forwarded: string | undefined): string {
  const scheme = effectiveScheme(request);
  const port = forwardedPort(request.fields, scheme, request.host);
  const form = forwarded === undefined ? undefined : forwardedForm(forwarded, scheme, request.host);
  const ported = port === undefined ? '' : ` port=${quoted(port)}`;
  return form === undefined ? ported : `${ported} forwarded:uri=${quoted(form)}`;
}

const ANY_KEYING: Keying = { query: { kind: 'keep' }, key: { host: true, scheme: true, headers: [], cookies: [] } };

/** A value as text that ends where it ends, whatever is in it. */
function quoted(value: string | undefined): string {
  return value === undefined ? '-' : JSON.stringify(value);
}

function keyedHeader(name: string, fields: Fields): string | undefined {
  const value = fields.get(name);
  return value === undefined ? undefined : normalValue(name, value);
}

/** The key of what a request is about, without what headers and cookies add to it: what a purge or a change names. */
export function targetKey(request: KeyedRequest, rule: Keying = ANY_KEYING): string {
  return keyAt({ scheme: effectiveScheme(request), host: request.host, target: request.target }, rule);
}

/** The key of a target under a rule: `*` stands for what is left out of it. */
export function keyAt(at: RequestTarget, keying: Keying): string {
  // What a request is about is asked several times in a row.
  const { madeFor } = last;
  const isLast = at.target === madeFor.target && at.host === madeFor.host && at.scheme === madeFor.scheme;
  if (!isLast || last.keying !== keying) last = { madeFor: at, keying, key: makeKey(at, keying) };
  return last.key;
}

function makeKey(at: RequestTarget, { query, key }: Keying): string {
  const target = targetForKey(at.target, query);
  if (key.host && key.scheme) return primaryKey({ scheme: at.scheme, host: at.host, target });
  const path = target.charCodeAt(0) === SLASH ? target : `/${target}`;
  const scheme = key.scheme ? at.scheme.toLowerCase() : '*';
  const host = key.host ? withoutDefaultPort(at.scheme, at.host.toLowerCase()) : '*';
  return `${scheme}://${host}${path}`;
}

let last: { readonly madeFor: RequestTarget; readonly keying: Keying | undefined; readonly key: string } = {
  madeFor: { scheme: '', host: '', target: '' },
  keying: undefined,
  key: '',
};

/** All keys that what is at this URL, itself written as a key, may be stored under by one of these rules. */
export function keysAt(url: string, keyings: readonly Keying[]): ReadonlySet<string> {
  const keys = new Set([url]);
  const parts = splitUrl(url);
  if (parts !== undefined) for (const keying of keyings) keys.add(keyAt(parts, keying));
  return keys;
}

/** The scheme that the client used towards the first proxy, as far as that is told. */
export function effectiveScheme(request: { readonly scheme: string; readonly fields: Fields }): string {
  const told = request.fields.get('x-forwarded-proto');
  return told !== undefined && isScheme(told) ? told.toLowerCase() : request.scheme;
}

function isScheme(text: string): boolean {
  return text === 'http' || text === 'https' || /^https?$/i.test(text);
}

/** `scheme://host[:port]` in lower case and without the default port (RFC 9110 §4.2.3, §4.3.1). */
export function originOf(scheme: string, host: string): string {
  // Most requests are for the host of the one before.
  if (scheme !== lastScheme || host !== lastHost) {
    lastOrigin = `${scheme.toLowerCase()}://${withoutDefaultPort(scheme, host.toLowerCase())}`;
    lastScheme = scheme;
    lastHost = host;
  }
  return lastOrigin;
}

let lastScheme = '';
let lastHost = '';
let lastOrigin = '://';

function withoutDefaultPort(scheme: string, host: string): string {
  const port = scheme.length === 5 ? ':443' : ':80';
  if (host.endsWith(port)) return host.slice(0, -port.length);
  // `example.com:` has an empty port, which is the default one (RFC 9110 §4.2.3).
  return host.endsWith(':') && !host.endsWith('::') ? host.slice(0, -1) : host;
}

/** Scheme, authority, path with query; a fragment is no part of a target (RFC 9110 §7.1). */
const ABSOLUTE_URL = /^(https?):\/\/([^/?#\\@\s]+)([^#]*)/i;
const NOT_IN_A_TARGET = /[^\x21-\x7e]/;
const NOT_IN_A_TARGET_RUN = /[^\x21-\x7e]+/gu;
const LONE_SURROGATE = /[\ud800-\udfff]/u;

/** The parts of an absolute http or https URL; undefined where it is not one or names a user. */
export function splitUrl(url: string): RequestTarget | undefined {
  const match = ABSOLUTE_URL.exec(url.trim());
  const [, scheme, host, rest] = match ?? [];
  if (scheme === undefined || host === undefined || rest === undefined) return undefined;
  // What follows the authority starts with `/` or `?`, or the authority was not one (a user before `@`, a backslash).
  if (rest !== '' && rest.charCodeAt(0) !== SLASH && rest[0] !== '?') return undefined;
  if (NOT_IN_A_TARGET.test(host)) return undefined;
  return { scheme: scheme.toLowerCase(), host: host.toLowerCase(), target: rest };
}

/**
 * The key of a URL that a person or another program wrote. Characters that cannot stand in a request target are
 * percent-encoded, as any client would before it sent them. Undefined where the text is no absolute http(s) URL.
 */
export function keyOfUrl(url: string): string | undefined {
  const parts = splitUrl(url);
  if (parts === undefined || LONE_SURROGATE.test(parts.target)) return undefined;
  return primaryKey({ ...parts, target: parts.target.replace(NOT_IN_A_TARGET_RUN, encodeURIComponent) });
}
