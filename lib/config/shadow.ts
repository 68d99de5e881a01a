/**
 * Which rules can never be chosen: their conditions exclude one another, or an earlier rule takes all that they match.
 * Says so only where it is certain: two patterns that cannot be compared are held to be different.
 */
import { Fields } from '../http/fields.js';
import { compileConditions } from './conditions.js';
import { compileGlob } from './glob.js';
import type { MatchSettings } from './match-options.js';
import type { RuleSettings } from './rule-options.js';
import { Asked } from './rule-request.js';

/** One rule with all that it asks for, its groups' conditions among them. */
export interface Placed {
  readonly rule: RuleSettings;
  readonly path: readonly (string | number)[];
  /** From the outermost group to the rule itself. */
  readonly matches: readonly MatchSettings[];
}

/** All rules in the order in which they are looked at: inner ones before their group. */
export function placedRules(
  rules: readonly RuleSettings[],
  at: readonly (string | number)[] = ['rules'],
  above: readonly MatchSettings[] = [],
): readonly Placed[] {
  return rules.flatMap((rule, index): Placed[] => {
    const path = [...at, index];
    const matches = [...above, rule.match];
    return [...placedRules(rule.rules ?? [], [...path, 'rules'], matches), { rule, path, matches }];
  });
}

/** Whether every request, or response, that `later` matches is matched by `earlier` too. */
export function isShadowedBy(later: Placed, earlier: Placed): boolean {
  return earlier.matches.every((match) => isImplied(match, later.matches));
}

/** Whether what `match` asks for holds wherever all of `known` do. */
function isImplied(match: MatchSettings, known: readonly MatchSettings[]): boolean {
  const among = <T>(
    wanted: readonly T[] | undefined,
    of: (one: MatchSettings) => readonly T[] | undefined,
  ): boolean => {
    if (wanted === undefined) return true;
    return known.some((one) => of(one)?.every((member) => wanted.includes(member)) === true);
  };
  return (
    isPathImplied(match, known) &&
    among(match.host, ({ host }) => host) &&
    among(match.ext, ({ ext }) => ext) &&
    among(withHead(match.methods), ({ methods }) => withHead(methods)) &&
    among(match.status, ({ status }) => status) &&
    among(match.contentType, ({ contentType }) => contentType) &&
    (match.pathRegex === undefined || known.some(({ pathRegex }) => pathRegex === match.pathRegex)) &&
    areNamed(
      match.header,
      known.map(({ header }) => header),
    ) &&
    areNamed(
      match.cookie,
      known.map(({ cookie }) => cookie),
    ) &&
    areNamed(
      match.query,
      known.map(({ query }) => query),
    )
  );
}

function withHead(methods: readonly string[] | undefined): readonly string[] | undefined {
  return methods?.includes('GET') === true ? [...methods, 'HEAD'] : methods;
}

type Expectations = MatchSettings['header'];

/** Each expectation is one of those known, or weaker than it: a value is there where it is a certain one. */
function areNamed(wanted: Expectations, known: readonly Expectations[]): boolean {
  return [...(wanted ?? [])].every(([name, expected]) =>
    known.some((one) => {
      const own = one?.get(name);
      return own === expected || (expected === true && typeof own === 'string');
    }),
  );
}

function isPathImplied(match: MatchSettings, known: readonly MatchSettings[]): boolean {
  const { path, pathPrefix, pathExact } = match;
  const takes = (text: string, isWhole: boolean): boolean =>
    (path === undefined || path.some((glob) => globTakes(glob, text, isWhole))) &&
    (pathPrefix === undefined || pathPrefix.some((prefix) => text.startsWith(prefix))) &&
    (pathExact === undefined || (isWhole && pathExact.includes(text)));
  if (path === undefined && pathPrefix === undefined && pathExact === undefined) return true;
  return known.some((one) => {
    if (one.path !== undefined && path !== undefined && pathPrefix === undefined && pathExact === undefined) {
      if (one.path.every((glob) => path.includes(glob))) return true;
    }
    const texts = pathTexts(one);
    return texts?.every(({ text, isWhole }) => takes(text, isWhole)) === true;
  });
}

/** What every path that a match takes begins with, or is. */
function pathTexts(match: MatchSettings): readonly { text: string; isWhole: boolean }[] | undefined {
  if (match.pathExact !== undefined) return match.pathExact.map((text) => ({ text, isWhole: true }));
  if (match.pathPrefix !== undefined) return match.pathPrefix.map((text) => ({ text, isWhole: false }));
  return match.path?.map((glob) => {
    const compiled = compileGlob(glob);
    const known = 'glob' in compiled ? compiled.glob : undefined;
    return { text: known?.prefix ?? '', isWhole: known?.isExact === true };
  });
}

/** Whether a pattern takes a path, or every path that begins so. */
function globTakes(glob: string, text: string, isWhole: boolean): boolean {
  const compiled = compileGlob(glob);
  if (!('glob' in compiled)) return false;
  if (isWhole) return compiled.glob.matches(text);
  // `/a/**` takes all that begins with /a/; of other patterns nothing is certain.
  return /^[^*?\\]*\*\*$/.test(glob) && text.startsWith(compiled.glob.prefix);
}

/** The two conditions of a rule that exclude one another, in words; undefined where none are found to. */
export function contradiction({ matches }: Placed): string | undefined {
  for (const match of matches) {
    for (const other of matches) {
      const missed = match.pathExact?.every((path) => !takesPath(other, path));
      if (missed === true) return 'no path of its path_exact is one that the rest of its match takes';
    }
  }
  return undefined;
}

function takesPath(match: MatchSettings, path: string): boolean {
  const { pathExact: _, ...others } = match;
  const ofPaths = compileConditions({ ...others, pathExact: undefined }).request.filter(
    ({ key }) => key.startsWith('path') || key === 'ext',
  );
  const one = new Asked().begin({ method: 'GET', host: '', target: path, fields: Fields.empty }, path);
  return ofPaths.every((condition) => condition.holds(one));
}
