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

/**
 * RFC 9110 §15.3.3: the origin is at work, and nobody has to wait for it. Location is where the content will be, which
 * is where it was asked for.
 */
export function acceptedReply(request: ClientRequest, rule: string, wall: number, via: string): Reply {
  const status = formatCacheStatus({ kind: 'fwd', fwd: 'uri-miss', collapsed: true, detail: 'cold-accepted' });
  const body = Buffer.from('The origin is at work on this. Ask again in a moment.\n');
  return {
    status: 202,
    reasonPhrase: 'Accepted',
    fields: Fields.of({
      Date: formatHttpDate(wall),
      'Content-Type': 'text/plain; charset=utf-8',
      'Cache-Control': 'no-store',
      Location: request.target,
      'Retry-After': String(COLD_RETRY_SEC),
      Via: via,
      'Cache-Status': status,
    }),
    payload: { kind: 'bytes', chunks: [body], length: body.length },
    note: { outcome: 'MISS', reason: 'cold-accepted', rule, ageSec: undefined, collapsed: true },
  };
}
