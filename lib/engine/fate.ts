/**
 * What came while an answer was on its way: a purge or an update, which win over it; an expiry, after which it may be
 * stored but not be fresh; and either of these for a tag, of which nobody knows whether the answer carries it before its
 * head is here.
 */
import { MAX_MEANINGS_PER_FATE, MAX_TAGS_PER_FATE, UNREAD_BODY_MAX_MS } from '../base/limits.js';
import type { Life, StoredResponse } from '../object/stored.js';

/** What an operator does to an answer on its way. */
export type Effect = 'purge' | 'expire';

/** Whether what others have is meant by what an operator did. */
export type Meaning = (stored: StoredResponse) => boolean;

const ALL: Meaning = () => true;

export class Fate {
  /** A purge or an update came while the present request was in flight: its answer is not stored. */
  isSuperseded = false;
  /** That happened at any time: what was stored then is nobody's any more, whatever was asked since. */
  wasSuperseded = false;
  /** The answer is stored, but it is stale: somebody knows of something newer. */
  isExpired = false;
  /** Its head carries a tag that something was done to. */
  isCaught = false;
  #tags: Map<string, Effect> | undefined;
  /** Of each that came. */
  #meanings: Meaning[] | undefined;

  /** `isMeant`: of what others have, where they may have what is none of its business. */
  apply(effect: Effect, isMeant: Meaning = ALL): void {
    this.#meanings ??= [];
    if (this.#meanings.length < MAX_MEANINGS_PER_FATE) this.#meanings.push(isMeant);
    else this.#meanings = new Array(MAX_MEANINGS_PER_FATE).fill(ALL);
    if (effect === 'expire') this.isExpired = true;
    else {
      this.isSuperseded = true;
      this.wasSuperseded = true;
    }
  }

  /** The same, if the answer turns out to carry this tag. With too many of them it is taken to carry one. */
  applyTo(tag: string, effect: Effect): void {
    this.#tags ??= new Map();
    if (this.#tags.size >= MAX_TAGS_PER_FATE) this.apply('purge');
    else if (this.#tags.get(tag) !== 'purge') this.#tags.set(tag, effect);
  }

  /** The head is here: applies what was waiting for its tags. Returns whether anything was. */
  read(tags: () => readonly string[] | undefined): boolean {
    if (this.#tags === undefined) return false;
    for (const tag of tags() ?? []) {
      const effect = this.#tags.get(tag);
      if (effect !== undefined) this.apply(effect);
      this.isCaught ||= effect !== undefined;
    }
    return this.isCaught;
  }

  /** Whether any of that is about what others have; else it may be taken, as what nothing has happened to. */
  isAbout(stored: StoredResponse): boolean {
    this.read(() => stored.tags);
    if (!this.isSuperseded && !this.isExpired) return false;
    return this.#meanings?.some((isMeant) => isMeant(stored)) !== false;
  }

  /** Nobody reads what arrives, and what it will store nobody may use any more: an endless stream would go on for ever. */
  isPointless(life: Life | undefined, now: number): boolean {
    if (this.isSuperseded) return true;
    return life !== undefined && now > Math.max(life.staleAt, life.graceUntil) + UNREAD_BODY_MAX_MS;
  }

  /** The request is sent anew, or something is taken that is none of it: all that came so far is about something else. */
  askedAnew(): void {
    this.isSuperseded = false;
    this.isExpired = false;
    this.isCaught = false;
    this.#tags = undefined;
    this.#meanings = undefined;
  }
}
