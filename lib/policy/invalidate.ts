/**
 * What a change through the proxy makes invalid: the target of an unsafe request, and what its answer points to.
 * Implements RFC 9111 §4.4.
 */
import type { Fields } from '../http/fields.js';
import { originOf, primaryKey, type RequestTarget, splitUrl } from './key.js';

export interface ChangeExchange extends RequestTarget {
  readonly method: string;
  /** Of the final response. */
  readonly status: number;
  /** Of the response. */
  readonly fields: Fields;
}

/** Methods registered as safe (RFC 9110 §9.2.1, §16.1.1). Every other one, known or not, may have changed something. */
const SAFE_METHODS: ReadonlySet<string> = new Set([
  'GET',
  'HEAD',
  'OPTIONS',
  'TRACE',
  'PROPFIND',
  'QUERY',
  'REPORT',
  'SEARCH',
]);

const NOTHING: readonly string[] = [];

/** Whether the method promises to change nothing (RFC 9110 §9.2.1). Methods are told apart by case. */
export function isSafe(method: string): boolean {
  return SAFE_METHODS.has(method);
}

/** The keys whose stored responses must go after this exchange; the target's own first. */
export function invalidatedKeys(exchange: ChangeExchange): readonly string[] {
  if (isSafe(exchange.method)) return NOTHING;
  // RFC 9111 §4.4: a non-error answer, 2xx or 3xx, invalidates; an error has changed nothing that we may assume.
  if (exchange.status < 200 || exchange.status > 399) return NOTHING;
  const keys = [primaryKey(exchange)];
  for (const name of ['location', 'content-location']) {
    const reference = exchange.fields.first(name);
    const key = reference === undefined ? undefined : resolveKey(reference, exchange);
    if (key !== undefined && !keys.includes(key)) keys.push(key);
  }
  return keys;
}

const SCHEME = /^[a-z][a-z0-9+.-]*:/i;

/**
 * The key of a URI reference as seen from `base` (RFC 3986 §5.2), undefined where it leads to another origin: no
 * origin may invalidate what is another's (RFC 9111 §4.4). Bytes are kept, as in every key.
 */
function resolveKey(reference: string, base: RequestTarget): string | undefined {
  const hash = reference.indexOf('#');
  const bare = (hash < 0 ? reference : reference.slice(0, hash)).trim();
  const absolute = SCHEME.test(bare) ? bare : bare.startsWith('//') ? `${base.scheme}:${bare}` : undefined;
  if (absolute === undefined) return primaryKey({ ...base, target: resolveTarget(bare, base.target) });
  const parts = splitUrl(absolute);
  if (parts === undefined || originOf(parts.scheme, parts.host) !== originOf(base.scheme, base.host)) return undefined;
  return primaryKey({ ...parts, target: resolveTarget(parts.target === '' ? '/' : parts.target, '/') });
}

function resolveTarget(reference: string, base: string): string {
  const [basePath = '', baseQuery] = splitQuery(base);
  const [path = '', query] = splitQuery(reference);
  if (path === '') return joinQuery(basePath, query ?? baseQuery);
  const merged = path.startsWith('/') ? path : basePath.slice(0, basePath.lastIndexOf('/') + 1) + path;
  return joinQuery(removeDotSegments(merged), query);
}

function splitQuery(target: string): [path: string, query: string | undefined] {
  const at = target.indexOf('?');
  return at < 0 ? [target, undefined] : [target.slice(0, at), target.slice(at + 1)];
}

function joinQuery(path: string, query: string | undefined): string {
  return query === undefined ? path : `${path}?${query}`;
}

/** RFC 3986 §5.2.4: a client that follows the reference removes them before it asks. */
function removeDotSegments(path: string): string {
  const segments = path.split('/');
  const kept: string[] = [];
  for (const [i, segment] of segments.entries()) {
    const isLast = i === segments.length - 1;
    if (segment === '..') {
      if (kept.length > 1) kept.pop();
      if (isLast) kept.push('');
    } else if (segment === '.') {
      if (isLast) kept.push('');
    } else {
      kept.push(segment);
    }
  }
  return kept.join('/');
}
