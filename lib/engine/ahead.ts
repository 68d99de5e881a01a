/** When a stored response is looked at, ahead of its expiry, and whether it is then popular enough to be refreshed (rule key `refresh_ahead`). */
import { AHEAD_LEAD_MAX_MS, AHEAD_LEAD_MIN_MS } from '../base/refresh-limits.js';
import type { RefreshAheadSetting, Rule } from '../config/rule.js';
import type { Rules } from '../config/rules.js';
import type { StoredResponse } from '../object/stored.js';
import type { DemandPlan, DemandWatch } from '../store/contract.js';

/** Part of a lifetime before whose end a refresh is due. */
const LEAD_SHARE = 0.1;

export class AheadRules {
  /** The rules that refresh ahead, by themselves and by their names: a record that comes from elsewhere has but the name. */
  readonly #settings = new Map<object | string, Exclude<RefreshAheadSetting, 'off'>>();

  constructor(rules: Rules) {
    for (const rule of rules.all) {
      if (rule.refreshAhead === 'off' || !refreshes(rule)) continue;
      this.#settings.set(rule, rule.refreshAhead);
      this.#settings.set(rule.name, rule.refreshAhead);
    }
  }

  get isEmpty(): boolean {
    return this.#settings.size === 0;
  }

  /** Undefined where it is not to be refreshed ahead, or is never fresh. */
  planFor({ life, partial, madeBy, rule, receivedAt, fetchedAt }: StoredResponse): DemandPlan | undefined {
    const setting = this.#settings.get(madeBy ?? rule);
    if (setting === undefined || partial !== undefined || life.alwaysValidate || life.validateByRule) return undefined;
    const freshMs = life.staleAt - (receivedAt ?? fetchedAt);
    if (freshMs <= 0) return undefined;
    const leadMs = Math.min(Math.max(freshMs * LEAD_SHARE, AHEAD_LEAD_MIN_MS), AHEAD_LEAD_MAX_MS, freshMs / 2);
    return { at: life.staleAt - leadMs, withinMs: setting.withinMs };
  }

  isPopular({ madeBy, rule }: StoredResponse, hits: number): boolean {
    const setting = this.#settings.get(madeBy ?? rule);
    return setting !== undefined && hits >= setting.hits;
  }

  /** What the store is to tell; undefined where no rule refreshes ahead, so that nothing is kept for it. */
  watch(popular: (stored: StoredResponse, hits: number) => void): DemandWatch | undefined {
    if (this.isEmpty) return undefined;
    return {
      planFor: (stored) => this.planFor(stored),
      due: (stored, hits) => {
        if (this.isPopular(stored, hits)) popular(stored, hits);
      },
    };
  }
}

/** Whether the origin is asked under a rule of its own accord. */
function refreshes({ pass, push }: Rule): boolean {
  return !pass && push === 'off';
}
