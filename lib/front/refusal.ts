/**
 * What the front refuses by itself, before the engine has seen it: status, reason code and one sentence for each case.
 * Implements RFC 9110 §15.5, §15.6 and RFC 9211 §2.8 (detail).
 */
import type { ServerResponse } from 'node:http';
import type { Payload } from '../engine/contract.js';
import { formatCacheStatus } from '../http/cache-status.js';
import { formatHttpDate } from '../http/dates.js';

export type RefusalStatus = 400 | 408 | 413 | 414 | 417 | 431 | 500 | 501 | 503;

export interface Refusal {
  readonly status: RefusalStatus;
  /** Reason code: the detail of Cache-Status. */
  readonly reason: string;
  /** The body of the reply. */
  readonly sentence: string;
}

function refusal(status: RefusalStatus, reason: string, sentence: string): Refusal {
  return { status, reason, sentence };
}

export const REFUSALS = {
  malformed: refusal(400, 'malformed-request', 'The request is not well-formed HTTP/1.1.'),
  // RFC 9110 §15.6.6 has 505 for it; what sends such a line to this port is seldom a client of HTTP at all.
  version: refusal(400, 'malformed-request', 'The protocol version is neither HTTP/1.1 nor HTTP/1.0.'),
  target: refusal(400, 'target-invalid', 'The request target is not valid.'),
  targetScheme: refusal(400, 'target-invalid', 'The request target names a scheme that is not served here.'),
  hostMissing: refusal(400, 'host-invalid', 'The request has no Host field.'),
  hostRepeated: refusal(400, 'host-invalid', 'The request has more than one Host field.'),
  host: refusal(400, 'host-invalid', 'The host of the request is not valid.'),
  length: refusal(400, 'framing-invalid', 'The Content-Length of the request is not valid.'),
  framing: refusal(400, 'framing-invalid', 'The request has both a Content-Length and a Transfer-Encoding.'),
  codingInOldVersion: refusal(400, 'framing-invalid', 'An HTTP/1.0 request cannot have a Transfer-Encoding.'),
  codingEmpty: refusal(400, 'malformed-request', 'The Transfer-Encoding of the request is empty.'),
  coding: refusal(501, 'not-implemented', 'The request uses a transfer coding that is not supported.'),
  method: refusal(501, 'not-implemented', 'The method of the request is not supported.'),
  upgradeWithBody: refusal(501, 'not-implemented', 'A request with a body cannot switch protocols here.'),
  upgradeInPipeline: refusal(501, 'not-implemented', 'A pipelined request cannot switch protocols here.'),
  cutOff: refusal(400, 'request-cut-off', 'The request ended before it was complete.'),
  headTimeout: refusal(408, 'request-timeout', 'The head of the request did not arrive in time.'),
  bodyTimeout: refusal(408, 'request-timeout', 'The body of the request stopped arriving.'),
  extensions: refusal(413, 'extensions-too-large', 'The chunk extensions of the request are too large.'),
  targetLength: refusal(414, 'url-too-long', 'The request target is too long.'),
  expectation: refusal(417, 'expectation-failed', 'The Expect field names something other than 100-continue.'),
  fieldsBytes: refusal(431, 'fields-too-large', 'The header fields of the request are too large.'),
  fieldCount: refusal(431, 'too-many-fields', 'The request has too many header fields.'),
  internal: refusal(500, 'internal', 'The proxy failed on this request.'),
  pipelined: refusal(503, 'too-many-requests-in-line', 'Too many requests of this connection are in work.'),
  connections: refusal(503, 'too-many-connections', 'Too many clients are connected.'),
} as const satisfies Readonly<Record<string, Refusal>>;

const PHRASES: Readonly<Record<RefusalStatus, string>> = {
  400: 'Bad Request',
  408: 'Request Timeout',
  413: 'Content Too Large',
  414: 'URI Too Long',
  417: 'Expectation Failed',
  431: 'Request Header Fields Too Large',
  500: 'Internal Server Error',
  501: 'Not Implemented',
  503: 'Service Unavailable',
};

/** What a refusal is written with. */
export interface RefusalStyle {
  /** Name of the debug header, where one is configured. */
  readonly debugHeader: string | undefined;
  /** Our member of Via. */
  readonly via: string | undefined;
}

interface RefusalReply {
  readonly reasonPhrase: string;
  /** All fields, framing included. */
  readonly raw: string[];
  readonly body: Buffer;
}

function refusalReply(refused: Refusal, wall: number, style: RefusalStyle, isLast: boolean): RefusalReply {
  const body = Buffer.from(`${refused.sentence}\n`);
  const raw = ['Date', formatHttpDate(wall), 'Content-Type', 'text/plain; charset=utf-8', 'Cache-Control', 'no-store'];
  // RFC 9110 §10.2.3: the crowd may be gone in a moment.
  if (refused.status === 503) raw.push('Retry-After', '1');
  if (style.via !== undefined) raw.push('Via', style.via);
  raw.push('Cache-Status', formatCacheStatus({ kind: 'none', detail: refused.reason }));
  if (style.debugHeader !== undefined) raw.push(style.debugHeader, 'ERROR');
  raw.push('Content-Length', String(body.length));
  if (isLast) raw.push('Connection', 'close');
  return { reasonPhrase: PHRASES[refused.status], raw, body };
}

/** Puts the head into `res`. Returns the payload that is to follow. `isLast`: the connection ends behind it. */
export function writeRefusalHead(
  res: ServerResponse,
  refused: Refusal,
  wall: number,
  style: RefusalStyle,
  isLast: boolean,
): Payload {
  const { reasonPhrase, raw, body } = refusalReply(refused, wall, style, isLast);
  res.sendDate = false;
  res.writeHead(refused.status, reasonPhrase, raw);
  return { kind: 'bytes', chunks: [body], length: body.length };
}

/** The same as bytes. `method`: empty where the request could not be read. */
export function refusalBytes(
  refused: Refusal,
  wall: number,
  style: RefusalStyle,
  method: string,
  isLast = true,
): Buffer {
  const { reasonPhrase, raw, body } = refusalReply(refused, wall, style, isLast);
  let head = `HTTP/1.1 ${refused.status} ${reasonPhrase}\r\n`;
  for (let i = 0; i < raw.length; i += 2) head += `${raw[i]}: ${raw[i + 1]}\r\n`;
  const bytes = Buffer.from(`${head}\r\n`, 'latin1');
  // RFC 9110 §9.3.2: a HEAD gets no content, not even with an error.
  return method === 'HEAD' ? bytes : Buffer.concat([bytes, body]);
}
