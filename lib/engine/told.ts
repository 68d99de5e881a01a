/** The reply that is made from a stored response, as its rule has clients see it. */
import type { Rule } from '../config/rule.js';
import type { Life, StoredResponse } from '../object/stored.js';
import type { Outcome } from '../observe/events.js';
import { ageSecAt } from '../policy/age.js';
import { clientFields, leavesResponses } from '../policy/client-fields.js';
import type { CollapseTable } from './collapse.js';
import type { ClientRequest, Reply } from './contract.js';
import { type Delivery, deliver } from './deliver.js';
import type { EngineParts, EngineSettings } from './parts.js';
import type { Refreshes } from './refreshes.js';

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

/** What a delivery tells of a stored response. */
type Lived = Pick<StoredResponse, 'life' | 'rule'>;

/** How a stored response goes out that may be used without asking anybody. */
export function hitDelivery(stored: Lived, phase: 'fresh' | 'grace', reason: string, now: number): Delivery {
  return delivered(stored, phase === 'fresh' ? 'HIT' : 'STALE', reason, now);
}

/** What is asked before a stale response goes out. */
export interface GraceSource {
  readonly parts: Pick<EngineParts, 'failures'>;
  readonly collapse: Pick<CollapseTable, 'isRefreshing'>;
  readonly refreshes: Pick<Refreshes, 'isAwaited'>;
}

/** How a response in grace goes out, and whether it is for this request to have it freshened (RFC 5861 §3). */
export function gracedDelivery(
  { parts, collapse, refreshes }: GraceSource,
  stored: StoredResponse,
  request: ClientRequest,
  now: number,
  reason: string,
): { readonly delivery: Delivery; readonly wantsRefresh: boolean } {
  const isRefreshing = collapse.isRefreshing(stored, request.fields) || refreshes.isAwaited(stored);
  const isHeldBack = !isRefreshing && parts.failures.pending(stored.key) !== undefined;
  const delivery = isHeldBack
    ? delivered(stored, 'STALE', 'stale-origin-backoff', now)
    : delivered(stored, 'UPDATING', reason, now);
  return { delivery, wantsRefresh: !isRefreshing && !isHeldBack };
}

function delivered(stored: Lived, outcome: Outcome, detail: string, now: number): Delivery {
  const status = { kind: 'hit', ttlSec: ttlSecAt(stored.life, now), detail } as const;
  return { outcome, status, rule: stored.rule, collapsed: false, fromStore: true };
}

export function ttlSecAt({ staleAt }: Life, now: number): number {
  return Math.floor((staleAt - now) / 1000);
}
