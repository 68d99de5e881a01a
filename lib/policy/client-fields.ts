/**
 * What a client is told of a response, apart from what is stored of it: its own lifetime, fields taken out, and those
 * that an operator sets. Implements RFC 9111 §5.2 and RFC 8246 as far as an origin would.
 */
import { SECOND_MS } from '../base/units.js';
import type { Rule } from '../config/rule.js';
import { Fields } from '../http/fields.js';
import { editedFields } from './shape-request.js';

/** Whether the rule leaves the fields of responses as they are. */
export function leavesResponses({ client, response, etag }: Rule): boolean {
  return (
    etag === 'origin' &&
    client.cacheControl === undefined &&
    client.ttlMs === undefined &&
    !client.immutable &&
    client.remove.length === 0 &&
    response.remove.length + response.set.length + response.append.length === 0
  );
}

/**
 * The fields for the client. `isShared`: the response is one that everybody gets. Only of such a one is the lifetime
 * changed: a private response must not become public on its way.
 */
export function clientFields(fields: Fields, rule: Rule, ageSec: number, isShared: boolean): Fields {
  const { client, response } = rule;
  let told = client.remove.length === 0 ? fields : fields.filter((name) => !client.remove.includes(name));
  if (isShared) told = withLifetime(told, rule, ageSec);
  return editedFields(told, response);
}

function withLifetime(fields: Fields, { client }: Rule, ageSec: number): Fields {
  if (client.cacheControl !== undefined) return withControl(fields, client.cacheControl);
  const { ttlMs, immutable } = client;
  if (ttlMs !== undefined) {
    // Age is told truthfully and counts against max-age, so it is added to what the client has from now on.
    const maxAge = `max-age=${Math.ceil(ttlMs / SECOND_MS) + ageSec}`;
    return withControl(fields, `public, ${maxAge}${immutable ? ', immutable' : ''}`);
  }
  if (!immutable) return fields;
  const control = fields.get('cache-control');
  return fields.set('Cache-Control', control === undefined ? 'immutable' : `${control}, immutable`);
}

/** Cache-Control alone: an Expires beside it would speak for older caches, and Pragma for the oldest. */
function withControl(fields: Fields, control: string): Fields {
  const others = fields.filter((name) => name !== 'cache-control' && name !== 'expires' && name !== 'pragma');
  return new Fields([...others.raw, 'Cache-Control', control]);
}
