/**
 * A response that an operator, or the application itself, pushes for a URL: stored as if the origin had sent it, newer
 * than all that is on its way.
 */
import type { Fields } from '../http/fields.js';
import { askedAt } from '../object/asked-at.js';
import type { Body } from '../object/body.js';
import type { StoredResponse } from '../object/stored.js';
import { receivedResponseFields } from '../policy/hygiene.js';
import { keyOfUrl, requestKey } from '../policy/key.js';
import { judgeStorable } from '../policy/storable.js';
import { isSamePlace } from '../store/variants.js';
import type { ClientRequest } from './contract.js';
import type { Engine } from './engine.js';
import { Inflow } from './inflow.js';
import { requestOfUrl } from './own-request.js';
import { type Share, tellPeers, WHOLE } from './peers-contract.js';
import {
  affectInFlight,
  changeUnseen,
  eachBelow,
  forgetNotes,
  isSpared,
  type Reach,
  type StoredPlace,
} from './reach.js';
import type { Receipt } from './receipt.js';
import { madeResponse } from './response.js';
import { behind } from './steps.js';

export interface PushedHead {
  readonly status: number;
  readonly reasonPhrase: string;
  /** End-to-end fields of the response. */
  readonly fields: Fields;
  /** What a request must have in the fields that Vary names to be answered with it. */
  readonly selecting: Fields;
  /** Length of the body, where it is known. */
  readonly bodyBytes: number | undefined;
}

/** Why a pushed response is not stored: `url`, `too-large`, `no-room`, `content-forbidden`, or a reason that an answer of the origin could have. */
export interface Refused {
  readonly refused: string;
}

/** A pushed response whose body is coming in. One of end and fail is called, once. What end() has done holds for this process. */
export interface Pushing {
  /** Takes bytes; a refusal ends it. */
  write(chunk: Buffer): Refused | undefined;
  end(share?: Share): Refused | Pushed;
  fail(): void;
}

export interface Pushed {
  /** Answers on their way that it won over. */
  readonly fills: number;
  readonly bytes: number;
  readonly ttlMs: number;
}

const NO_SOURCE = { pause() {}, resume() {}, abandoned() {} };
const INCOMPLETE: Refused = { refused: 'incomplete' };
const CONTENT_FORBIDDEN: Refused = { refused: 'content-forbidden' };

/** Begins to take a pushed response in; its bytes are charged to the budget from the first one on. */
export function beginUpdate(engine: Engine, url: string, pushed: PushedHead): Pushing | Refused {
  const { parts } = engine;
  const head = { ...pushed, fields: receivedResponseFields(pushed.fields) };
  const { store } = parts;
  const { rules } = parts.live;
  const target = keyOfUrl(url);
  const request = target === undefined ? undefined : requestOfUrl(target, head.selecting, rules, parts.clock.now());
  if (target === undefined || request === undefined) return { refused: 'url' };
  const verdict = judgeStorable({
    method: 'GET',
    requestFields: request.fields,
    status: head.status,
    fields: head.fields,
    rule: rules.ruleForResponse(request, head.status, head.fields),
    receivedWall: parts.clock.wall(),
  });
  if (!verdict.store) return { refused: verdict.reason };
  // RFC 9110 §15.3.5, §15.3.6. Behind a 204 a client would take it for the next response (RFC 9112 §6.3).
  const isBare = head.status === 204 || head.status === 205;
  if (isBare && (head.bodyBytes ?? 0) > 0) return CONTENT_FORBIDDEN;
  if ((head.bodyBytes ?? 0) > store.maxObjectBytes) return { refused: 'too-large' };
  const inflow = Inflow.keep(store, head.bodyBytes, NO_SOURCE);
  if (inflow === undefined) return { refused: 'no-room' };
  return {
    write(chunk) {
      const refused = isBare && chunk.length > 0 ? CONTENT_FORBIDDEN.refused : inflow.write(chunk);
      if (refused === undefined) return undefined;
      inflow.fail();
      return { refused };
    },
    end: ({ isQuiet } = WHOLE) =>
      inflow.complete() ? commit(engine, target, request, head, verdict.fields, inflow.body, isQuiet) : INCOMPLETE,
    fail: () => inflow.fail(),
  };
}

/**
 * The body is whole. The response is as new as this moment, not as its first byte: what the origin was asked meanwhile
 * is older.
 */
function commit(
  engine: Engine,
  target: string,
  request: ClientRequest,
  { status, reasonPhrase, fields }: PushedHead,
  storable: Fields,
  body: Body,
  isQuiet: boolean,
): Pushed | Refused {
  const { clock, store, live, random, events } = engine.parts;
  const now = clock.now();
  const receipt: Receipt = {
    status,
    reasonPhrase,
    fields,
    requestAt: now,
    responseAt: now,
    responseWall: clock.wall(),
    chance: random(),
  };
  const { rules } = live;
  const rule = rules.ruleFor(request.received ?? request);
  const key = requestKey(request, rule);
  const spec = { key, method: 'GET', request, rules } as const;
  const record = { ...madeResponse(spec, receipt, storable, body), pushed: true };
  const at = engine.purging.at(target);
  const reach = { kind: 'keys', keys: [...new Set([key, ...at.keys])], but: 'pushed' } as const;
  const fills = affectInFlight(engine, { ...reach, but: undefined }, 'purge');
  forgetNotes(engine, reach);
  const isOutdated = dropFetched(engine, reach, record);
  for (const { beginning } of at.further) {
    engine.purging.follow(behind(events, dropFurther(engine, beginning, reach, record)));
  }
  engine.purging.noteAlias(key, request);
  // Nor must that come up from below, or what other machines alone have of it. Where there is nothing of the kind that is left
  // out: who pushes a whole site would push the operations out of their log.
  const { headers, cookies } = rule.key;
  const hasOthers = isOutdated || reach.keys.length > 1 || headers.length > 0 || cookies.length > 0;
  const tellOthers = (): void => {
    if (hasOthers) tellPeers(engine.parts.peers, 'purge', reach, isQuiet);
  };
  const before = store.known(key).find((stored) => stored.pushed === true && isSamePlace(stored, record));
  if (!store.put(record)) {
    // What was stored is older than what is known now, and must not be served once more for want of room.
    const outdated = { ...reach, earlier: { key, selection: record.selection, pushedAt: now } };
    dropAt(engine, outdated.earlier);
    tellPeers(engine.parts.peers, 'purge', outdated, isQuiet);
    return { refused: 'no-room' };
  }
  tellOthers();
  if (!isQuiet) engine.parts.peers?.stored(record, true, before);
  return { fills, bytes: body.heldBytes, ttlMs: Math.max(0, record.life.staleAt - now) };
}

/** What is stored for the very same, fetched or pushed. */
function dropAt(engine: Engine, place: StoredPlace): void {
  const { store } = engine.parts;
  const isThere = (stored: StoredResponse): boolean => isSamePlace(stored, place);
  changeUnseen(engine, { kind: 'keys', keys: [place.key] }, (stored) => (isThere(stored) ? undefined : stored));
  for (const stored of store.known(place.key)) if (isThere(stored)) store.remove(stored, 'replaced');
}

/** The same in steps, under keys below that are more than are looked for at once. */
function dropFurther(engine: Engine, prefix: string, reach: Reach, record: StoredResponse): Promise<void> {
  return eachBelow(engine, { kind: 'prefix', prefix }, (stored) => {
    // What was asked for since then is newer.
    if (isSpared(reach, stored) || askedAt(stored) > askedAt(record)) return;
    if (!isSamePlace(stored, record)) engine.parts.store.remove(stored, 'replaced');
  });
}

/**
 * Under the other keys that rules and forwarding fields make of the URL, and for other values of what Vary names, what the
 * origin sent earlier would live on. What was pushed for these was meant for them. Returns whether the key had other variants.
 */
function dropFetched(engine: Engine, reach: Reach & { readonly kind: 'keys' }, record: StoredResponse): boolean {
  const { store } = engine.parts;
  let hasVariants = false;
  changeUnseen(engine, reach, (stored) => (isSpared(reach, stored) ? stored : undefined));
  for (const alias of reach.keys) {
    for (const stored of store.known(alias)) {
      if (isSpared(reach, stored) || isSamePlace(stored, record)) continue;
      store.remove(stored, 'replaced');
      hasVariants ||= alias === record.key;
    }
  }
  return hasVariants;
}
