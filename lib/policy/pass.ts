/** Which requests go past the cache. Implements RFC 9111 §4 and RFC 9110 §9.2.3 as far as the request alone decides. */
import type { Rule } from '../config/rule.js';
import type { Fields } from '../http/fields.js';
import { hasConditions } from './content-key.js';
import { isExactQuery } from './query-key.js';

export interface PassableRequest {
  readonly method: string;
  readonly target: string;
  readonly fields: Fields;
  readonly hasBody: boolean;
  readonly isUpgrade: boolean;
}

/** The reason code, or undefined where the cache may answer it. */
export function reasonToPass(request: PassableRequest, rule: Rule): string | undefined {
  if (request.isUpgrade) return 'upgrade';
  if (!isCachedMethod(request.method, rule)) return 'method';
  if (request.method === 'POST') {
    if (hasConditions(request.fields)) return 'conditional-post';
    // A push is for the GETs of its URL.
    if (rule.push !== 'off') return 'method';
  } else if (request.hasBody) return 'request-body';
  if (rule.pass) return 'rule-pass';
  const { query } = rule;
  return query.kind === 'exact' && !isExactQuery(request.target, query.names) ? 'query-not-exact' : undefined;
}

function isCachedMethod(method: string, { methods }: Rule): boolean {
  return methods.some((own) => own === method || (own === 'GET' && method === 'HEAD'));
}
