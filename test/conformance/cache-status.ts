/**
 * Every answer of a run explains itself: its Cache-Status is a list that RFC 9211 allows, and our own member, which
 * is the last one, says how the request was answered.
 */
import { CACHE_NAME } from '../../lib/http/cache-status.js';
import { type CacheStatusMember, parseCacheStatus } from '../../lib/http/structured.js';
import type { Exchange } from './client.js';

const FORWARD_REASONS = ['bypass', 'method', 'uri-miss', 'vary-miss', 'miss', 'request', 'stale', 'partial'];

function memberFault({ cache, parameters }: CacheStatusMember): string | undefined {
  if (cache !== CACHE_NAME) return `the last member is ${cache}, not ${CACHE_NAME}`;
  const hit = parameters.get('hit');
  const fwd = parameters.get('fwd');
  // RFC 9211 §2.1, §2.2: a request that was answered from the store was not forwarded.
  if (hit !== undefined && fwd !== undefined) return 'hit and fwd together';
  if (hit !== undefined && hit !== true) return `hit is ${hit}`;
  if (fwd !== undefined && !FORWARD_REASONS.includes(String(fwd))) return `fwd=${fwd} is no reason of RFC 9211 §2.2`;
  for (const name of ['ttl', 'fwd-status']) {
    const value = parameters.get(name);
    if (value !== undefined && !Number.isInteger(value)) return `${name}=${value} is no integer`;
  }
  for (const name of ['fwd-status', 'stored', 'collapsed'])
    if (parameters.has(name) && fwd === undefined) return `${name} without fwd`;
  return typeof parameters.get('detail') === 'string' ? undefined : 'no detail';
}

/** What is wrong with the Cache-Status of a reply that has these fields; undefined where nothing is. */
export function cacheStatusFault(fields: readonly (readonly [string, string])[]): string | undefined {
  const lines = fields.filter(([name]) => name.toLowerCase() === 'cache-status').map(([, value]) => value);
  if (lines.length === 0) return 'no Cache-Status';
  const members = parseCacheStatus(lines);
  const own = members?.at(-1);
  if (members === undefined || own === undefined) return `not a list of cache names: ${lines.join(', ')}`;
  const fault = memberFault(own);
  return fault === undefined ? undefined : `${fault}: ${lines.join(', ')}`;
}

export interface CacheStatusReport {
  readonly answerCount: number;
  readonly faults: readonly string[];
}

/** Looks at every answer of a run. */
export function checkCacheStatus(stories: Readonly<Record<string, readonly Exchange[]>>): CacheStatusReport {
  const faults: string[] = [];
  let answerCount = 0;
  for (const [id, story] of Object.entries(stories)) {
    for (const exchange of story) {
      if (exchange.responseFields === undefined) continue;
      answerCount += 1;
      const fault = cacheStatusFault(exchange.responseFields);
      if (fault !== undefined) faults.push(`${id}: ${exchange.method} ${new URL(exchange.url).pathname}: ${fault}`);
    }
  }
  return { answerCount, faults };
}
