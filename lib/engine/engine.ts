/**
 * The one place that orchestrates: a request comes in as a record, an answer goes out through a sink.
 * What the store can answer at once is answered here, with as little work as it takes; everything else becomes a
 * Transaction. Implements RFC 9111 §4 and the design, sections 1 to 3.
 */
import { MAX_KEY_LENGTH, MAX_KEYED_CONTENT_BYTES } from '../base/limits.js';
import type { Rule } from '../config/rule.js';
import type { ExplainedRequest, Explanation } from '../explain/explain.js';
import type { StoredResponse } from '../object/stored.js';
import { isLoop } from '../policy/hygiene.js';
import { requestKey } from '../policy/key.js';
import { reasonToPass } from '../policy/pass.js';
import { refutes } from '../policy/precondition.js';
import { type RequestDirectives, requestDirectives } from '../policy/request-directives.js';
import { judgeReuse } from '../policy/reuse.js';
import { chooseVariant } from '../policy/vary.js';
import type { Place } from '../store/contract.js';
import { AcceptedWork, acceptCold, answerStatus, STATUS_PREFIX } from './accepted.js';
import { captureAnswer } from './capture.js';
import { CollapseTable } from './collapse.js';
import type { BodyTap, ClientRequest, FindReady, ReplySink, RequestHandler } from './contract.js';
import { coversRanges, type Delivery } from './deliver.js';
import { explainWithTier, withExplanation } from './explaining.js';
import { Fill } from './fill.js';
import type { FillEnd } from './fill-contract.js';
import { type FillOrder, specOf } from './fill-order.js';
import { goingOn } from './going-on.js';
import { hopsLeft, lastHopReply } from './last-hop.js';
import { type Need, partialNeed } from './need.js';
import { Operations } from './operations.js';
import { isOperatorMethod, operate } from './operator-methods.js';
import { ownRequest } from './own-request.js';
import type { EngineParts, EngineSettings } from './parts.js';
import { planPass } from './pass.js';
import { Purging } from './purging.js';
import { servePushed } from './pushed.js';
import { ReadyReplies } from './ready.js';
import type { Receipt } from './receipt.js';
import { Refreshes } from './refreshes.js';
import { Relifing, relifedFor } from './relife.js';
import { forEverybody, shaped, withContent, withoutConnectionOptions } from './requests.js';
import { type SynthSpec, synthReply } from './synth.js';
import { gracedDelivery, hitDelivery, toldReply } from './told.js';
import { Transaction } from './transaction.js';

export class Engine implements RequestHandler {
  readonly parts: EngineParts;
  readonly collapse: CollapseTable;
  /** What the origin is asked while no client waits. */
  readonly refreshes: Refreshes;
  /** What an operator can do. */
  readonly operations = new Operations(this);
  /** Our member of Via on replies. */
  via: string;
  /** Takes out what is stored at a URL. */
  readonly purging: Purging;
  /** What clients were told to come back for. */
  readonly accepted: AcceptedWork;
  readonly #relifing: Relifing;
  readonly #ready = new ReadyReplies(this);
  /** What was looked for last below memory is there for other requests alone (RFC 9211 §2.2, vary-miss). */
  #isVariedBelow = false;

  constructor(parts: EngineParts) {
    this.parts = parts;
    this.#relifing = new Relifing(parts);
    this.refreshes = new Refreshes(this);
    this.collapse = new CollapseTable((...ended) => this.refreshes.noteEnd(...ended));
    this.purging = new Purging(parts, this.collapse, this.refreshes);
    this.accepted = new AcceptedWork(parts.clock);
    this.via = `1.1 ${parts.live.hygiene.via}`;
  }

  get takesRefresh(): boolean {
    return this.parts.live.operators.isOn;
  }

  handle(received: ClientRequest, sink: ReplySink): void {
    const endToEnd = withoutConnectionOptions(received);
    if (this.parts.live.explain === undefined) {
      this.#take(endToEnd, sink);
      return;
    }
    const explained = withExplanation(this.parts, endToEnd, sink, (request) => this.find(request));
    this.#take(explained.request, explained.sink);
  }

  #take(endToEnd: ClientRequest, sink: ReplySink): void {
    const { parts } = this;
    const rule = parts.live.rules.ruleFor(endToEnd);
    const request = shaped(endToEnd, rule);
    if (isLoop(request.fields, parts.live.hygiene.via)) {
      this.synth(request, sink, {
        status: 508,
        reason: 'loop-detected',
        sentence: 'This request has been here before: the origin leads back to this proxy.',
        rule: '',
      });
      return;
    }
    if (request.target.startsWith(STATUS_PREFIX)) {
      answerStatus(this, request, sink);
      return;
    }
    if (parts.live.operators.isOn && isOperatorMethod(request.method)) {
      operate(parts, parts.siblings?.operations ?? this.operations, request, sink, this.via);
      return;
    }
    const passReason = reasonToPass(request, rule);
    if (passReason !== undefined) {
      if (hopsLeft(request) === 0) sink.reply(lastHopReply(request, parts.clock.wall(), this.via));
      else sink.pass(planPass(this, request, passReason));
      return;
    }
    const key = requestKey(request, rule);
    if (key.length > MAX_KEY_LENGTH) sink.pass(planPass(this, request, 'key-too-long'));
    else if (request.method === 'POST') this.#takePost(request, sink, rule);
    else this.#answer(request, sink, key, rule);
  }

  /** The content of a POST that its rule caches is part of the key, so it is read first. */
  #takePost(request: ClientRequest, sink: ReplySink, rule: Rule): void {
    sink.takeContent(MAX_KEYED_CONTENT_BYTES, (content) => {
      const asked = content === undefined ? request : withContent(request, content);
      if (content === undefined) sink.pass(planPass(this, request, 'content-too-large'));
      else this.#answer(asked, sink, requestKey(asked, rule), rule);
    });
  }

  /** From what is stored, where that can be had with no more ado. */
  #answer(request: ClientRequest, sink: ReplySink, key: string, rule: Rule): void {
    const { parts } = this;
    const directives = requestDirectives(request.fields);
    if (rule.push !== 'off') {
      servePushed(this, request, sink, key, rule.push, () => this.#chosen(key, request, parts.store.peek(key)));
      return;
    }
    const stored = parts.store.peek(key);
    const chosen = this.#chosen(key, request, stored);
    if (chosen === undefined) {
      const fwd = stored === undefined && !this.#isVariedBelow ? 'uri-miss' : 'vary-miss';
      this.#ask(request, sink, key, directives, { stale: undefined, fwd, reason: fwd });
      return;
    }
    const now = parts.clock.now();
    const verdict = judgeReuse(chosen.life, directives, now, !parts.origin.healthy);
    const isUsable = verdict.kind === 'serve' && verdict.phase === 'fresh';
    if (chosen.partial !== undefined && !(isUsable && coversRanges(chosen, request))) {
      this.#ask(request, sink, key, directives, partialNeed(chosen, request, isUsable));
      return;
    }
    if (verdict.kind === 'serve' && verdict.refresh && !directives.onlyIfCached && refutes(request, chosen)) {
      this.#ask(request, sink, key, directives, { stale: chosen, fwd: 'request', reason: 'request-condition' });
      return;
    }
    if (verdict.kind === 'serve') {
      this.used(chosen);
      if (verdict.refresh) this.#serveGraced(request, sink, chosen, now, verdict.reason);
      else this.reply(request, sink, chosen, hitDelivery(chosen, verdict.phase, verdict.reason, now), now);
      return;
    }
    if (verdict.kind === 'gone') {
      parts.store.remove(chosen, 'expired');
      this.#ask(request, sink, key, directives, { stale: undefined, fwd: 'uri-miss', reason: verdict.reason });
      return;
    }
    const fwd = verdict.reason.startsWith('request-') ? 'request' : 'stale';
    this.#ask(request, sink, key, directives, { stale: chosen, fwd, reason: verdict.reason });
  }

  #chosen(
    key: string,
    request: ClientRequest,
    stored: readonly StoredResponse[] | undefined,
  ): StoredResponse | undefined {
    const held = stored === undefined ? undefined : this.#underItsRule(chooseVariant(stored, request.fields), request);
    return held ?? this.#recall(key, request);
  }

  readonly ready: FindReady = (isHead, host, target, condition, now, part) =>
    this.#ready.find(isHead, host, target, condition, now, part);

  /** A stored response answers a request. */
  used(stored: StoredResponse, place?: Place): void {
    this.parts.store.touch(stored, place);
  }

  /** What is stored below memory for a request, under the rule that holds for it now. */
  #recall(key: string, request: ClientRequest): StoredResponse | undefined {
    const { store, live } = this.parts;
    this.#isVariedBelow = false;
    const choose = (stored: readonly StoredResponse[]) => {
      const chosen = chooseVariant(stored, request.fields);
      this.#isVariedBelow = chosen === undefined;
      return chosen;
    };
    return store.recall(key, choose, (found) => relifedFor(found, request, live.rules));
  }

  /** The chosen response under the rule that holds for it now; undefined where that would not have it stored. */
  #underItsRule(chosen: StoredResponse | undefined, request: ClientRequest): StoredResponse | undefined {
    if (chosen === undefined) return undefined;
    const { store, live } = this.parts;
    const next = relifedFor(chosen, request, live.rules);
    if (next === chosen) return chosen;
    if (next === undefined) store.remove(chosen, 'invalidated');
    return next === undefined || !store.swap(chosen, next) ? undefined : next;
  }

  /** In grace: the answer goes out first, then one background request for all (RFC 5861 §3). */
  #serveGraced(request: ClientRequest, sink: ReplySink, chosen: StoredResponse, now: number, reason: string): void {
    const { delivery, wantsRefresh } = gracedDelivery(this, chosen, request, now, reason);
    this.reply(request, sink, chosen, delivery, now);
    if (wantsRefresh) this.refreshes.touched(chosen, request);
  }

  refreshGraced(stored: StoredResponse, received: ClientRequest): void {
    const asked = withoutConnectionOptions(received);
    this.refreshes.touched(stored, shaped(asked, this.parts.live.rules.ruleFor(asked)));
  }

  /**
   * Starts a background request that freshens `chosen`; undefined where too many are under way. `ended` hears of its end. `known`: all that
   * is stored under its key, where that was looked up just now.
   */
  refresh(
    chosen: StoredResponse,
    request: ClientRequest,
    ended?: (end: FillEnd) => void,
    known?: readonly StoredResponse[],
  ): Fill | undefined {
    if (this.collapse.isFull) return undefined;
    const fill = this.makeFill({
      key: chosen.key,
      collapseKey: chosen.key,
      request: forEverybody(request, chosen, this.parts.live.rules.ruleFor(request), this.parts.clock),
      method: 'GET',
      basis: chosen,
      known,
      conditions: 'stored',
      askedFor: 'refresh',
      leader: undefined,
    });
    if (ended !== undefined) this.collapse.whenEnded(fill, ended);
    fill.start();
    return fill;
  }

  #ask(request: ClientRequest, sink: ReplySink, key: string, directives: RequestDirectives, need: Need): void {
    const { parts } = this;
    if (directives.onlyIfCached) {
      this.synth(request, sink, {
        status: 504,
        reason: 'only-if-cached',
        sentence: 'Nothing usable is stored, and the request forbids asking the origin.',
        rule: '',
      });
      return;
    }
    const mayAccept = need.stale === undefined && request.method === 'GET' && !directives.noStore;
    const isAccepting = mayAccept && parts.live.rules.ruleFor(request).cold === 'accepted';
    if (isAccepting && acceptCold(this, request, sink, key)) return;
    new Transaction(this, request, sink, key, directives, need).start();
  }

  /** What a request would get now, and why. */
  explain(request: ExplainedRequest): Explanation {
    return explainWithTier(this.parts, ownRequest(request, this.parts.clock.now()), (asked) => this.find(asked));
  }

  /** What is stored for a request, as its rule makes keys. */
  find(received: ClientRequest): StoredResponse | undefined {
    const rule = this.parts.live.rules.ruleFor(received);
    const request = shaped(received, rule);
    return this.select(requestKey(request, rule), request);
  }

  /** The stored response for a request, newest first (RFC 9111 §4.1), whatever its phase. */
  select(key: string, request: ClientRequest): StoredResponse | undefined {
    const stored = this.parts.store.peek(key);
    const held = stored === undefined ? undefined : this.#underItsRule(chooseVariant(stored, request.fields), request);
    return held ?? this.#recall(key, request);
  }

  makeFill(order: FillOrder): Fill {
    const { parts } = this;
    if (order.leader !== undefined) this.refreshes.overtaken(order.key);
    this.purging.noteAlias(order.key, order.request);
    return new Fill(parts, this.collapse, specOf(parts, order), order.leader);
  }

  reply(request: ClientRequest, sink: ReplySink, stored: StoredResponse, delivery: Delivery, now: number): void {
    const reply = toldReply(this.parts.live, request, stored, delivery, now, this.via);
    sink.reply(reply.payload.kind === 'reader' ? goingOn(this, request, stored, reply) : reply);
  }

  synth(request: ClientRequest, sink: ReplySink, spec: SynthSpec): void {
    sink.reply(synthReply(request, spec, this.parts.clock.wall(), this.via));
  }

  /** Starts storing the answer to a passed request, where that is allowed. */
  capture(request: ClientRequest, receipt: Receipt): BodyTap | undefined {
    // It is for the GETs that come after it.
    const rule = this.parts.live.rules.ruleFor({ ...request, method: 'GET', received: undefined });
    const key = requestKey(request, rule);
    const capture = captureAnswer(this.parts, request, key, receipt, (over) => {
      this.collapse.captures.delete(over);
    });
    if (capture === undefined) return undefined;
    this.collapse.captures.add(capture);
    this.purging.noteAlias(key, request);
    return capture;
  }

  /** Puts other settings in force, from the next request on; what is stored follows in steps. */
  reconfigure(live: EngineSettings): void {
    this.parts.live = live;
    this.via = `1.1 ${live.hygiene.via}`;
    this.refreshes.reconfigure();
    this.#relifing.start();
  }

  /** Nothing more is done in the background. */
  close(): void {
    this.#relifing.stop();
    this.refreshes.close();
    this.#ready.clear();
  }

  /** For the gauges. */
  get stats(): { readonly fills: number; readonly waiters: number; readonly ready: number } {
    return { fills: this.collapse.count, waiters: this.collapse.waiterCount, ready: this.#ready.count };
  }
}
