/**
 * Stores the answer to a POST that says it is the representation of its target: a later GET may be answered with it.
 * Implements RFC 9110 §9.3.3 and RFC 9111 §4: explicit freshness, and Content-Location equal to the target.
 */
import { expiredResponse } from '../policy/expire.js';
import { effectiveScheme, keyOfUrl } from '../policy/key.js';
import { judgeStorable } from '../policy/storable.js';
import { tagsOf } from '../policy/tags.js';
import { isNewest } from './bookkeeping.js';
import type { BodyTap, ClientRequest } from './contract.js';
import { Fate } from './fate.js';
import { Inflow } from './inflow.js';
import type { EngineParts } from './parts.js';
import { contentLength, type Receipt } from './receipt.js';
import { madeResponse } from './response.js';

/** A capture in progress, so that a purge can win over it. */
export interface Capture extends BodyTap {
  readonly key: string;
  readonly requestedAt: number;
  /** What came meanwhile makes of it what it would make of a fill. */
  readonly fate: Fate;
  readonly tags: readonly string[] | undefined;
  supersede(): void;
}

const NO_SOURCE = { pause() {}, resume() {}, abandoned() {} };

/** Undefined where the answer may not be stored so. `done` is called once the capture is over. */
export function captureAnswer(
  parts: EngineParts,
  request: ClientRequest,
  key: string,
  receipt: Receipt,
  done: (capture: Capture) => void,
): Capture | undefined {
  if (request.method !== 'POST' || receipt.status !== 200 || !isOwnLocation(request, key, receipt)) return undefined;
  const { rules } = parts.live;
  const rule = rules.ruleForResponse(request, receipt.status, receipt.fields);
  const spec = { key, method: 'GET', request, rules } as const;
  const verdict = judgeStorable({
    method: 'GET',
    requestFields: request.fields,
    status: receipt.status,
    fields: receipt.fields,
    rule,
    receivedWall: receipt.responseWall,
  });
  const { store } = parts;
  const expectedBytes = contentLength(receipt.fields);
  if (!verdict.store || (expectedBytes ?? 0) > store.maxObjectBytes) return undefined;
  const life = madeResponse(spec, receipt, verdict.fields, Inflow.none(store, NO_SOURCE).body).life;
  if (!EXPLICIT.has(life.ttlSource) || life.staleAt <= life.bornAt) return undefined;
  const inflow = Inflow.keep(store, expectedBytes, NO_SOURCE);
  if (inflow === undefined) return undefined;
  const fate = new Fate();
  const capture: Capture = {
    key,
    requestedAt: receipt.requestAt,
    fate,
    tags: tagsOf(verdict.fields, rule.tagsFrom),
    supersede() {
      fate.apply('purge');
    },
    write(chunk) {
      if (inflow.write(chunk) !== undefined) inflow.fail();
    },
    end() {
      const record = madeResponse(spec, receipt, verdict.fields, inflow.body, verdict.despite);
      const isKept = inflow.complete() && inflow.isKept && !fate.isSuperseded;
      const kept = fate.isExpired ? expiredResponse(record, parts.clock.now()) : record;
      if (isKept && isNewest(parts.store.known(record.key), record, request.fields) && store.put(kept)) {
        parts.peers?.stored(kept, false);
        parts.leases?.announce({ kind: 'stored', response: kept });
      }
      done(capture);
    },
    fail() {
      inflow.fail();
      done(capture);
    },
  };
  return capture;
}

/** RFC 9110 §9.3.3: freshness that the origin declared, not one that was guessed or configured. */
const EXPLICIT: ReadonlySet<string> = new Set([
  'cdn-cache-control',
  'surrogate-control',
  's-maxage',
  'max-age',
  'expires',
]);

function isOwnLocation(request: ClientRequest, key: string, receipt: Receipt): boolean {
  const location = receipt.fields.first('content-location');
  if (location === undefined) return false;
  const base = `${effectiveScheme(request)}://${request.host}${request.target}`;
  return URL.canParse(location, base) && keyOfUrl(new URL(location, base).href) === key;
}
