/** Which rule a request falls under: the first of `rules` whose path pattern matches, else `defaults`. */

import assert from 'node:assert/strict';
import { compileGlob, type Glob, withPlainEscapes } from './glob.js';
import type { Rule } from './rule.js';
import type { ConfigSettings, RuleSettings } from './schema.js';

export interface Rules {
  /** The rule for a path; a query behind it is left out of account. */
  ruleFor(target: string): Rule;
  /** All rules in the order of the file, `defaults` last: a closed set of names for metrics. */
  readonly all: readonly Rule[];
}

interface Candidate {
  readonly glob: Glob | undefined;
  readonly rule: Rule;
}

/**
 * Candidates by first path segment, each list in the order of the file and complete in itself, so that a request
 * looks at few of them however many rules there are.
 */
interface Index {
  readonly bySegment: ReadonlyMap<string, readonly Candidate[]>;
  /** For a first segment that no pattern names: the candidates that may match any. */
  readonly otherwise: readonly Candidate[];
}

/** Resolves what each rule inherits and makes the rules ready to be asked. */
export function makeRules(settings: Pick<ConfigSettings, 'defaults' | 'rules'>): Rules {
  const fallback: Rule = { name: 'defaults', ...settings.defaults };
  const candidates = settings.rules.map((own): Candidate => {
    return { glob: globOf(own), rule: inherit(own, settings.defaults) };
  });
  const index = buildIndex(candidates);
  const all = [...candidates.map(({ rule }) => rule), fallback];
  if (candidates.length === 0) return { ruleFor: () => fallback, all };
  return { ruleFor: (target) => firstMatch(index, pathToMatch(target)) ?? fallback, all };
}

function inherit(own: RuleSettings, defaults: ConfigSettings['defaults']): Rule {
  return {
    name: own.name,
    ttl: own.ttl ?? defaults.ttl,
    grace: own.grace ?? defaults.grace,
    keep: own.keep ?? defaults.keep,
    staleIfError: own.staleIfError ?? defaults.staleIfError,
    setCookie: own.setCookie ?? defaults.setCookie,
    staleDespite: own.staleDespite ?? defaults.staleDespite,
  };
}

function globOf({ match }: RuleSettings): Glob | undefined {
  if (match.path === undefined) return undefined;
  const compiled = compileGlob(match.path);
  assert('glob' in compiled, 'the option table lets only good patterns through');
  return compiled.glob;
}

/** The first segment that every path of the pattern has, or undefined where it may have any. */
function segmentOf(glob: Glob | undefined): string | undefined {
  if (glob === undefined) return undefined;
  if (glob.isExact) return firstSegment(glob.prefix);
  const end = glob.prefix.indexOf('/', 1);
  return end < 0 ? undefined : glob.prefix.slice(1, end);
}

function firstSegment(path: string): string {
  const end = path.indexOf('/', 1);
  return end < 0 ? path.slice(1) : path.slice(1, end);
}

function buildIndex(candidates: readonly Candidate[]): Index {
  const otherwise = candidates.filter(({ glob }) => segmentOf(glob) === undefined);
  const bySegment = new Map<string, Candidate[]>();
  for (const { glob } of candidates) {
    const segment = segmentOf(glob);
    if (segment !== undefined) bySegment.set(segment, []);
  }
  for (const candidate of candidates) {
    const segment = segmentOf(candidate.glob);
    const lists = segment === undefined ? bySegment.values() : [bySegment.get(segment)];
    for (const list of lists) list?.push(candidate);
  }
  return { bySegment, otherwise };
}

function firstMatch({ bySegment, otherwise }: Index, path: string): Rule | undefined {
  const candidates = bySegment.size === 0 ? otherwise : (bySegment.get(firstSegment(path)) ?? otherwise);
  for (const { glob, rule } of candidates) if (glob === undefined || glob.matches(path)) return rule;
  return undefined;
}

/**
 * The path in the form that patterns are written in. Origins take `/%61dmin` and `/x/../admin` for `/admin`
 * (RFC 3986 §6.2.2.2-6.2.2.3), so a rule must not be dodged, or drawn over other pages, by another spelling.
 * The key and what the origin is sent keep the client's own spelling.
 */
function pathToMatch(target: string): string {
  const query = target.indexOf('?');
  const path = query < 0 ? target : target.slice(0, query);
  const plain = path.includes('%') ? withPlainEscapes(path) : path;
  return plain.includes('/.') ? withoutDotSegments(plain) : plain;
}

/** RFC 3986 §5.2.4. */
function withoutDotSegments(path: string): string {
  const out: string[] = [];
  const segments = path.split('/').slice(1);
  for (const [index, segment] of segments.entries()) {
    const isLast = index === segments.length - 1;
    if (segment === '..') out.pop();
    else if (segment !== '.') out.push(segment);
    if (isLast && (segment === '.' || segment === '..')) out.push('');
  }
  return `/${out.join('/')}`;
}
