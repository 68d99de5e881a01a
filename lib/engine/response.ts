/** Builds the records that a fill makes of what it received: a new response, or a freshened one. */
import type { Rule } from '../config/rule.js';
import { formatHttpDate } from '../http/dates.js';
import type { Fields } from '../http/fields.js';
import type { Body } from '../object/body.js';
import type { SafetyOverride, StoredResponse } from '../object/stored.js';
import { correctedInitialAgeMs } from '../policy/age.js';
import { type Governing, lifeOf } from '../policy/lifetime.js';
import { mergeFields } from '../policy/merge.js';
import { judgeStorable } from '../policy/storable.js';
import { tagsOf } from '../policy/tags.js';
import { isSelectedBy, selectionOf, varyNames } from '../policy/vary.js';
import type { FillSpec } from './fill-contract.js';
import { type Receipt, ruleOf } from './receipt.js';

/** A record with each of its members named, so that none is forgotten where one is made of another. */
type EachMember = Required<Omit<StoredResponse, 'pushed' | 'receivedVersion'>>;

/** What a response was judged by. */
export interface JudgedBy {
  readonly by: Governing;
  readonly rule: Rule;
}

/**
 * The record of a response that just came. `storable` are the fields that may be stored; without them the record is for
 * its one receiver and carries all end-to-end fields. `judged`: what is known already of how these were judged.
 */
export function madeResponse(
  spec: Pick<FillSpec, 'key' | 'method' | 'request' | 'rules'>,
  receipt: Receipt,
  storable: Fields | undefined,
  body: Body,
  despite: readonly SafetyOverride[] = [],
  judged?: Partial<JudgedBy>,
): StoredResponse {
  let fields = (storable ?? receipt.fields).without('age');
  // The length of a GET is told by the body itself; that of a HEAD is known from the field alone.
  if (spec.method === 'GET') fields = fields.without('content-length');
  // RFC 9110 §6.6.1: a recipient with a clock supplies a Date that is missing.
  if (!fields.has('date')) fields = fields.append('Date', formatHttpDate(receipt.responseWall));
  const rule = judged?.rule ?? ruleOf(spec, receipt);
  const made: EachMember = {
    key: spec.key,
    selection: selectionOf(varyNames(fields), spec.request.fields),
    status: receipt.status,
    reasonPhrase: receipt.reasonPhrase,
    fields,
    body,
    partial: undefined,
    life: lifeOf({
      status: receipt.status,
      fields: receipt.fields,
      rule,
      by: judged?.by,
      initialAgeMs: correctedInitialAgeMs(receipt),
      receivedAt: receipt.responseAt,
      receivedWall: receipt.responseWall,
      chance: receipt.chance,
    }),
    tags: tagsOf(fields, rule.tagsFrom),
    // Named although they are not known yet: a copy with one more member than this costs a further object.
    madeTag: undefined,
    expiredAt: undefined,
    rule: rule.name,
    madeBy: rule,
    receivedAt: receipt.responseAt,
    chance: receipt.chance,
    despite,
    requestedAt: receipt.requestAt,
    fetchedAt: receipt.responseAt,
    receivedWall: receipt.responseWall,
  };
  return receivedBy(made, receipt);
}
/**
 * Whether `stored` leaves out what may not be stored (a stripped Set-Cookie, fields that a qualified private names) and
 * was still meant for the one whose request it answers.
 */
export function isReduced(stored: Fields, receipt: Receipt): boolean {
  const suppliedCount = receipt.fields.has('date') ? 0 : 1;
  return stored.count - suppliedCount < receipt.fields.without('age').count;
}

/** Members that few have would cost a further object in all others. */
function receivedBy(made: StoredResponse, { receivedVersion }: Receipt): StoredResponse {
  return receivedVersion === undefined ? made : { ...made, receivedVersion };
}

/** What a merged 304 makes of a stored response. */
export interface Freshened {
  /** The new record around the same body. */
  readonly response: StoredResponse;
  /**
   * Where the 304's validator picked a response that was stored for other selecting fields: the same body for the
   * fields of this request, so that its next request finds it at once (RFC 9111 §4.1).
   */
  readonly variant: StoredResponse | undefined;
  /** Where the 304 carried what is for the one who asked alone: the response with it. */
  readonly forLeader: StoredResponse | undefined;
  /** Reason why the merged fields no longer allow sharing. */
  readonly refused: string | undefined;
}

export function freshenedResponse(spec: FillSpec, target: StoredResponse, receipt: Receipt): Freshened {
  // RFC 9110 §6.6.1: without a Date of its own the 304 is dated by its arrival, or the old Date would age the new life.
  const update = receipt.fields.has('date')
    ? receipt.fields
    : receipt.fields.append('Date', formatHttpDate(receipt.responseWall));
  // Which rule it is under may depend on the type of what is stored, which a 304 does not tell.
  const rule = ruleOf(spec, target);
  // A cookie that comes with a 304 is for the one who asked; what is stored is the same as before.
  const isCookieKept = rule.setCookie !== 'share';
  const merged = mergeFields(target.fields, update, isCookieKept ? ['set-cookie'] : []);
  const verdict = judgeStorable({
    method: 'GET',
    requestFields: spec.request.fields,
    status: target.status,
    fields: merged,
    rule,
    receivedWall: receipt.responseWall,
  });
  // Each member by name, as madeResponse() has them: to copy a record of so many costs more than all the rest of this.
  const made: EachMember = {
    key: target.key,
    selection: target.selection,
    status: target.status,
    reasonPhrase: target.reasonPhrase,
    fields: verdict.store ? verdict.fields : merged,
    body: target.body,
    partial: target.partial,
    // Freshness comes from the merged fields, not from those of the 304 alone (PEERS scar 2).
    life: lifeOf({
      status: target.status,
      fields: merged,
      rule,
      by: verdict.store ? verdict.by : undefined,
      initialAgeMs: correctedInitialAgeMs(receipt),
      receivedAt: receipt.responseAt,
      receivedWall: receipt.responseWall,
      chance: receipt.chance,
    }),
    tags: tagsOf(verdict.store ? verdict.fields : merged, rule.tagsFrom),
    madeTag: target.madeTag,
    expiredAt: undefined,
    rule: rule.name,
    madeBy: rule,
    receivedAt: receipt.responseAt,
    chance: receipt.chance,
    despite: verdict.store ? verdict.despite : target.despite,
    requestedAt: receipt.requestAt,
    fetchedAt: target.fetchedAt,
    receivedWall: receipt.responseWall,
  };
  const freshened = receivedBy(made, receipt);
  const response = target.pushed === undefined ? freshened : { ...freshened, pushed: target.pushed };
  const variant = isSelectedBy(target.selection, spec.request.fields) ? undefined : selectedBy(spec.request, response);
  let own = response.fields;
  if (isCookieKept) for (const cookie of receipt.fields.lines('set-cookie')) own = own.append('Set-Cookie', cookie);
  const forLeader = own === response.fields ? undefined : { ...response, fields: own };
  return { response, variant, forLeader, refused: verdict.store ? undefined : verdict.reason };
}

/** The same response, stored for the fields of this request. */
function selectedBy({ fields }: FillSpec['request'], response: StoredResponse): StoredResponse {
  return { ...response, selection: selectionOf(varyNames(response.fields), fields) };
}
