/**
 * Replies that stay the same for a while: to a plain request for a fresh response they change with the second and not
 * with the request. Kept for what is asked for again and again, so that such a hit is two lookups.
 *
 * There is no second way to decide here. An entry is made by the very functions that handle() goes through, where they are known to ask
 * nothing of the request but its host, its target and one condition (test/engine/ready.test.ts compares the two), and it
 * holds for as long as what they looked at is the same: the settings, what is stored under the key, and the second.
 */
import type { Timer } from '../base/clock.js';
import { hashOf } from '../base/hash.js';
import { MAX_KEY_LENGTH, WRITE_AT_ONCE_BYTES } from '../base/limits.js';
import { MAX_READY_REPLIES, MIN_READY_REPLIES, READY_PRUNE_MS, READY_SHARE } from '../base/ready-limits.js';
import type { Rule } from '../config/rule.js';
import type { Life, StoredResponse } from '../object/stored.js';
import { leavesResponses } from '../policy/client-fields.js';
import { originOf, requestKey } from '../policy/key.js';
import { reasonToPass } from '../policy/pass.js';
import { NO_DIRECTIVES } from '../policy/request-directives.js';
import { judgeReuse } from '../policy/reuse.js';
import type { Glance, Place } from '../store/contract.js';
import { STATUS_PREFIX } from './accepted.js';
import { StoredReplies } from './as-stored.js';
import type { ClientRequest, PartAsked, ReadyReply, Reply } from './contract.js';
import { HeldReplies } from './held.js';
import type { EngineParts, EngineSettings } from './parts.js';
import { plainRequest, readsTargetAlone } from './plain.js';
import { Answer } from './ready-answer.js';
import { Asked } from './ready-asked.js';
import { ReadyEntry, ReadyTable } from './ready-table.js';
import { type GraceSource, gracedDelivery, hitDelivery, toldReply } from './told.js';

/** What the table needs of the engine. */
export interface ReadySource extends GraceSource {
  readonly parts: EngineParts;
  readonly via: string;
  /** Notes that a stored response was used. */
  used(stored: StoredResponse, place: Place): void;
  /** Starts what is to freshen a response that was served stale to `asked`. */
  refreshGraced(stored: StoredResponse, asked: ClientRequest): void;
}

/** Where memory keeps objects for so many keys: one that falls asleep under what is kept would be woken for its next hit, and another one for it. */
function readyCountFor(awakeCount: number): number {
  return Math.min(MAX_READY_REPLIES, Math.max(MIN_READY_REPLIES, Math.floor(awakeCount * READY_SHARE)));
}

export class ReadyReplies {
  readonly #source: ReadySource;
  readonly #table = new ReadyTable();
  #maxCount = 0;
  #live: EngineSettings | undefined;
  #isOn = false;
  readonly #asked = new Asked();
  #pruning: Timer | undefined;
  /** For what is below memory. */
  readonly #stored: StoredReplies;
  /** For what is not kept. */
  readonly #held: HeldReplies;

  constructor(source: ReadySource) {
    this.#source = source;
    this.#held = new HeldReplies(source);
    this.#stored = new StoredReplies(source);
  }

  get count(): number {
    return this.#table.count;
  }

  /**
   * The reply to a request whose fields say nothing to a cache but `condition` (If-None-Match) or, where it is a GET, `part`;
   * undefined where that takes more than a fresh response. What it gives counts as used.
   */
  find(
    isHead: boolean,
    host: string,
    target: string,
    condition: string | undefined,
    now: number,
    part?: PartAsked | undefined,
  ): ReadyReply | undefined {
    const { parts } = this.#source;
    if (parts.live !== this.#live) this.#begin(parts.live);
    if (!this.#isOn || (isHead && (condition !== undefined || parts.live.rules.readsMethod))) return undefined;
    // RFC 9110 §14.2: no other method has ranges.
    if (part !== undefined && !isHead) return condition === undefined ? this.#part(host, target, part, now) : undefined;
    let entry = this.#table.get(host, target);
    let isCounted = false;
    if (entry === undefined && !isHead && condition === undefined) {
      const hash = this.#held.hashOf(host, target);
      if (hash !== undefined && !this.#isWorthKeeping(host, hash)) {
        const held = this.#held.find(hash, host, target, now);
        if (held !== undefined) return held;
        const { store } = parts;
        if (store.sightedNothing) {
          // The key is what these two are, under this rule, and what place() would look for in vain.
          const seen = store.below?.glance(originOf('http', host), target);
          return seen === undefined ? undefined : this.#below(seen, this.#held.rule, host, target, now);
        }
        isCounted = true;
      }
    }
    if (entry === undefined || entry.place.list !== entry.list) {
      const request = plainRequest(isHead, host, target, condition);
      const found = this.#look(request, entry !== undefined, isCounted, now);
      if (!(found instanceof ReadyEntry)) {
        if (entry !== undefined) this.#table.delete(host, target);
        return found;
      }
      this.#table.set(host, target, found);
      entry = found;
    }
    const answer = isHead ? entry.head : condition === undefined ? entry.get : entry.conditional;
    const isSame = answer.condition === condition;
    if (now >= answer.until || !isSame) {
      const isGrown = isSame && answer.isSteady && this.#grow(answer, entry.stored, now);
      const request = isGrown ? undefined : plainRequest(isHead, host, target, condition);
      if (request !== undefined && !this.#renew(answer, entry.stored, request, now)) {
        return this.#once(entry.place, entry.stored, request, now);
      }
      answer.condition = condition;
    }
    entry.idle = 0;
    this.#source.used(entry.stored, entry.place);
    return answer;
  }

  /** The part that is asked for of what memory holds. It is another one each time, so none is kept. */
  #part(host: string, target: string, part: PartAsked, now: number): ReadyReply | undefined {
    const { store } = this.#source.parts;
    const hash = this.#held.hashOf(host, target);
    if (hash !== undefined) {
      const held = this.#held.find(hash, host, target, now, part);
      if (held !== undefined || store.sightedNothing) return held;
    }
    const request = plainRequest(false, host, target, undefined, part);
    const key = this.#plainKey(request);
    const place = key === undefined ? undefined : store.place(key, true);
    const stored = place === undefined ? undefined : this.#onlyIn(place, request);
    return place === undefined || stored === undefined ? undefined : this.#once(place, stored, request, now);
  }

  /** Other settings: all that was made under those before is void. */
  #begin(live: EngineSettings): void {
    this.clear();
    this.#live = live;
    this.#maxCount = readyCountFor(this.#source.parts.store.awakeCount);
    // An explanation is made for each request, and a rule that reads fields wants to see them.
    this.#isOn = live.explain === undefined && !live.rules.readsFields;
  }

  /**
   * Nothing is kept for what is asked for once, and where there is no place, what has one keeps it as long as it is asked
   * for: to start anew each time would cost more than it saves.
   */
  #isWorthKeeping(host: string, hash: number): boolean {
    this.#pruning ??= this.#source.parts.clock.every(READY_PRUNE_MS, () => this.#prune());
    if (!this.#asked.isOften(hash) || this.#table.count >= this.#maxCount) return false;
    return this.#table.hasRoomUnder(host);
  }

  /**
   * What is to be kept ready, where memory has it and that is wanted; else a reply of its own, where it is as plain. `isCounted`: it is
   * known not to be worth keeping.
   */
  #look(request: ClientRequest, isKept: boolean, isCounted: boolean, now: number): ReadyEntry | ReadyReply | undefined {
    const key = this.#plainKey(request);
    if (key === undefined) return undefined;
    const isWorthIt = isKept || (!isCounted && this.#isWorthKeeping(request.host, hashOf(key)));
    const place = this.#source.parts.store.place(key, !isWorthIt);
    if (place === undefined) return this.#belowFor(key, request, now);
    const stored = this.#onlyIn(place, request);
    if (stored === undefined) return undefined;
    return isWorthIt ? new ReadyEntry(place, place.list, stored) : this.#once(place, stored, request, now);
  }

  /**
   * A reply that is kept by nobody: most of what is asked for once is not asked for again soon, and what is said of a
   * stale response depends on more than time.
   */
  #once(place: Place, stored: StoredResponse, request: ClientRequest, now: number): ReadyReply | undefined {
    const { parts, via } = this.#source;
    const verdict = judgeReuse(stored.life, NO_DIRECTIVES, now, !parts.origin.healthy);
    if (verdict.kind !== 'serve') return undefined;
    const answer = new Answer();
    if (verdict.phase === 'fresh') {
      const delivery = hitDelivery(stored, 'fresh', verdict.reason, now);
      answer.be(toldReply(parts.live, request, stored, delivery, now, via));
    } else {
      const { delivery, wantsRefresh } = gracedDelivery(this.#source, stored, request, now, verdict.reason);
      answer.be(toldReply(parts.live, request, stored, delivery, now, via));
      if (wantsRefresh) answer.refresh = (asked) => this.#source.refreshGraced(stored, asked);
    }
    answer.tell(stored, now);
    this.#source.used(stored, place);
    return answer;
  }

  /** The key of a request of which rules read nothing but its host and target; undefined where they read more. */
  #plainKey(request: ClientRequest): string | undefined {
    const rule = this.#source.parts.live.rules.ruleFor(request);
    if (!readsTargetAlone(rule) || request.target.startsWith(STATUS_PREFIX)) return undefined;
    if (reasonToPass(request, rule) !== undefined) return undefined;
    const key = requestKey(request, rule);
    return key.length > MAX_KEY_LENGTH ? undefined : key;
  }

  /**
   * The reply from what is below memory alone, made for this request and kept by nobody: where that is as plain as what
   * is kept ready, it costs little more than to read it.
   */
  #belowFor(key: string, request: ClientRequest, now: number): ReadyReply | undefined {
    const { below } = this.#source.parts.store;
    const seen = below?.glance(key);
    if (seen === undefined) return undefined;
    // Host alone: anything more is a condition.
    if (request.method === 'GET' && request.fields.count <= 1) {
      return this.#below(seen, this.#source.parts.live.rules.ruleFor(request), request.host, request.target, now);
    }
    const answer = this.#madeOf(seen.stored, request, now);
    if (answer !== undefined) below?.glanced();
    return answer;
  }

  /** The same to a GET without a condition, as it is stored where it may go out so. */
  #below(seen: Glance, rule: Rule, host: string, target: string, now: number): ReadyReply | undefined {
    const answer =
      this.#stored.find(seen, rule, host, target, now) ??
      this.#madeOf(seen.stored, plainRequest(false, host, target, undefined), now);
    if (answer !== undefined) this.#source.parts.store.below?.glanced();
    return answer;
  }

  #madeOf(stored: StoredResponse | undefined, request: ClientRequest, now: number): ReadyReply | undefined {
    if (stored === undefined || !this.#isUnderItsRule(stored, request)) return undefined;
    const reason = this.#reasonFor(stored.life, now);
    if (reason === undefined) return undefined;
    const { parts, via } = this.#source;
    const answer = new Answer();
    answer.be(toldReply(parts.live, request, stored, hitDelivery(stored, 'fresh', reason, now), now, via));
    answer.tell(stored, now);
    return answer;
  }

  #isUnderItsRule({ madeBy, status, fields }: StoredResponse, request: ClientRequest): boolean {
    return madeBy === undefined || madeBy === this.#source.parts.live.rules.ruleForResponse(request, status, fields);
  }

  /** The one stored response that answers every plain request for a target, if there is one. */
  #onlyIn({ list }: Place, request: ClientRequest): StoredResponse | undefined {
    const [stored] = list;
    if (stored === undefined || list.length > 1 || stored.selection.names.length > 0) return undefined;
    if (stored.partial !== undefined || !stored.body.isHeldWhole) return undefined;
    // What is written piece by piece has no use for it.
    if (stored.body.receivedBytes > WRITE_AT_ONCE_BYTES) return undefined;
    return this.#isUnderItsRule(stored, request) ? stored : undefined;
  }

  /** Makes the reply for this second. False where the response is not fresh any more. */
  #renew(answer: Answer, stored: StoredResponse, request: ClientRequest, now: number): boolean {
    const reason = this.#reasonFor(stored.life, now);
    if (reason === undefined) return false;
    const { live } = this.#source.parts;
    const make = (at: number): Reply =>
      toldReply(live, request, stored, hitDelivery(stored, 'fresh', reason, at), at, this.#source.via);
    const rule = live.rules.ruleForResponse(request, stored.status, stored.fields);
    answer.become(make, now, leavesResponses(rule));
    answer.tell(stored, now);
    return true;
  }

  /** Lets the reply get older, of which nothing but its times changes. False where another is needed. */
  #grow(answer: Answer, stored: StoredResponse, now: number): boolean {
    if (this.#reasonFor(stored.life, now) !== answer.note.reason) return false;
    answer.tell(stored, now);
    answer.grow(now);
    return true;
  }

  /** Why it may be used, where it is fresh. */
  #reasonFor(life: Life, now: number): string | undefined {
    const verdict = judgeReuse(life, NO_DIRECTIVES, now, !this.#source.parts.origin.healthy);
    return verdict.kind === 'serve' && verdict.phase === 'fresh' ? verdict.reason : undefined;
  }

  /** Takes out what was not asked for lately, or is not what is stored any more: a body must not be held by this alone. */
  #prune(): void {
    this.#asked.forget();
    this.#table.prune();
    if (this.#table.count === 0) this.clear();
  }

  clear(): void {
    this.#table.clear();
    this.#asked.forget();
    this.#pruning?.cancel();
    this.#pruning = undefined;
  }
}
