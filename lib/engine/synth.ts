/** Replies that are made here: errors of the origin's side and answers that need no origin. */
import { formatCacheStatus } from '../http/cache-status.js';
import { formatHttpDate } from '../http/dates.js';
import { Fields } from '../http/fields.js';
import type { ClientRequest, Reply } from './contract.js';

export interface SynthSpec {
  readonly status: 404 | 502 | 503 | 504 | 508 | 500;
  /** Reason code: the detail of Cache-Status. */
  readonly reason: string;
  readonly sentence: string;
  readonly rule: string;
  readonly retryAfterSec?: number | undefined;
  readonly collapsed?: boolean;
}

export type SynthError = Omit<SynthSpec, 'rule'>;

export const TOO_MANY_WAITERS: SynthError = {
  status: 503,
  reason: 'too-many-waiters',
  sentence: 'Too many requests already wait for this resource.',
  retryAfterSec: 1,
};

export const WAITED_TOO_LONG: SynthError = {
  status: 504,
  reason: 'waited-too-long',
  sentence: 'The origin did not answer in the time that a request may wait.',
};

/** What those get who waited on a request to which the origin answered with an error. */
export function sharedError(status: number, retryAfterSec: number | undefined): SynthError {
  return {
    status: status === 503 || status === 504 ? status : 502,
    reason: 'origin-error-shared',
    sentence: `The origin answered ${status} to the request that this one waited on.`,
    retryAfterSec,
  };
}

const PHRASES: Readonly<Record<SynthSpec['status'], string>> = {
  404: 'Not Found',
  500: 'Internal Server Error',
  502: 'Bad Gateway',
  503: 'Service Unavailable',
  504: 'Gateway Timeout',
  508: 'Loop Detected',
};

export function synthReply(request: ClientRequest, spec: SynthSpec, wall: number, via: string): Reply {
  const raw = ['Date', formatHttpDate(wall), 'Content-Type', 'text/plain; charset=utf-8', 'Cache-Control', 'no-store'];
  if (spec.retryAfterSec !== undefined) raw.push('Retry-After', String(Math.max(1, Math.ceil(spec.retryAfterSec))));
  raw.push('Via', via, 'Cache-Status', formatCacheStatus({ kind: 'none', detail: spec.reason }));
  const body = Buffer.from(`${spec.sentence}\n`);
  return {
    status: spec.status,
    reasonPhrase: PHRASES[spec.status],
    fields: new Fields(raw),
    payload: request.method === 'HEAD' ? { kind: 'none' } : { kind: 'bytes', chunks: [body], length: body.length },
    note: {
      outcome: 'ERROR',
      reason: spec.reason,
      rule: spec.rule,
      ageSec: undefined,
      collapsed: spec.collapsed ?? false,
    },
  };
}

/** Seconds after which a client that got 202 is told to come back. */
const COLD_RETRY_SEC = 1;

/** RFC 9110 §15.3.3: the origin is at work, and nobody has to wait for it. Location is where its progress is told. */
export function acceptedReply(
  request: ClientRequest,
  location: string,
  rule: string,
  wall: number,
  via: string,
): Reply {
  const status = formatCacheStatus({ kind: 'fwd', fwd: 'uri-miss', collapsed: true, detail: 'cold-accepted' });
  const sentence =
    'The origin is at work on this. Ask at the Location in a moment: it leads to the content once that is there.';
  const retry = { Location: location, 'Retry-After': String(COLD_RETRY_SEC) };
  const note = { outcome: 'MISS', reason: 'cold-accepted', rule, ageSec: undefined, collapsed: true } as const;
  return plainReply(request, 202, 'Accepted', sentence, { ...retry, Via: via, 'Cache-Status': status }, wall, note);
}

/** RFC 9110 §15.4.4: the work is done, and this is where its result is. */
export function seeOtherReply(request: ClientRequest, location: string, wall: number, via: string): Reply {
  const status = formatCacheStatus({ kind: 'none', detail: 'cold-ready' });
  const note = { outcome: 'MISS', reason: 'cold-ready', rule: '', ageSec: undefined, collapsed: false } as const;
  const fields = { Location: location, Via: via, 'Cache-Status': status };
  return plainReply(request, 303, 'See Other', 'The content is at the Location.', fields, wall, note);
}

function plainReply(
  request: ClientRequest,
  status: number,
  reasonPhrase: string,
  sentence: string,
  fields: Readonly<Record<string, string>>,
  wall: number,
  note: Reply['note'],
): Reply {
  const body = Buffer.from(`${sentence}\n`);
  const own = { Date: formatHttpDate(wall), 'Content-Type': 'text/plain; charset=utf-8', 'Cache-Control': 'no-store' };
  return {
    status,
    reasonPhrase,
    fields: Fields.of({ ...own, ...fields }),
    payload: request.method === 'HEAD' ? { kind: 'none' } : { kind: 'bytes', chunks: [body], length: body.length },
    note,
  };
}
