/**
 * Judges the head of a request before anything else sees it, and takes from it what the engine wants to know.
 * Node's parser has refused most of what is not in the grammar; this refuses the rest, so that what goes on has one
 * meaning only, to us and to the origin. Pure: test/front/raw-requests.test.ts says what Node lets through.
 * Implements RFC 9112 §2.3, §3.2, §6.1-6.3 and RFC 9110 §4.2, §7.2, §10.1.1.
 */
import { Fields, type RawFields } from '../http/fields.js';
import { REFUSALS, type Refusal } from './refusal.js';

export interface IntakeLimits {
  /** Beyond: 414. */
  readonly targetBytes: number;
  /** Beyond: 431. */
  readonly fieldsBytes: number;
  /** Beyond: 431. */
  readonly fieldCount: number;
}

/** What the request line and the field section say, as the parser gives it. */
export interface RequestHead {
  readonly method: string;
  readonly target: string;
  readonly httpVersion: string;
  readonly raw: RawFields;
}

/** A head that may go on. */
export interface Admitted {
  readonly target: string;
  readonly host: string;
  readonly httpVersion: '1.0' | '1.1';
  readonly fields: Fields;
  readonly hasBody: boolean;
}

/** RFC 9112 §3.2: printable ASCII. A fragment is no part of a target; the rest is the origin's to judge. */
const TARGET = /^[\x21\x22\x24-\x7e]+$/;
/** RFC 9110 §4.2.1, RFC 3986 §3.2.2 and §3.2.3: uri-host [ ":" port ], not empty, without userinfo. */
const HOST = /^(?:\[[0-9A-Fa-f:.]{2,45}\]|(?:[A-Za-z0-9\-._~!$&'()*+,;=]|%[0-9A-Fa-f]{2})+)(?::\d{0,5})?$/;
const ABSOLUTE = /^([A-Za-z][A-Za-z0-9+\-.]*):\/\/([^/?]*)(.*)$/;
const DIGITS = /^\d+$/;

/** Methods that the parser takes for RTSP and Icecast, protocols that it does not tell apart from HTTP afterwards. */
const FOREIGN_METHODS: ReadonlySet<string> = new Set([
  'ANNOUNCE',
  'DESCRIBE',
  'FLUSH',
  'GET_PARAMETER',
  'PAUSE',
  'PLAY',
  'RECORD',
  'REDIRECT',
  'SETUP',
  'SET_PARAMETER',
  'SOURCE',
  'TEARDOWN',
]);

/** Cost of a field line beside its name and value: a colon, a space and the line end. */
export const LINE_OVERHEAD_BYTES = 4;

const CONNECTION_SPECIFIC = { host: 4, expect: 6, contentLength: 14, transferEncoding: 17 } as const;

export class Intake {
  readonly #limits: IntakeLimits;
  /** The host of HTTP/1.0 requests that name none. */
  readonly #defaultHost: string;
  /** The last valid host, as written and in lower case: nearly all requests name the same one. */
  #lastHost = '';
  #lastHostKey = '';

  constructor(limits: IntakeLimits, defaultHost: string) {
    this.#limits = limits;
    this.#defaultHost = defaultHost.toLowerCase();
  }

  judge(head: RequestHead): Admitted | Refusal {
    const { method, target, raw, httpVersion } = head;
    if (httpVersion !== '1.1' && httpVersion !== '1.0') return REFUSALS.version;
    if (method === 'CONNECT' || FOREIGN_METHODS.has(method)) return REFUSALS.method;
    if (target.length > this.#limits.targetBytes) return REFUSALS.targetLength;
    if (!TARGET.test(target)) return REFUSALS.target;
    if (raw.length / 2 > this.#limits.fieldCount) return REFUSALS.fieldCount;
    let fieldsBytes = 0;
    let host: string | undefined;
    let hasBody = false;
    let framingFields = 0;
    for (let i = 0; i < raw.length; i += 2) {
      const name = raw[i] as string;
      const value = raw[i + 1] as string;
      fieldsBytes += name.length + value.length + LINE_OVERHEAD_BYTES;
      const length = name.length;
      if (length === CONNECTION_SPECIFIC.host && name.toLowerCase() === 'host') {
        if (host !== undefined) return REFUSALS.hostRepeated;
        host = value;
      } else if (length === CONNECTION_SPECIFIC.contentLength && name.toLowerCase() === 'content-length') {
        framingFields++;
        if (!isLength(value)) return REFUSALS.length;
        hasBody = Number(value) > 0;
      } else if (length === CONNECTION_SPECIFIC.transferEncoding && name.toLowerCase() === 'transfer-encoding') {
        framingFields++;
        const refused = judgeCoding(value, httpVersion);
        if (refused !== undefined) return refused;
        hasBody = true;
      } else if (length === CONNECTION_SPECIFIC.expect && name.toLowerCase() === 'expect') {
        // RFC 9110 §10.1.1: an expectation in an HTTP/1.0 request is ignored.
        if (httpVersion === '1.1' && value.toLowerCase() !== '100-continue') return REFUSALS.expectation;
      }
    }
    if (fieldsBytes > this.#limits.fieldsBytes) return REFUSALS.fieldsBytes;
    // RFC 9112 §6.3: two framing fields are two opinions on where the next request begins.
    if (framingFields > 1) return REFUSALS.framing;
    return this.#judgeTarget(head, httpVersion, host, hasBody);
  }

  #judgeTarget(
    head: RequestHead,
    httpVersion: '1.0' | '1.1',
    host: string | undefined,
    hasBody: boolean,
  ): Admitted | Refusal {
    const { target } = head;
    // RFC 9112 §3.2: 400 for an HTTP/1.1 request without Host, whatever its target says.
    if (host === undefined && httpVersion === '1.1') return REFUSALS.hostMissing;
    const hostKey = host === undefined ? this.#defaultHost : this.#readHost(host);
    if (hostKey === undefined) return REFUSALS.host;
    const fields = new Fields(head.raw);
    if (target.charCodeAt(0) === 0x2f /* slash */) return { target, host: hostKey, httpVersion, fields, hasBody };
    if (target === '*') {
      // RFC 9112 §3.2.4: asterisk-form is for OPTIONS alone.
      return head.method === 'OPTIONS' ? { target, host: hostKey, httpVersion, fields, hasBody } : REFUSALS.target;
    }
    const absolute = ABSOLUTE.exec(target);
    if (absolute === null) return REFUSALS.target;
    const [, scheme = '', authority = '', rest = ''] = absolute;
    // RFC 9110 §7.4: what claims to be https did not come over a secured connection, and nothing else is HTTP.
    if (scheme.toLowerCase() !== 'http') return REFUSALS.targetScheme;
    // RFC 9112 §3.2.2: the host of an absolute-form target counts, and Host goes on as that.
    const absoluteHost = this.#readHost(authority);
    if (absoluteHost === undefined) return REFUSALS.host;
    return {
      target: originForm(head.method, rest),
      host: absoluteHost,
      httpVersion,
      fields: withHost(fields, authority),
      hasBody,
    };
  }

  /** The host in lower case, or undefined where it is not valid. */
  #readHost(written: string): string | undefined {
    if (written === this.#lastHost && written !== '') return this.#lastHostKey;
    if (!HOST.test(written)) return undefined;
    this.#lastHost = written;
    this.#lastHostKey = written.toLowerCase();
    return this.#lastHostKey;
  }
}

/** A host in lower case, as keys are made with it; undefined where it is not valid. */
export function hostKeyOf(written: string): string | undefined {
  return HOST.test(written) ? written.toLowerCase() : undefined;
}

/** RFC 9112 §6.3: digits alone, and a number that can be counted to. */
function isLength(value: string): boolean {
  return DIGITS.test(value) && Number.isSafeInteger(Number(value));
}

function judgeCoding(value: string, httpVersion: '1.0' | '1.1'): Refusal | undefined {
  // RFC 9112 §6.1: who sends it in HTTP/1.0 may have been misread by somebody on the way.
  if (httpVersion === '1.0') return REFUSALS.codingInOldVersion;
  if (value === '') return REFUSALS.codingEmpty;
  return value.toLowerCase() === 'chunked' ? undefined : REFUSALS.coding;
}

function originForm(method: string, rest: string): string {
  // RFC 9112 §3.2.4: OPTIONS on a URI without path and query is about the server as a whole.
  if (rest === '') return method === 'OPTIONS' ? '*' : '/';
  return rest.startsWith('/') ? rest : `/${rest}`;
}

/** With the one Host line saying `host`, in its place. */
function withHost(fields: Fields, host: string): Fields {
  if (fields.first('host') === host) return fields;
  if (!fields.has('host')) return new Fields(['Host', host, ...fields.raw]);
  const raw: string[] = [];
  for (const [name, value] of fields) raw.push(name, name.toLowerCase() === 'host' ? host : value);
  return new Fields(raw);
}

/** Whether the verdict is a refusal. */
export function isRefused(verdict: Admitted | Refusal): verdict is Refusal {
  return 'sentence' in verdict;
}
