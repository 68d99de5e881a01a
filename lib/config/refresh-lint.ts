/** What is allowed in the settings of refreshes and is of no use there: each with its consequence. */
import { REFRESH_CONCURRENCY } from '../base/refresh-limits.js';
import { formatDuration, SECOND_MS } from '../base/units.js';
import type { Warning } from './dangers.js';
import type { StatusSetting } from './rule.js';
import type { RuleSettings } from './rule-options.js';
import type { ConfigSettings } from './schema.js';

type Path = readonly (string | number)[];
type Said = Partial<Omit<RuleSettings, 'name' | 'match' | 'rules'>>;

/** Hits in a second that no response has: a whole machine does not serve that many of all together. */
const MAX_HITS_PER_SECOND = 200_000;

/** `refresh_ahead` where nothing can come of it. `said`: by a rule or by `defaults`; what it leaves out is in `defaults`. */
export function pointlessAhead(said: Said, path: Path, { defaults }: ConfigSettings): Warning[] {
  const { refreshAhead } = said;
  if (refreshAhead === undefined || refreshAhead === 'off') return [];
  const at = [...path, 'refresh_ahead'];
  const warn = (sentence: string): Warning[] => [{ code: 'pointless-refresh-ahead', path: at, sentence }];
  if (said.pass ?? defaults.pass) return warn('requests of this rule go past the cache: nothing is refreshed');
  if ((said.push ?? defaults.push) !== 'off') return warn('only what was pushed is served: the origin is not asked');
  if ((said.validate ?? defaults.validate) === 'always') {
    return warn('the origin is asked at every use (validate: always): nothing is ever fresh without that');
  }
  if (isNeverFresh(said.ttl ?? defaults.ttl)) return warn('with a ttl of 0 nothing is ever fresh, ahead or not');
  const { hits, withinMs } = refreshAhead;
  if (hits > (withinMs / SECOND_MS) * MAX_HITS_PER_SECOND) {
    return warn(`nothing is asked for ${hits} times within ${formatDuration(withinMs)}: it never happens`);
  }
  return [];
}

function isNeverFresh(ttl: StatusSetting): boolean {
  if (ttl.kind === 'fixed') return ttl.ms === 0;
  return ttl.kind === 'bounded' && ttl.maxMs === 0;
}

/** A budget that is larger than what it is to be spent on. */
export function idleBudget({ origin }: ConfigSettings): Warning[] {
  const { connections, refresh } = origin;
  // The default is larger than few connections, and nobody's mistake.
  if (refresh.concurrency < connections || refresh.concurrency === REFRESH_CONCURRENCY) return [];
  const left = Math.max(1, connections - 1);
  const sentence = `of ${connections} connections (origin.connections) one is left to clients: no more than ${left} refreshes run at once`;
  return [{ code: 'idle-refresh-budget', path: ['origin', 'refresh', 'concurrency'], sentence }];
}
