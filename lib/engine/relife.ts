/**
 * What another rule makes of a stored response. The fields are stored as the origin sent them, so that a changed
 * configuration holds for what is stored already: it lives longer or shorter, or may not be shared any more.
 */
import type { Timer } from '../base/clock.js';
import { stackOf } from '../base/errors.js';
import { RELIFE_STEP_COUNT, STORE_STEP_DELAY_MS } from '../base/limits.js';
import type { Rule } from '../config/rule.js';
import type { RuleRequest, Rules } from '../config/rules.js';
import { Fields } from '../http/fields.js';
import { type StoredResponse, urlInKey } from '../object/stored.js';
import { expiredLife } from '../policy/expire.js';
import { splitUrl } from '../policy/key.js';
import { lifeOf } from '../policy/lifetime.js';
import { judgeStorable } from '../policy/storable.js';
import { tagsOf } from '../policy/tags.js';
import type { EngineParts } from './parts.js';

/** Puts everything that is stored under the rules that hold now, in steps, after a reload. */
export class Relifing {
  readonly #parts: EngineParts;
  #timer: Timer | undefined;

  constructor(parts: EngineParts) {
    this.#parts = parts;
  }

  /** Begins from the start: what a lookup meets before is put under its rule there. */
  start(): void {
    this.stop();
    this.#step(0);
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #step(from: number): void {
    const { store, clock } = this.#parts;
    const next = store.scan(from, RELIFE_STEP_COUNT, (stored) => this.#tryToVisit(stored));
    this.#timer = next === undefined ? undefined : clock.after(STORE_STEP_DELAY_MS, () => this.#step(next));
  }

  /** A fault leaves this one as it is: a lookup that meets it tells of it again. */
  #tryToVisit(stored: StoredResponse): void {
    try {
      this.#visit(stored);
    } catch (error) {
      const told = { key: stored.key, error: stackOf(error) };
      this.#parts.events.notice('error', 'internal', 'A stored response could not be put under its rule', told);
    }
  }

  /**
   * So that a longer keep holds before the old one is over, and memory that a shorter one frees is given back. Nothing is
   * dropped here: which rule it falls under may depend on what only its next request tells.
   */
  #visit(stored: StoredResponse): void {
    const { store, live } = this.#parts;
    const at = splitUrl(urlInKey(stored.key));
    if (at === undefined || stored.madeBy === undefined) return;
    const request = { method: 'GET', host: at.host, target: at.target, fields: Fields.empty };
    const rule = live.rules.ruleForResponse(request, stored.status, stored.fields);
    if (rule === stored.madeBy) return;
    const next = relifed(stored, rule);
    if (next !== undefined) store.swap(stored, next);
  }
}

/** The record under the rule that holds for it and this request: itself where that one made it. Undefined as for relifed(). */
export function relifedFor(chosen: StoredResponse, request: RuleRequest, rules: Rules): StoredResponse | undefined {
  const rule = rules.ruleForResponse(request, chosen.status, chosen.fields);
  return chosen.madeBy === rule || chosen.madeBy === undefined ? chosen : relifed(chosen, rule);
}

/** The record under `rule`; undefined where it would not be stored under it. */
export function relifed(stored: StoredResponse, rule: Rule): StoredResponse | undefined {
  const { status, receivedWall, despite = [] } = stored;
  // What of the request forbade to share it is not known any more; that it did, is.
  if (despite.some((override) => !rule[override])) return undefined;
  const verdict = judgeStorable({
    method: 'GET',
    requestFields: Fields.empty,
    status,
    fields: stored.fields,
    rule,
    receivedWall,
  });
  if (!verdict.store) return undefined;
  const receivedAt = stored.receivedAt ?? stored.fetchedAt;
  const life = lifeOf({
    status,
    fields: stored.fields,
    rule,
    initialAgeMs: Math.max(0, receivedAt - stored.life.bornAt),
    receivedAt,
    receivedWall,
    chance: stored.chance ?? 0,
  });
  return {
    ...stored,
    // The same object where nothing is taken out: it is held once, and not written below anew.
    fields: verdict.fields.count === stored.fields.count ? stored.fields : verdict.fields,
    life: stored.expiredAt === undefined ? life : expiredLife(life, stored.expiredAt),
    tags: tagsOf(verdict.fields, rule.tagsFrom),
    rule: rule.name,
    madeBy: rule,
  };
}
