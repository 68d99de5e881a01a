/** The answer of an origin as its head came: when that was, how much is to follow, and which rule it is under. */
import { RETRY_AFTER_MAX_MS } from '../base/limits.js';
import type { Rule } from '../config/rule.js';
import { parseHttpDate } from '../http/dates.js';
import type { Fields } from '../http/fields.js';
import type { OriginResponseHead } from '../origin/contract.js';
import { receivedResponseFields } from '../policy/hygiene.js';
import type { FillSpec } from './fill-contract.js';

/** A response head as it came, with the instants that its age is computed from. */
export interface Receipt {
  readonly status: number;
  readonly reasonPhrase: string;
  readonly receivedVersion?: '1.0' | undefined;
  /** End-to-end fields. */
  readonly fields: Fields;
  readonly requestAt: number;
  readonly responseAt: number;
  readonly responseWall: number;
  /** From 0 to below 1: which part of a rule's jitter is taken. */
  readonly chance: number;
}

/** A head that came at `responseAt`, to a request that was sent at `requestAt`. */
export function receiptOf(
  head: OriginResponseHead,
  requestAt: number,
  responseAt: number,
  responseWall: number,
  chance: number,
): Receipt {
  return {
    status: head.status,
    reasonPhrase: head.reasonPhrase,
    receivedVersion: head.receivedVersion,
    fields: receivedResponseFields(head.fields),
    requestAt,
    responseAt,
    responseWall,
    chance,
  };
}

/** Any number of so many digits is exact. */
const MAX_LENGTH_DIGITS = 15;
const ZERO_CODE = 0x30;

/** Content-Length as the origin client already checked it. */
export function contentLength(fields: Fields): number | undefined {
  const text = fields.first('content-length');
  if (text === undefined || text.length === 0 || text.length > MAX_LENGTH_DIGITS) return undefined;
  const { length } = text;
  let bytes = 0;
  for (let i = 0; i < length; i++) {
    const digit = text.charCodeAt(i) - ZERO_CODE;
    if (!(digit >= 0 && digit <= 9)) return undefined;
    bytes = bytes * 10 + digit;
  }
  return bytes;
}

/** Length of the body that is to come. That of an answer to HEAD would be that of another (RFC 9110 §8.6). */
export function bodyLength(method: 'GET' | 'HEAD', { status, fields }: Receipt): number | undefined {
  if (method === 'HEAD') return undefined;
  return status === 204 || status === 304 ? 0 : contentLength(fields);
}
export function retryAfterSec(receipt: Receipt): number | undefined {
  const ms = retryAfterMs(receipt);
  return ms === undefined ? undefined : ms / 1000;
}

/** Retry-After in milliseconds from now, bounded (RFC 9110 §10.2.3). */
export function retryAfterMs(receipt: Receipt): number | undefined {
  const text = receipt.fields.first('retry-after')?.trim();
  if (text === undefined) return undefined;
  const at = parseHttpDate(text, receipt.responseWall);
  const ms = /^\d{1,9}$/.test(text) ? Number(text) * 1000 : at === undefined ? undefined : at - receipt.responseWall;
  return ms === undefined ? undefined : Math.min(Math.max(0, ms), RETRY_AFTER_MAX_MS);
}

/** The rule for an answer with this status and these fields to the request that `spec` is about. */
export function ruleOf(
  spec: Pick<FillSpec, 'request' | 'rules'>,
  { status, fields }: Pick<Receipt, 'status' | 'fields'>,
): Rule {
  return spec.rules.ruleForResponse(spec.request, status, fields);
}
