/** How the query of a target goes into its key: as it is, or in one form for all that mean the same to the origin. */
import type { QuerySetting } from '../config/rule.js';
import { decodeQuery, type QueryPair, queryPairs, sortedPairs, splitTarget, writtenPairs } from '../http/query.js';

/** The target as the key has it. The origin is sent the client's own. */
export function targetForKey(target: string, setting: QuerySetting): string {
  if (setting.kind === 'keep') return target;
  const [path, query] = splitTarget(target);
  if (query === undefined || setting.kind === 'ignore') return path;
  const pairs = queryPairs(query).filter((pair) => isKept(pair, setting));
  if (pairs.length === 0) return path;
  // For some origins a parameter ends at `;` too, so that the order of pairs with one in them may mean something.
  return `${path}?${writtenPairs(query.includes(';') ? pairs : sortedPairs(pairs))}`;
}

function isKept({ name, raw }: QueryPair, setting: QuerySetting): boolean {
  // What an origin may read as another parameter must not be left out of the key, or one client could have the page
  // for it stored for all: `utm_x=1;q=2`.
  if (raw.includes(';')) return true;
  if (setting.kind === 'only') return setting.names.includes(decodeQuery(name));
  if (setting.kind !== 'drop') return true;
  const decoded = decodeQuery(name);
  return !setting.names.some((own) => isNamed(own, decoded));
}

/** `utm_*` names all that begin so. */
function isNamed(pattern: string, name: string): boolean {
  return pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : name === pattern;
}

/** Whether `exact` lets this target be cached: it has the parameters that the rule names, and no others. */
export function isExactQuery(target: string, names: readonly string[]): boolean {
  const [, query] = splitTarget(target);
  const pairs = query === undefined ? [] : queryPairs(query);
  return pairs.every(({ name }) => names.includes(decodeQuery(name)));
}
