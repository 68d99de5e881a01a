/**
 * Requests that say how far they may go (RFC 9110 §7.6.2): one less at each hop, and answered here where that is none.
 * TRACE and OPTIONS alone; for other methods Max-Forwards means nothing, and goes on as it came.
 */
import { formatCacheStatus } from '../http/cache-status.js';
import { formatHttpDate } from '../http/dates.js';
import { Fields } from '../http/fields.js';
import type { ClientRequest, Reply } from './contract.js';

const COUNTED: ReadonlySet<string> = new Set(['OPTIONS', 'TRACE']);
/** RFC 9110 §9.3.8: what a TRACE must not give away to a script that sent it. */
const SECRETS: ReadonlySet<string> = new Set(['authorization', 'cookie', 'proxy-authorization']);

/** How many times the request may still be forwarded; undefined where it does not say. */
export function hopsLeft({ method, fields }: Pick<ClientRequest, 'method' | 'fields'>): number | undefined {
  if (!COUNTED.has(method)) return undefined;
  const value = fields.get('max-forwards');
  return value !== undefined && /^\d{1,15}$/.test(value) ? Number(value) : undefined;
}

/** The fields of a request that is forwarded, with what is left of its hops. */
export function oneHopLess(request: Pick<ClientRequest, 'method' | 'fields'>, fields: Fields): Fields {
  const left = hopsLeft(request);
  return left === undefined ? fields : fields.set('Max-Forwards', String(left - 1));
}

/** The answer of the last hop: to TRACE what came (RFC 9110 §9.3.8), to OPTIONS nothing in particular (§9.3.7). */
export function lastHopReply(request: ClientRequest, wall: number, via: string): Reply {
  const body = request.method === 'TRACE' ? Buffer.from(received(request), 'latin1') : Buffer.alloc(0);
  const status = formatCacheStatus({ kind: 'none', detail: 'max-forwards' });
  const raw = ['Date', formatHttpDate(wall), 'Cache-Control', 'no-store', 'Via', via, 'Cache-Status', status];
  if (body.length > 0) raw.push('Content-Type', 'message/http');
  return {
    status: 200,
    reasonPhrase: 'OK',
    fields: new Fields(raw),
    payload: { kind: 'bytes', chunks: [body], length: body.length },
    note: { outcome: 'BYPASS', reason: 'max-forwards', rule: '', ageSec: undefined, collapsed: false },
  };
}

function received({ method, target, httpVersion, fields }: ClientRequest): string {
  let text = `${method} ${target} HTTP/${httpVersion}\r\n`;
  for (const [name, value] of fields) if (!SECRETS.has(name.toLowerCase())) text += `${name}: ${value}\r\n`;
  return `${text}\r\n`;
}
