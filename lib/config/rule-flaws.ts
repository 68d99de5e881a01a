/** What is wrong with rules taken together, or with two keys of one: each key by itself may be right. */
import type { Flaw } from './kinds.js';

/**
 * Settings that a request goes by before there is a response: a rule that is chosen by its response comes too late
 * for them.
 */
const OF_THE_REQUEST: readonly string[] = [
  'cold',
  'methods',
  'query',
  'key',
  'normalize',
  'validate',
  'pass',
  'push',
  'request',
];

type Written = Readonly<Record<string, unknown>>;
type Path = readonly (string | number)[];

function isMap(value: unknown): value is Written {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Of a document as written, good or not. */
export function ruleFlaws(written: unknown): readonly Flaw[] {
  const flaws: Flaw[] = [];
  const seen = new Set<string>();
  eachRule(isMap(written) ? written['rules'] : undefined, ['rules'], false, (rule, path, isByResponse) => {
    const { name } = rule;
    if (typeof name === 'string' && seen.has(name)) {
      flaws.push(flaw([...path, 'name'], `another rule has the name ${JSON.stringify(name)} already`));
    }
    if (typeof name === 'string') seen.add(name);
    if (!isByResponse) return;
    for (const key of OF_THE_REQUEST) {
      if (key in rule)
        flaws.push(flaw([...path, key], 'a rule that matches by status or content_type is chosen too late for this'));
    }
  });
  return flaws;
}

function flaw(path: Path, message: string): Flaw {
  return { path, message, unknown: undefined };
}

/** Each rule, inner ones too; `isByResponse`: it, or a group that it is in, asks for something of the response. */
function eachRule(
  rules: unknown,
  at: Path,
  isInByResponse: boolean,
  visit: (rule: Written, path: Path, isByResponse: boolean) => void,
): void {
  if (!Array.isArray(rules)) return;
  for (const [index, rule] of rules.entries()) {
    if (!isMap(rule)) continue;
    const path = [...at, index];
    const { match } = rule;
    const isByResponse = isInByResponse || (isMap(match) && ('status' in match || 'content_type' in match));
    visit(rule, path, isByResponse);
    eachRule(rule['rules'], [...path, 'rules'], isByResponse, visit);
  }
}
