/**
 * Replies from below memory that go out as they are stored: status line, fields and body are copied once, and nothing is
 * made of them. Only where that is what handle() replies (test/front/as-stored.test.ts compares the bytes).
 */
import type { Rule } from '../config/rule.js';
import { markOf } from '../object/made-by.js';
import { ageSecAt } from '../policy/age.js';
import { leavesResponses } from '../policy/client-fields.js';
import { NO_DIRECTIVES } from '../policy/request-directives.js';
import { judgeReuse } from '../policy/reuse.js';
import type { Glance, PlainSight } from '../store/contract.js';
import type { BytesAsStored, HitLines, ReadyReply, Reply } from './contract.js';
import { HitNote, LinesOfHits } from './hit-lines.js';
import { plainRequest } from './plain.js';
import type { ReadySource } from './ready.js';
import { hitDelivery, toldReply, ttlSecAt } from './told.js';

const OK = 200;
const NO_CONTENT = 204;
const NOT_MODIFIED = 304;

/** Which responses go out as they are stored, under the rule that was looked at last. */
class StandingRule {
  #rule: Rule | undefined;
  #mark = 0;
  #isLeft = false;

  /** Whether `rule` made this, and has clients see what is stored, with a body of the length that is stored. */
  leaves({ mark, status }: PlainSight, rule: Rule): boolean {
    if (rule !== this.#rule) {
      this.#rule = rule;
      this.#mark = markOf(rule);
      this.#isLeft = leavesResponses(rule);
    }
    if (!this.#isLeft || mark === 0 || mark !== this.#mark) return false;
    return status >= OK && status !== NO_CONTENT && status !== NOT_MODIFIED;
  }
}

/** One reply after another: each is good until the next one is asked for, or anything else is read from below. */
class AsStored implements ReadyReply, BytesAsStored {
  readonly isSteady = false;
  readonly isKept = false;
  readonly refresh = undefined;
  readonly asStored = this;
  readonly note = new HitNote();
  written: unknown;
  ttlSec = 0;
  lines!: HitLines;
  sight!: PlainSight;
  makeReply!: () => Reply;

  get status(): number {
    return this.sight.status;
  }

  get ageSec(): number {
    return this.note.ageSec;
  }

  get bytes(): Buffer {
    return this.sight.bytes;
  }

  get headFrom(): number {
    return this.sight.headFrom;
  }

  get headUntil(): number {
    return this.sight.headUntil;
  }

  get bodyFrom(): number {
    return this.sight.bodyFrom;
  }

  get bodyBytes(): number {
    return this.sight.bodyBytes;
  }

  /** For whoever cannot take the bytes. */
  get reply(): Reply {
    return this.makeReply();
  }
}

export class StoredReplies {
  readonly #source: ReadySource;
  readonly #standing = new StandingRule();
  readonly #reply = new AsStored();
  readonly #lines = new LinesOfHits();
  #seen: Glance | undefined;
  #host = '';
  #target = '';
  #now = 0;

  constructor(source: ReadySource) {
    this.#source = source;
    this.#reply.makeReply = () => this.#make();
  }

  /** The reply to a GET without a condition that falls under `rule`; undefined where that is not to be sent as it is stored. */
  find(seen: Glance, rule: Rule, host: string, target: string, now: number): ReadyReply | undefined {
    const { plain } = seen;
    const { parts, via } = this.#source;
    if (plain === undefined || parts.live.rules.readsResponse || !this.#standing.leaves(plain, rule)) return undefined;
    const verdict = judgeReuse(plain, NO_DIRECTIVES, now, !parts.origin.healthy);
    if (verdict.kind !== 'serve' || verdict.phase !== 'fresh') return undefined;
    const ttlSec = ttlSecAt(plain, now);
    // One without end is no number.
    if (!Number.isSafeInteger(ttlSec)) return undefined;
    const reply = this.#reply;
    const { note } = reply;
    note.reason = verdict.reason;
    note.rule = rule.name;
    note.ageSec = ageSecAt(plain, now);
    reply.ttlSec = ttlSec;
    reply.sight = plain;
    reply.written = undefined;
    reply.lines = this.#lines.for(verdict.reason, via);
    this.#seen = seen;
    this.#host = host;
    this.#target = target;
    this.#now = now;
    return reply;
  }

  /** The same by way of objects. */
  #make(): Reply {
    const { parts, via } = this.#source;
    const stored = this.#seen?.stored;
    if (stored === undefined) throw new Error('what is plain is whole');
    const { reason, rule } = this.#reply.note;
    const delivery = hitDelivery({ life: stored.life, rule }, 'fresh', reason, this.#now);
    const request = plainRequest(false, this.#host, this.#target, undefined);
    return toldReply(parts.live, request, stored, delivery, this.#now, via);
  }
}
