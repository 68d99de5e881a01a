/**
 * What another rule makes of a stored response. The fields are stored as the origin sent them, so that a changed
 * configuration holds for what is stored already: it lives longer or shorter, or may not be shared any more.
 */
import type { Rule } from '../config/rule.js';
import { Fields } from '../http/fields.js';
import type { StoredResponse } from '../object/stored.js';
import { expiredLife } from '../policy/expire.js';
import { lifeOf } from '../policy/lifetime.js';
import { judgeStorable } from '../policy/storable.js';

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
    // The same object where nothing is taken out: by it a late 304 knows what it is about.
    fields: verdict.fields.count === stored.fields.count ? stored.fields : verdict.fields,
    life: stored.expiredAt === undefined ? life : expiredLife(life, stored.expiredAt),
    rule: rule.name,
    madeBy: rule,
  };
}
