/** How the query of a target goes into its key: as it is, or in one form for all that mean the same to the origin. */
import type { QuerySetting } from '../config/rule.js';
import { decodeQuery, type QueryPair, queryPairs, splitTarget } from '../http/query.js';

/** The target as the key has it. The origin is sent the client's own. */
export function targetForKey(target: string, setting: QuerySetting): string {
  if (setting.kind === 'keep') return target;
  const [path, query] = splitTarget(target);
  if (query === undefined || setting.kind === 'ignore') return path;
  const pairs = queryPairs(query).filter((pair) => isKept(pair, setting));
  // By name alone: of several values of one name the order may mean something, and a stable sort keeps it.
  pairs.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  return pairs.length === 0 ? path : `${path}?${pairs.map(({ raw }) => raw).join('&')}`;
}

function isKept({ name }: QueryPair, setting: QuerySetting): boolean {
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
