/** The reply that is made from a stored response, as its rule has clients see it. */
import type { Rule } from '../config/rule.js';
import type { Life, StoredResponse } from '../object/stored.js';
import { ageSecAt } from '../policy/age.js';
import { clientFields, leavesResponses } from '../policy/client-fields.js';
import type { ClientRequest, Reply } from './contract.js';
import { type Delivery, deliver } from './deliver.js';
import type { EngineSettings } from './parts.js';

/** The reply to one request. `via`: our member of Via. */
export function toldReply(
  { rules }: EngineSettings,
  request: ClientRequest,
  stored: StoredResponse,
  delivery: Delivery,
  now: number,
  via: string,
): Reply {
  const rule = rules.ruleForResponse(request, stored.status, stored.fields);
  const told = leavesResponses(rule) ? stored : toldTo(stored, rule, delivery, now);
  return deliver(told, request, now, delivery, via);
}

/** The response as its rule has clients see it. */
function toldTo(stored: StoredResponse, rule: Rule, { status, fromStore }: Delivery, now: number): StoredResponse {
  const isShared = fromStore || status.kind === 'hit' || (status.kind === 'fwd' && status.stored === true);
  const { madeTag } = stored;
  const hasMadeTag = rule.etag === 'make' && madeTag !== undefined && stored.status === 200;
  const fields = hasMadeTag ? stored.fields.set('ETag', madeTag) : stored.fields;
  return { ...stored, fields: clientFields(fields, rule, ageSecAt(stored.life, now), isShared) };
}

/** How a stored response goes out that may be used without asking anybody. */
export function hitDelivery(
  { life, rule }: Pick<StoredResponse, 'life' | 'rule'>,
  phase: 'fresh' | 'grace',
  reason: string,
  now: number,
): Delivery {
  return {
    outcome: phase === 'fresh' ? 'HIT' : 'STALE',
    status: { kind: 'hit', ttlSec: ttlSecAt(life, now), detail: reason },
    rule,
    collapsed: false,
    fromStore: true,
  };
}

export function ttlSecAt({ staleAt }: Life, now: number): number {
  return Math.floor((staleAt - now) / 1000);
}
