/**
 * Hits on what is asked for so seldom that nothing is kept ready for it: the reply is the parts of what memory holds, as they lie
 * there, and no object is made of them (decisions/0016). Only where that is what handle() replies: a fresh response under
 * a rule that leaves it as it is, to a GET that says nothing to a cache, or no more than which part of it is wanted.
 */
import { hashOfBoth } from '../base/hash.js';
import { MAX_KEY_LENGTH, WRITE_AT_ONCE_BYTES } from '../base/limits.js';
import type { Rule } from '../config/rule.js';
import { type ByteRange, resolveRange } from '../http/ranges.js';
import { ageSecAt } from '../policy/age.js';
import { leavesResponses } from '../policy/client-fields.js';
import { originOf } from '../policy/key.js';
import { reasonToPass } from '../policy/pass.js';
import { ifRangeHolds, isTagCondition } from '../policy/precondition.js';
import { PARTIAL_CONTENT } from '../policy/range.js';
import { NO_DIRECTIVES } from '../policy/request-directives.js';
import { judgeReuse } from '../policy/reuse.js';
import type { MemorySight } from '../store/contract.js';
import { STATUS_PREFIX } from './accepted.js';
import type { BytesHeld, ClientRequest, HitLines, PartAsked, ReadyReply, Reply } from './contract.js';
import { HitNote, LinesOfHits } from './hit-lines.js';
import { plainRequest, readsTargetAlone } from './plain.js';
import type { ReadySource } from './ready.js';
import { hitDelivery, toldReply, ttlSecAt } from './told.js';

const OK = 200;
const PARTIAL = 206;
const NO_CONTENT = 204;
const NOT_MODIFIED = 304;
const SLASH = 0x2f;
/** One reply after another: each is good until the next one is asked for. */
class HeldReply implements ReadyReply, BytesHeld {
  readonly isSteady = false;
  readonly isKept = false;
  readonly refresh = undefined;
  written: unknown;
  readonly note = new HitNote();
  readonly held = this;
  ttlSec = 0;
  lines!: HitLines;
  sight!: MemorySight;
  part: ByteRange | undefined;
  makeReply!: () => Reply;

  get status(): number {
    return this.part === undefined ? this.sight.status : PARTIAL;
  }

  get reasonPhrase(): string {
    return this.part === undefined ? this.sight.reasonPhrase : PARTIAL_CONTENT;
  }

  get bodyBytes(): number {
    return this.part === undefined ? this.sight.bodyBytes : this.part.until - this.part.from;
  }

  get ageSec(): number {
    return this.note.ageSec;
  }

  /** For whoever cannot take the bytes. */
  get reply(): Reply {
    return this.makeReply();
  }
}

export class HeldReplies {
  readonly #source: ReadySource;
  readonly #reply = new HeldReply();
  #rule: Rule | undefined;
  #isPlain = false;
  #host = '';
  #target = '';
  #asked: PartAsked | undefined;
  #now = 0;
  readonly #lines = new LinesOfHits();

  constructor(source: ReadySource) {
    this.#source = source;
    this.#reply.makeReply = () => this.#make();
  }

  /** That of the request which hashOf() gave a hash for just now. */
  get rule(): Rule {
    if (this.#rule === undefined) throw new Error('there is a rule for each request');
    return this.#rule;
  }

  /** The hash of the key of a GET for `target`; undefined where its rule makes another one of it, or no such reply. */
  hashOf(host: string, target: string): number | undefined {
    if (!this.#isUnderPlainRule(host, target)) return undefined;
    const origin = originOf('http', host);
    if (target.charCodeAt(0) !== SLASH || target.startsWith(STATUS_PREFIX)) return undefined;
    return origin.length + target.length > MAX_KEY_LENGTH ? undefined : hashOfBoth(origin, target);
  }

  /** The reply. `hash`: what hashOf() gave for these just now. `asked`: for what part of it. */
  find(hash: number, host: string, target: string, now: number, asked?: PartAsked): ReadyReply | undefined {
    const { parts, via } = this.#source;
    const sight = parts.store.sight(hash, originOf('http', host), target);
    if (sight === undefined || !isSendable(sight.status)) return undefined;
    if (sight.madeBy !== undefined && sight.madeBy !== this.#rule) return undefined;
    const { life } = sight;
    const verdict = judgeReuse(life, NO_DIRECTIVES, now, !parts.origin.healthy);
    if (verdict.kind !== 'serve' || verdict.phase !== 'fresh') return undefined;
    const ttlSec = ttlSecAt(life, now);
    // One without end is no number.
    if (!Number.isSafeInteger(ttlSec)) return undefined;
    const part = asked === undefined ? undefined : partOf(sight, asked);
    if (part === NOT_HERE) return undefined;
    // What is written piece by piece has no use for it.
    if ((part === undefined ? sight.bodyBytes : part.until - part.from) > WRITE_AT_ONCE_BYTES) return undefined;
    const reply = this.#reply;
    const { note } = reply;
    note.reason = verdict.reason;
    note.rule = sight.rule;
    note.ageSec = ageSecAt(life, now);
    reply.ttlSec = ttlSec;
    reply.sight = sight;
    reply.part = part;
    reply.written = undefined;
    reply.lines = this.#lines.for(verdict.reason, via);
    this.#host = host;
    this.#target = target;
    this.#asked = asked;
    this.#now = now;
    parts.store.sighted();
    return reply;
  }

  /** Whether a plain GET has the key that its target makes, and goes out as it is stored. */
  #isUnderPlainRule(host: string, target: string): boolean {
    const { rules } = this.#source.parts.live;
    if (rules.readsResponse) return false;
    // Where there are no conditions there is one rule for all.
    const isOne = rules.candidates.length === 0;
    const rule = rules.ruleFor(isOne ? ANY_REQUEST : plainRequest(false, host, target, undefined));
    if (rule !== this.#rule) {
      this.#rule = rule;
      this.#isPlain = isPlain(rule);
    }
    return this.#isPlain;
  }

  /** The same by way of objects. */
  #make(): Reply {
    const { parts, via } = this.#source;
    const request = plainRequest(false, this.#host, this.#target, undefined, this.#asked);
    const place = parts.store.place(originOf('http', this.#host) + this.#target, true);
    const stored = place?.list[0];
    if (stored === undefined) throw new Error('what was seen just now is there');
    const delivery = hitDelivery(stored, 'fresh', this.#reply.note.reason, this.#now);
    return toldReply(parts.live, request, stored, delivery, this.#now, via);
  }
}

const ANY_REQUEST: ClientRequest = plainRequest(false, '', '/', undefined);

function isPlain(rule: Rule): boolean {
  if (!readsTargetAlone(rule) || !leavesResponses(rule)) return false;
  if (rule.query.kind !== 'keep' || !rule.key.host || !rule.key.scheme) return false;
  return reasonToPass(ANY_REQUEST, rule) === undefined;
}

const NOT_HERE = 'not here';

/** The part that is asked for, undefined where it is the whole: selectRanges() as far as it takes no object. */
function partOf(sight: MemorySight, { spec, fields }: PartAsked): ByteRange | undefined | typeof NOT_HERE {
  if (sight.status !== OK) return undefined;
  const condition = fields.get('if-range');
  if (condition !== undefined) {
    // Of a date it depends on more than what is seen here.
    if (!isTagCondition(condition)) return NOT_HERE;
    if (!ifRangeHolds(fields, sight)) return undefined;
  }
  const range = resolveRange(spec, sight.bodyBytes);
  return range === undefined || sight.bodyBytes === 0 ? NOT_HERE : range;
}

/** Whether it is a status with content that GET is answered with. */
function isSendable(status: number): boolean {
  return status >= OK && status !== NO_CONTENT && status !== NOT_MODIFIED;
}
