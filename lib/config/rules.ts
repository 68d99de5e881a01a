/** Which rule a request falls under: the first of `rules` whose path pattern matches, else `defaults`. */

import assert from 'node:assert/strict';
import type { Fields } from '../http/fields.js';
import { compileGlob, type Glob, withPlainEscapes } from './glob.js';
import type { Rule } from './rule.js';
import { SETTING_NAMES } from './rule-options.js';
import type { ConfigSettings, RuleSettings } from './schema.js';

/** What is known of a request when its rule is looked for. */
export interface RuleRequest {
  readonly method: string;
  /** Host and port, in lower case. */
  readonly host: string;
  /** Origin-form: path and query. */
  readonly target: string;
  readonly fields: Fields;
}

export interface Rules {
  /** The rule that a request falls under, as far as the request alone tells: what its key and its way are made by. */
  ruleFor(request: RuleRequest): Rule;
  /** The rule for a response to it: the first one that matches the two together. */
  ruleForResponse(request: RuleRequest, status: number, fields: Fields): Rule;
  /** All rules in the order of the file, `defaults` last: a closed set of names for metrics. */
  readonly all: readonly Rule[];
}

interface Candidate {
  readonly glob: Glob | undefined;
  readonly rule: Rule;
}

/**
 * Candidates by the plain segments that their patterns begin with, as a tree. A node has every candidate that may
 * match a path which leads to it and no further, in the order of the file: a request looks at few rules, however many there are.
 */
interface Node {
  readonly children: Map<string, Node>;
  candidates: readonly Candidate[];
}

/** Resolves what each rule inherits and makes the rules ready to be asked. */
export function makeRules(settings: Pick<ConfigSettings, 'defaults' | 'rules'>): Rules {
  const fallback: Rule = { name: 'defaults', ...settings.defaults };
  const candidates = settings.rules.map((own): Candidate => {
    return { glob: globOf(own), rule: inherit(own, settings.defaults) };
  });
  const tree = buildTree(candidates);
  const all = [...candidates.map(({ rule }) => rule), fallback];
  const ruleFor =
    candidates.length === 0
      ? () => fallback
      : ({ target }: RuleRequest) => firstMatch(tree, pathToMatch(target)) ?? fallback;
  return { ruleFor, ruleForResponse: ruleFor, all };
}

/** What a rule does not say holds as it does above it. */
function inherit(own: RuleSettings, above: ConfigSettings['defaults']): Rule {
  const said = Object.fromEntries(
    SETTING_NAMES.filter((name) => own[name] !== undefined).map((name) => [name, own[name]]),
  );
  return { ...above, ...said, name: own.name };
}

function globOf({ match }: RuleSettings): Glob | undefined {
  if (match.path === undefined) return undefined;
  const compiled = compileGlob(match.path);
  assert('glob' in compiled, 'the option table lets only good patterns through');
  return compiled.glob;
}

/** The segments that every matching path begins with, whole ones only. */
function plainSegments(glob: Glob | undefined): string[] {
  if (glob === undefined) return [];
  const segments = glob.prefix.slice(1).split('/');
  return glob.isExact ? segments : segments.slice(0, -1);
}

function buildTree(candidates: readonly Candidate[]): Node {
  const root: Node = { children: new Map(), candidates: [] };
  const home = new Map<Candidate, Node>();
  for (const candidate of candidates) {
    let node = root;
    for (const segment of plainSegments(candidate.glob)) {
      const child = node.children.get(segment) ?? { children: new Map(), candidates: [] };
      node.children.set(segment, child);
      node = child;
    }
    home.set(candidate, node);
  }
  const collect = (node: Node, above: ReadonlySet<Node>) => {
    const here = new Set([...above, node]);
    node.candidates = candidates.filter((candidate) => here.has(home.get(candidate) ?? root));
    for (const child of node.children.values()) collect(child, here);
  };
  collect(root, new Set());
  return root;
}

function firstMatch(root: Node, path: string): Rule | undefined {
  let node = root;
  let from = 1;
  while (node.children.size > 0 && from > 0) {
    const end = path.indexOf('/', from);
    const child = node.children.get(end < 0 ? path.slice(from) : path.slice(from, end));
    if (child === undefined) break;
    node = child;
    from = end + 1;
  }
  for (const { glob, rule } of node.candidates) if (glob === undefined || glob.matches(path)) return rule;
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
