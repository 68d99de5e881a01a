/**
 * What a proxy takes out of a message and puts into it before it passes it on, in both directions.
 * Implements RFC 9110 §7.6.1 (Connection), §7.6.3 (Via), §10.1.1 (Expect), §10.1.4 (TE), §11.7.1-11.7.3, §7.2 (Host)
 * and RFC 9112 §3.2.2.
 */
import { Fields } from '../http/fields.js';
import { NameSet } from '../http/name-set.js';
import { isToken, trimOws } from '../http/tokens.js';

/** What is needed of the request record. */
export interface ReceivedRequest {
  readonly method: string;
  readonly scheme: string;
  /** The Host that counts, in lower case. */
  readonly host: string;
  readonly fields: Fields;
  /** All of its content, where it was read here. */
  readonly content?: object | undefined;
  /** What the request line said, `1.0` or `1.1`. */
  readonly httpVersion: string;
  readonly remoteAddress: string;
}

export interface RequestSettings {
  /** Our pseudonym in Via: makePseudonym(). */
  readonly via: string;
  /** Goes to the origin as Host instead of the client's. */
  readonly hostOverride?: string | undefined;
  /**
   * The X-Forwarded fields: `append` believes what is there and adds the client to it; `replace` believes nothing
   * that came; `off` passes them on untouched.
   */
  readonly forwardedFor: 'append' | 'replace' | 'off';
}

/**
 * Fields that belong to one connection, whether or not Connection lists them. One table for requests and responses:
 * those that have no meaning in one direction do not occur there, or should not.
 */
const HOP_BY_HOP = new NameSet([
  'connection',
  // RFC 9110 §7.6.1 names these as fields to take out even where Connection forgot them.
  'keep-alive',
  'proxy-connection',
  'te',
  'transfer-encoding',
  'upgrade',
  // Announces the trailer section of this connection's chunked coding; who frames the next message announces its own.
  'trailer',
  // RFC 9110 §11.7.1-11.7.3: between a client and the first proxy that asks; an origin must not see the credentials,
  // and RFC 9111 §3.1 forbids to store any of the three.
  'proxy-authenticate',
  'proxy-authentication-info',
  'proxy-authorization',
  // Part of an upgrade to h2c, a token of Connection by its own definition.
  'http2-settings',
]);

/**
 * Fields that an option of Connection does not take out, although RFC 9110 §7.6.1 says that options do: a sender must
 * not list there what is meant for all recipients, and one that does would strip what routing, framing, loop
 * detection, identity or another client's safety rests on.
 */
const NOT_AN_OPTION: ReadonlySet<string> = new Set([
  'age',
  'cache-control',
  'cdn-cache-control',
  'content-encoding',
  'content-length',
  'content-range',
  'content-type',
  'date',
  'expires',
  'forwarded',
  'host',
  'max-forwards',
  'pragma',
  'surrogate-control',
  'vary',
  'via',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-proto',
]);

const NO_OPTIONS: ReadonlySet<string> = new Set();

/** Whether a field goes no further than the connection that it came on. */
export function isHopByHop(name: string): boolean {
  return HOP_BY_HOP.has(name);
}

/** The field names, in lower case, that Connection takes out of this message beside the hop-by-hop ones. */
export function connectionOptions(fields: Fields): ReadonlySet<string> {
  const value = fields.get('connection');
  // What nearly every message has is told without taking it apart.
  if (value === undefined || value === 'keep-alive' || value === 'close') return NO_OPTIONS;
  const options = new Set<string>();
  // Options are tokens (RFC 9110 §7.6.1): a quote among them encloses nothing, and must not hide the ones after it.
  for (const option of value.split(',')) {
    const name = trimOws(option).toLowerCase();
    if (name !== '' && !HOP_BY_HOP.has(name) && !NOT_AN_OPTION.has(name)) options.add(name);
  }
  return options;
}

/**
 * Without hop-by-hop and Connection-listed fields (RFC 9110 §7.6.1). The same object where there is none. A request
 * whose Connection lists fields must be looked up, and stored, by what this leaves of it: by what the origin sees.
 */
export function endToEndFields(fields: Fields): Fields {
  const options = connectionOptions(fields);
  if (options.size === 0) return fields.withoutAny(HOP_BY_HOP);
  return fields.filter((name) => !HOP_BY_HOP.has(name) && !options.has(name));
}

/** The fields of an origin's response that are for more than this connection. Content-Length stays, for the caller. */
export function receivedResponseFields(fields: Fields): Fields {
  let kept = endToEndFields(fields);
  for (const name of SINGLE) kept = withFirstAlone(kept, name);
  return kept;
}

/**
 * What ages and validators go by. A sender must not send a second line of them (RFC 9110 §5.3); where one does, the first counts here,
 * and it alone goes on: who joined the two would see neither (RFC 9111 §4.2.1 has the same of Expires).
 */
const SINGLE = ['date', 'etag', 'last-modified'] as const;

function withFirstAlone(fields: Fields, name: string): Fields {
  const first = fields.placeOf(name);
  if (first < 0 || fields.placeOf(name, first + 2) < 0) return fields;
  let count = 0;
  return fields.filter((each) => each !== name || ++count === 1);
}

/** The request fields as the origin gets them: the client's, cleaned, with Host first, and with Via and X-Forwarded-*. */
export function requestToOrigin(request: ReceivedRequest, settings: RequestSettings): Fields {
  // What one client sends is mostly the same from request to request, its target apart.
  if (request.content !== undefined) return fieldsToOrigin(request, settings);
  if (!isAsLast(request, settings)) {
    const { method, scheme, host, fields, httpVersion, remoteAddress } = request;
    const asked = { method, scheme, host, fields, httpVersion, remoteAddress };
    last = { asked, settings, fields: fieldsToOrigin(request, settings) };
  }
  return last.fields;
}

/** What was made last, and of what: the request itself would keep its connection. */
let last: {
  readonly asked: ReceivedRequest | undefined;
  readonly settings: RequestSettings | undefined;
  readonly fields: Fields;
} = { asked: undefined, settings: undefined, fields: Fields.empty };

function isAsLast(request: ReceivedRequest, settings: RequestSettings): boolean {
  const { asked } = last;
  return (
    asked !== undefined &&
    last.settings === settings &&
    asked.fields === request.fields &&
    asked.remoteAddress === request.remoteAddress &&
    asked.host === request.host &&
    asked.method === request.method &&
    asked.scheme === request.scheme &&
    asked.httpVersion === request.httpVersion
  );
}

function fieldsToOrigin(request: ReceivedRequest, settings: RequestSettings): Fields {
  const { fields } = request;
  const options = connectionOptions(fields);
  // RFC 9110 §10.1.1: an expectation is about content to come; of a request without content it says nothing.
  // One whose content is here already has met it.
  const isMet = request.content !== undefined || (isFetch(request.method) && !announcesContent(fields));
  const replaced = replacedForwarding(settings);
  const raw: string[] = ['Host', hostToOrigin(request, settings)];
  const from = fields.raw;
  for (let i = 0; i < from.length; i += 2) {
    const name = from[i] as string;
    if (WRITTEN_ANEW.has(name) || HOP_BY_HOP.has(name) || replaced.has(name)) continue;
    if (isMet && EXPECT.has(name)) continue;
    if (options.size > 0 && options.has(name.toLowerCase())) continue;
    raw.push(name, from[i + 1] as string);
  }
  // What Connection may take out is none of the fields that the following look at.
  raw.push('Via', viaWith(fields, request.httpVersion, settings.via));
  if (settings.forwardedFor !== 'off') addForwarding(raw, fields, request, settings.forwardedFor === 'append');
  return new Fields(raw);
}

const isFetch = (method: string): boolean => method === 'GET' || method === 'HEAD';

/** RFC 9112 §6.3: whether content follows the request. */
function announcesContent(fields: Fields): boolean {
  return fields.has('transfer-encoding') || Number(fields.first('content-length') ?? 0) > 0;
}

const WRITTEN_ANEW = new NameSet(['host', 'via']);
const EXPECT = new NameSet(['expect']);
const APPENDED = new NameSet(['x-forwarded-for']);
const REPLACED = new NameSet([
  'forwarded',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-proto',
  'x-forwarded-port',
]);
const UNTOUCHED = new NameSet([]);

/** The forwarding fields of the client that do not go on as they came. */
function replacedForwarding(settings: RequestSettings): NameSet {
  if (settings.forwardedFor === 'off') return UNTOUCHED;
  return settings.forwardedFor === 'append' ? APPENDED : REPLACED;
}

function addForwarding(raw: string[], kept: Fields, request: ReceivedRequest, believes: boolean): void {
  const before = believes ? kept.get('x-forwarded-for') : undefined;
  const address = plainAddress(request.remoteAddress);
  raw.push('X-Forwarded-For', before === undefined || before === '' ? address : `${before}, ${address}`);
  if (!believes || !kept.has('x-forwarded-proto')) raw.push('X-Forwarded-Proto', request.scheme);
  if (!believes || !kept.has('x-forwarded-host')) raw.push('X-Forwarded-Host', receivedHost(request));
}

/** A dual-stack socket shows an IPv4 client as `::ffff:192.0.2.1`; origins expect, and list, `192.0.2.1`. */
function plainAddress(address: string): string {
  return address.startsWith('::ffff:') && address.includes('.') ? address.slice('::ffff:'.length) : address;
}

function hostToOrigin(request: ReceivedRequest, settings: RequestSettings): string {
  return settings.hostOverride ?? receivedHost(request);
}

/**
 * The client's Host byte for byte, where that is the one that counts; where an absolute-form target named another,
 * that one (RFC 9112 §3.2.2).
 */
function receivedHost(request: ReceivedRequest): string {
  const field = request.fields.first('host');
  return field !== undefined && field.toLowerCase() === request.host ? field : request.host;
}

/** Via with our member added: protocol version as received, then who we are (RFC 9110 §7.6.3). */
function viaWith(fields: Fields, httpVersion: string, pseudonym: string): string {
  const before = fields.get('via');
  const own = `${httpVersion} ${pseudonym}`;
  return before === undefined || before === '' ? own : `${before}, ${own}`;
}

/**
 * A pseudonym for Via: a name that says what this is, and an id that tells this instance from every other one.
 * Without the id, two instances in a row would each take the other's Via member for its own and see a loop; with it,
 * a member is ours only if the request was here. All workers of one instance must share the id.
 */
export function makePseudonym(name: string, instanceId: string): string {
  const pseudonym = `${name}-${instanceId}`;
  if (!isToken(pseudonym))
    throw new RangeError(`A pseudonym in Via is a token, and ${JSON.stringify(pseudonym)} is none`);
  return pseudonym;
}

/**
 * Whether the request has been here before: our own pseudonym is in its Via (RFC 9110 §7.6.3). It is looked for as a
 * word, not in members taken apart: a quote or a bracket that a client leaves open in a comment must not hide the
 * members that were added after it, or the loop would have no end.
 */
export function isLoop(requestFields: Fields, pseudonym: string): boolean {
  const via = requestFields.get('via')?.toLowerCase();
  if (via === undefined) return false;
  const own = pseudonym.toLowerCase();
  for (let at = via.indexOf(own); at >= 0; at = via.indexOf(own, at + 1)) {
    if (endsWord(via[at - 1]) && endsWord(via[at + own.length])) return true;
  }
  return false;
}

function endsWord(char: string | undefined): boolean {
  return char === undefined || char === ' ' || char === '\t' || char === ',' || char === '(' || char === ':';
}
