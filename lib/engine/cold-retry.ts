/**
 * The request by which a key is asked for again in the background after its first fetch failed (SYSTEMS row 3): one that
 * anybody might send, whose answer may be shared.
 */
import type { Rules } from '../config/rules.js';
import { requestKey } from '../policy/key.js';
import { reasonToPass } from '../policy/pass.js';
import type { ClientRequest } from './contract.js';
import type { Fill } from './fill.js';
import type { FillEnd } from './fill-contract.js';
import { shaped, withFields } from './requests.js';

/** Whether a fill has failed at what nobody has: worth another try, since the next visitor will want it too. */
export function isColdFailure({ spec, fate }: Fill, end: FillEnd): boolean {
  if (end !== 'failed' && end !== 'error') return false;
  const isPlain = spec.request.method === 'GET' && spec.askedFor === 'fill' && spec.basis === undefined;
  return isPlain && spec.collapseKey === spec.key && !fate.wasSuperseded;
}

/**
 * What is asked in the place of `request`: without its wishes, and without its credentials and cookies unless the rule
 * shares the answers to them. Undefined where that is another rule's, goes past the cache, or has another key.
 */
export function anybodysRequest(request: ClientRequest, key: string, rules: Rules): ClientRequest | undefined {
  const received = request.received ?? request;
  const own = rules.ruleFor(received);
  const fields = received.fields.filter((name) => {
    if (name === 'authorization') return own.shareAuthorized;
    if (name === 'cookie') return own.shareWithCookie;
    return name !== 'cache-control' && name !== 'pragma';
  });
  const plain = fields === received.fields ? received : withFields(received, fields);
  const rule = rules.ruleFor(plain);
  const asked = shaped(plain, rule);
  if (rule !== own || rule.push !== 'off' || reasonToPass(asked, rule) !== undefined) return undefined;
  return requestKey(asked, rule) === key ? asked : undefined;
}
