/** How the settings of refreshes are written, and what is said of them that is hardly meant. */
import { DURATION_FORM, HOUR_MS, parseDuration, SECOND_MS } from '../base/units.js';
import { custom, type JsonSchema, type Option, wanted } from './kinds.js';
import { readMap } from './request-options.js';
import type { RefreshAheadSetting } from './rule.js';
import { DURATION_SCHEMA } from './scalars.js';

const FORM = 'off, or a map of hits and within such as {hits: 10, within: 10m}';
const KEYS = ['hits', 'within'] as const;
const MAX_HITS = 1_000_000_000;
const MIN_WITHIN_MS = SECOND_MS;
const MAX_WITHIN_MS = 24 * HOUR_MS;

/** When what is asked for often is refreshed ahead of its expiry; undefined in code: never. */
export function refreshAheadSetting(doc: string): Option<RefreshAheadSetting, ''> {
  const map: JsonSchema = {
    type: 'object',
    properties: { hits: { type: 'integer', minimum: 1, maximum: MAX_HITS }, within: DURATION_SCHEMA },
    required: KEYS,
    additionalProperties: false,
  };
  const schema = { anyOf: [{ const: 'off' }, map] };
  return custom<RefreshAheadSetting>({ type: 'off | {hits, within}', doc, schema }, (written, report) => {
    // YAML 1.1 readers take a bare off for a boolean.
    if (written === 'off' || written === false) return 'off';
    const said = readMap(written, FORM, KEYS, report);
    if (said === undefined) return undefined;
    const hits = Number(said['hits']);
    if (!/^\d{1,10}$/.test(String(said['hits'])) || hits < 1 || hits > MAX_HITS) {
      report(wanted(`a whole number from 1 to ${MAX_HITS}`, said['hits']), said['hits'] === undefined ? [] : ['hits']);
    }
    const { within } = said;
    const withinMs = typeof within === 'string' ? parseDuration(within) : undefined;
    if (withinMs === undefined || withinMs < MIN_WITHIN_MS || withinMs > MAX_WITHIN_MS) {
      report(wanted(`${DURATION_FORM}, from 1s to 1d`, within), within === undefined ? [] : ['within']);
    }
    return { hits, withinMs: withinMs ?? 0 };
  });
}
