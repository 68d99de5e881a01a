/** What a reload changed, in the words of the conf file: one line for each option that is not what it was. */
import { MAX_CHANGE_TEXT, MAX_CONFIG_PROBLEMS } from '../base/config-limits.js';
import { withoutPassword } from './secrets.js';

/** Options whose new value is that of the next start alone. */
const AT_NEXT_START = [['workers'], ['cache', 'disk']] as const;

/**
 * Lines such as `defaults.ttl: 10s -> 20s`, from two documents as a person wrote them. Entries of a list that have a name,
 * as rules do, are told apart by it, and a new order of them is a change of its own. `isSecret` says of a path whether
 * its value is to be hidden.
 */
export function changesBetween(
  before: unknown,
  after: unknown,
  isSecret: (path: string) => boolean,
): readonly string[] {
  const lines: string[] = [];
  compare('', before, after, (path, old, now) => {
    const show = (value: unknown): string => (isSecret(path) && value !== undefined ? '(hidden)' : shown(value));
    const when = waits(path, old, now) ? ', from the next start on' : '';
    lines.push(`${path}: ${show(old)} -> ${show(now)}${when}`);
  });
  const surplus = lines.length - MAX_CONFIG_PROBLEMS;
  return surplus > 0 ? [...lines.slice(0, MAX_CONFIG_PROBLEMS), `and ${surplus} more changes`] : lines;
}

type Tell = (path: string, before: unknown, after: unknown) => void;

function compare(path: string, before: unknown, after: unknown, tell: Tell): void {
  if (isNamedList(before) || isNamedList(after)) compareNamed(path, asList(before), asList(after), tell);
  else if (isMap(before) && isMap(after)) {
    for (const key of new Set([...Object.keys(before), ...Object.keys(after)])) {
      compare(path === '' ? key : `${path}.${key}`, before[key], after[key], tell);
    }
  } else if (JSON.stringify(before) !== JSON.stringify(after)) tell(path, before, after);
}

function compareNamed(path: string, before: readonly Named[], after: readonly Named[], tell: Tell): void {
  const old = new Map(before.map((entry) => [entry.name, entry]));
  const now = new Map(after.map((entry) => [entry.name, entry]));
  for (const name of new Set([...old.keys(), ...now.keys()])) {
    compare(`${path}.${name}`, old.get(name), now.get(name), tell);
  }
  const order = (entries: readonly Named[], others: ReadonlyMap<string, Named>) =>
    entries.map(({ name }) => name).filter((name) => others.has(name));
  const [first, second] = [order(before, now), order(after, old)];
  if (first.join() !== second.join()) tell(`order of ${path}`, first, second);
}

/** Whether a change at `path` is, or holds, one of what waits for the next start. */
function waits(path: string, before: unknown, after: unknown): boolean {
  return AT_NEXT_START.some((option) => {
    const dotted = option.join('.');
    if (path === dotted || path.startsWith(`${dotted}.`)) return true;
    if (!dotted.startsWith(`${path}.`)) return false;
    const inner = option.slice(path.split('.').length);
    return JSON.stringify(within(before, inner)) !== JSON.stringify(within(after, inner));
  });
}

function within(value: unknown, path: readonly string[]): unknown {
  return path.reduce((found: unknown, key) => (isMap(found) ? found[key] : undefined), value);
}

interface Named {
  readonly name: string;
}

function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isNamedList(value: unknown): value is readonly Named[] {
  return (
    Array.isArray(value) &&
    value.length > 0 &&
    value.every((entry) => isMap(entry) && typeof entry['name'] === 'string')
  );
}

function asList(value: unknown): readonly Named[] {
  return isNamedList(value) ? value : [];
}

/** As it would stand in the file, on one line and short. */
function shown(value: unknown): string {
  if (value === undefined) return '(default)';
  const text = withoutPassword(typeof value === 'string' ? value : JSON.stringify(value));
  return text.length > MAX_CHANGE_TEXT ? `${text.slice(0, MAX_CHANGE_TEXT - 3)}...` : text;
}
