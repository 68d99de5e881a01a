/** One reply that is ready: what of it changes with time, and until when it is the same. */
import { SECOND_MS } from '../base/units.js';
import { Fields } from '../http/fields.js';
import type { StoredResponse } from '../object/stored.js';
import { ageSecAt } from '../policy/age.js';
import type { ClientRequest, ReadyReply, Reply, ReplyNote } from './contract.js';
import { ttlSecAt } from './told.js';

const NOT_MADE: Reply = {
  status: 500,
  reasonPhrase: '',
  fields: Fields.empty,
  payload: { kind: 'none' },
  note: { outcome: 'ERROR', reason: 'internal', rule: '', ageSec: undefined, collapsed: false },
};

/** One reply, and until when it is the same. */
export class Answer implements ReadyReply {
  until = Number.NEGATIVE_INFINITY;
  /** The If-None-Match that it answers. */
  condition: string | undefined;
  written: unknown;
  isSteady = false;
  isKept = true;
  refresh: ((asked: ClientRequest) => void) | undefined;
  ageSec = 0;
  ttlSec = 0;
  note: ReplyNote = NOT_MADE.note;
  #reply: Reply = NOT_MADE;
  #make: ((at: number) => Reply) | undefined;
  #at = 0;
  #isOutdated = false;

  get status(): number {
    return this.#reply.status;
  }

  get reply(): Reply {
    if (this.#isOutdated && this.#make !== undefined) this.#reply = this.#make(this.#at);
    this.#isOutdated = false;
    return this.#reply;
  }

  /** Another reply. `make` makes it for a moment. */
  become(make: (at: number) => Reply, at: number, isSteady: boolean): void {
    this.#make = make;
    this.#reply = make(at);
    this.#isOutdated = false;
    this.isSteady = isSteady;
    this.note = this.#reply.note;
    this.written = undefined;
  }

  /** Takes what the reply says of its age now, and until when. */
  tell(stored: StoredResponse, now: number): void {
    this.ageSec = ageSecAt(stored.life, now);
    this.ttlSec = ttlSecAt(stored.life, now);
    this.until = Math.min(nextSecond(stored.life.bornAt, now), lastSecond(stored.life.staleAt, now));
  }

  /** One that is used once. */
  be(reply: Reply): void {
    this.#reply = reply;
    this.note = reply.note;
    this.isKept = false;
  }

  /** The same one, later. */
  grow(at: number): void {
    const { outcome, reason, rule, collapsed } = this.note;
    this.note = { outcome, reason, rule, ageSec: this.ageSec, collapsed };
    this.#at = at;
    this.#isOutdated = true;
  }
}

/** When the age in whole seconds is the next one. */
function nextSecond(since: number, now: number): number {
  return since + (Math.floor((now - since) / SECOND_MS) + 1) * SECOND_MS;
}

/** When the whole seconds that are left are fewer. */
function lastSecond(end: number, now: number): number {
  return end - Math.floor((end - now) / SECOND_MS) * SECOND_MS;
}
