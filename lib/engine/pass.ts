/**
 * The pass lane as the engine sees it: fields in, fields out, and what the answer to an unsafe method invalidates
 * (RFC 9111 §4.4).
 */
import { OriginError } from '../base/errors.js';
import { type CacheStatusEntry, formatCacheStatus } from '../http/cache-status.js';
import { formatHttpDate } from '../http/dates.js';
import { Fields } from '../http/fields.js';
import { clientFields } from '../policy/client-fields.js';
import { receivedResponseFields, requestToOrigin } from '../policy/hygiene.js';
import { invalidatedKeys, isSafe } from '../policy/invalidate.js';
import { effectiveScheme, requestKey } from '../policy/key.js';
import type { ClientRequest, PassPlan, Reply, ReplyNote } from './contract.js';
import { viaOf } from './deliver.js';
import type { Engine } from './engine.js';
import { oneHopLess } from './last-hop.js';
import { synthReply } from './synth.js';

export function planPass(engine: Engine, request: ClientRequest, reason: string): PassPlan {
  const { parts } = engine;
  const { hygiene, rules } = parts.live;
  const rule = rules.ruleFor(request).name;
  const via = `1.1 ${hygiene.via}`;
  const fwd = request.method === 'GET' || request.method === 'HEAD' ? 'bypass' : 'method';
  const note: ReplyNote = { outcome: 'BYPASS', reason, rule, ageSec: undefined, collapsed: false };
  const addOwn = (fields: Fields, status: number, receivedVersion?: '1.0'): Fields => {
    const entry: CacheStatusEntry = { kind: 'fwd', fwd, fwdStatus: status, detail: reason };
    const raw = fields.raw.slice();
    if (!fields.has('date')) raw.push('Date', formatHttpDate(parts.clock.wall()));
    raw.push('Via', viaOf(receivedVersion, via), 'Cache-Status', formatCacheStatus(entry));
    return new Fields(raw);
  };
  const requestAt = parts.clock.now();
  return {
    requestFields: oneHopLess(request, requestToOrigin(request, hygiene)),
    respond(status, reasonPhrase, fields, receivedVersion) {
      const received = receivedResponseFields(fields);
      const { method, host, target } = request;
      const scheme = effectiveScheme(request);
      for (const key of invalidatedKeys({ method, status, scheme, host, target, fields: received })) {
        engine.purging.purgeKey(key, 'invalidated');
      }
      if (!isSafe(method) && status >= 200 && status < 400) engine.purging.purgeKey(requestKey(request), 'invalidated');
      const { clock } = parts;
      const receipt = {
        status,
        reasonPhrase,
        receivedVersion,
        fields: received,
        requestAt,
        responseAt: clock.now(),
        responseWall: clock.wall(),
        chance: parts.random(),
      };
      const told = clientFields(received, rules.ruleForResponse(request, status, received), 0, false);
      return { fields: addOwn(told, status, receivedVersion), note, tap: engine.capture(request, receipt) };
    },
    upgraded: (fields) => ({ fields: addOwn(fields, 101), note }),
    failed: (error) => failedReply(engine, request, rule, error, via),
  };
}

function failedReply(engine: Engine, request: ClientRequest, rule: string, error: unknown, via: string): Reply {
  const known = error instanceof OriginError ? error : undefined;
  const spec = {
    status: known?.status ?? 502,
    reason: known?.code ?? 'origin-reset',
    sentence: known?.sentence ?? 'The origin gave no answer.',
    rule,
    retryAfterSec: known?.retryAfterSec,
  } as const;
  return { ...synthReply(request, spec, engine.parts.clock.wall(), via), close: true };
}
