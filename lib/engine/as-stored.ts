/**
 * Replies from below memory that go out as they are stored: status line, fields and body are copied once, and nothing is
 * made of them. Only where that is what handle() replies (test/engine/as-stored.test.ts compares the bytes).
 */
import type { Rule } from '../config/rule.js';
import { markOf } from '../object/made-by.js';
import { ageSecAt } from '../policy/age.js';
import { leavesResponses } from '../policy/client-fields.js';
import type { Glance, PlainSight } from '../store/contract.js';
import type { BytesAsStored, ClientRequest, ReadyReply, Reply, ReplyNote } from './contract.js';
import { type Delivery, toldBehind } from './deliver.js';
import type { EngineSettings } from './parts.js';
import { toldReply, ttlSecAt } from './told.js';

const OK = 200;
const NO_CONTENT = 204;
const NOT_MODIFIED = 304;

/** Which responses go out as they are stored, under the rule that was looked at last. */
export class StandingRule {
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

export class AsStored implements ReadyReply, BytesAsStored {
  readonly status: number;
  readonly note: ReplyNote;
  readonly ageSec: number;
  readonly ttlSec: number;
  readonly isSteady = false;
  readonly isKept = false;
  readonly refresh = undefined;
  written: unknown;
  readonly own: readonly string[];
  readonly #seen: Glance;
  readonly #sight: PlainSight;
  readonly #delivery: Delivery;
  readonly #via: string;
  readonly #now: number;
  readonly #request: ClientRequest;
  readonly #live: EngineSettings;

  constructor(
    seen: Glance,
    sight: PlainSight,
    delivery: Delivery,
    request: ClientRequest,
    now: number,
    live: EngineSettings,
    via: string,
  ) {
    this.status = sight.status;
    this.ageSec = ageSecAt(sight, now);
    this.ttlSec = ttlSecAt(sight, now);
    const { outcome, status, rule, collapsed } = delivery;
    this.note = { outcome, reason: status.detail, rule, ageSec: this.ageSec, collapsed };
    this.own = toldBehind(this.ageSec, delivery, via);
    this.#seen = seen;
    this.#sight = sight;
    this.#delivery = delivery;
    this.#via = via;
    this.#now = now;
    this.#request = request;
    this.#live = live;
  }

  get asStored(): BytesAsStored {
    return this;
  }

  get bytes(): Buffer {
    return this.#sight.bytes;
  }

  get headFrom(): number {
    return this.#sight.headFrom;
  }

  get headUntil(): number {
    return this.#sight.headUntil;
  }

  get bodyFrom(): number {
    return this.#sight.bodyFrom;
  }

  get bodyBytes(): number {
    return this.#sight.bodyBytes;
  }

  /** For whoever cannot take the bytes, and for this moment alone. */
  get reply(): Reply {
    const { stored } = this.#seen;
    if (stored === undefined) throw new Error('what is plain is whole');
    return toldReply(this.#live, this.#request, stored, this.#delivery, this.#now, this.#via);
  }
}
