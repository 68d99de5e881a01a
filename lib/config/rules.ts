/**
 * Which rule a request, and then a response to it, falls under: the first of `rules` whose conditions all hold, else
 * `defaults`. A group stands behind its inner rules, which inherit from it.
 */
import type { Fields } from '../http/fields.js';
import { oneMaker } from '../object/made-by.js';
import {
  bothConditions,
  type Condition,
  type Conditions,
  compileConditions,
  type ResponseCondition,
} from './conditions.js';
import type { Keying, Rule } from './rule.js';
import { type RuleSettings, SETTING_NAMES } from './rule-options.js';
import { Asked, pathToMatch, type RuleRequest } from './rule-request.js';
import type { ConfigSettings } from './schema.js';

export type { RuleRequest } from './rule-request.js';

export interface Rules {
  /** The rule that a request falls under, as far as the request alone tells: what its key and its way are made by. */
  ruleFor(request: RuleRequest): Rule;
  /** The rule for a response to it: the first one that matches the two together. */
  ruleForResponse(request: RuleRequest, status: number, fields: Fields): Rule;
  /** All rules in the order in which they are looked at, `defaults` last: a closed set of names for metrics. */
  readonly all: readonly Rule[];
  /** The same rules with what they ask for, to explain a choice by. */
  readonly candidates: readonly Candidate[];
  /** The ways in which some rule makes its keys, each once. */
  readonly keyings: readonly Keying[];
  /** Whether some rule asks for a field of the request, and so cannot be told from its host and target. */
  readonly readsFields: boolean;
  /** Whether some rule is for some methods alone. */
  readonly readsMethod: boolean;
  /** Whether some rule is for some responses alone. */
  readonly readsResponse: boolean;
}

/** A rule with its conditions. */
export interface Candidate {
  readonly rule: Rule;
  readonly conditions: Conditions;
}

/** The response that a rule is looked for with. */
export interface RuleResponse {
  readonly status: number;
  readonly fields: Fields;
}

/**
 * Candidates by the plain segments that their patterns begin with, as a tree. A node has every candidate that may
 * match a path which leads to it and no further, in the order of the file: a request looks at few rules, however many there are.
 */
interface Node {
  readonly children: Map<string, Node>;
  candidates: readonly Candidate[];
}

/**
 * Resolves what each rule inherits and makes the rules ready to be asked. A rule that says the same as one of `before`
 * is that very one: what it made stays as it is.
 */
export function makeRules(settings: Pick<ConfigSettings, 'defaults' | 'rules'>, before?: Rules): Rules {
  const known = new Map(before?.all.map((rule) => [formOf(rule), rule]));
  const same = (rule: Rule): Rule => {
    const form = formOf(rule);
    return known.get(form) ?? oneMaker(rule, form);
  };
  const fallback = same({ name: 'defaults', ...settings.defaults });
  const candidates = settings.rules
    .flatMap((own) => flatten(own, settings.defaults, undefined))
    .map(({ rule, conditions }) => ({ rule: same(rule), conditions }));
  const all = [...candidates.map(({ rule }) => rule), fallback];
  if (candidates.length === 0) {
    return {
      ruleFor: () => fallback,
      ruleForResponse: () => fallback,
      all,
      candidates,
      keyings: [fallback],
      readsFields: false,
      readsMethod: false,
      readsResponse: false,
    };
  }
  const tree = buildTree(candidates);
  const dependsOnResponse = candidates.some(({ conditions }) => conditions.response.length > 0);
  const ruleFor = (request: RuleRequest): Rule => firstMatch(tree, request, undefined) ?? fallback;
  return {
    ruleFor,
    ruleForResponse: dependsOnResponse
      ? (request, status, fields) => firstMatch(tree, request, { status, fields }) ?? fallback
      : ruleFor,
    all,
    candidates,
    keyings: distinctKeyings(all),
    readsFields: asksFor(candidates, 'header', 'cookie'),
    readsMethod: asksFor(candidates, 'methods'),
    readsResponse: dependsOnResponse,
  };
}

/** Whether a condition of one of these keys is among those of the candidates. */
function asksFor(candidates: readonly Candidate[], ...keys: readonly string[]): boolean {
  return candidates.some(({ conditions }) => conditions.request.some(({ key }) => keys.includes(key)));
}

/** Headers and cookies that are keyed add to a key; they do not change what it begins with. */
function distinctKeyings(rules: readonly Rule[]): readonly Keying[] {
  const byForm = new Map(rules.map((rule) => [JSON.stringify([rule.query, rule.key.host, rule.key.scheme]), rule]));
  return [...byForm.values()];
}

/** All that a rule says, as text. Infinity has no JSON of its own. */
function formOf(rule: Rule): string {
  return JSON.stringify(rule, (_, value: unknown) => (value === Number.POSITIVE_INFINITY ? 'infinity' : value));
}

/** A rule, or the rules of a group with the group behind them. */
function flatten(own: RuleSettings, above: ConfigSettings['defaults'], outer: Conditions | undefined): Candidate[] {
  const mine = compileConditions(own.match);
  const conditions = outer === undefined ? mine : bothConditions(outer, mine);
  const inherited = inherit(own, above);
  const { query } = inherited;
  const rule = query.kind === 'exact' ? { ...inherited, query: { ...query, names: conditions.parameters } } : inherited;
  const inside = own.rules?.flatMap((inner) => flatten(inner, rule, conditions)) ?? [];
  return [...inside, { rule, conditions }];
}

/** What a rule does not say holds as it does above it. */
function inherit(own: RuleSettings, above: ConfigSettings['defaults']): Rule {
  const said = Object.fromEntries(
    SETTING_NAMES.filter((name) => own[name] !== undefined).map((name) => [name, own[name]]),
  );
  return { ...above, ...said, name: own.name };
}

function buildTree(candidates: readonly Candidate[]): Node {
  const root: Node = { children: new Map(), candidates: [] };
  const homes = new Map<Candidate, Set<Node>>();
  for (const candidate of candidates) {
    const own = new Set<Node>();
    for (const segments of candidate.conditions.homes ?? [[]]) own.add(nodeAt(root, segments));
    homes.set(candidate, own);
  }
  const collect = (node: Node, above: readonly Node[]) => {
    const here = [...above, node];
    node.candidates = candidates.filter((candidate) => here.some((one) => homes.get(candidate)?.has(one) === true));
    for (const child of node.children.values()) collect(child, here);
  };
  collect(root, []);
  return root;
}

function nodeAt(root: Node, segments: readonly string[]): Node {
  let node = root;
  for (const segment of segments) {
    const child = node.children.get(segment) ?? { children: new Map(), candidates: [] };
    node.children.set(segment, child);
    node = child;
  }
  return node;
}

/** Nothing here yields, so one record serves all lookups: a hit allocates nothing for its rule. */
const asked = new Asked();

function firstMatch(root: Node, changed: RuleRequest, response: RuleResponse | undefined): Rule | undefined {
  // What a rule made of a request does not put it under another rule.
  const request = changed.received ?? changed;
  const path = pathToMatch(request.target);
  let node = root;
  let from = 1;
  while (node.children.size > 0 && from > 0) {
    const end = path.indexOf('/', from);
    const child = node.children.get(end < 0 ? path.slice(from) : path.slice(from, end));
    if (child === undefined) break;
    node = child;
    from = end + 1;
  }
  if (node.candidates.length === 0) return undefined;
  asked.begin(request, path);
  for (const { rule, conditions } of node.candidates) {
    if (holdAll(conditions.request, asked) && holdResponse(conditions.response, response)) return rule;
  }
  return undefined;
}

function holdAll(conditions: readonly Condition[], one: Asked): boolean {
  for (const condition of conditions) if (!condition.holds(one)) return false;
  return true;
}

/** A rule that asks for something of the response matches no request by itself. */
function holdResponse(conditions: readonly ResponseCondition[], response: RuleResponse | undefined): boolean {
  if (conditions.length === 0) return true;
  return response !== undefined && conditions.every(({ holds }) => holds(response.status, response.fields));
}

/** What a candidate asks for and does not get, in words; undefined where it matches. */
export function whyNot(
  { conditions }: Candidate,
  request: RuleRequest,
  response: RuleResponse | undefined,
): string | undefined {
  const one = new Asked().begin(request, pathToMatch(request.target));
  const missed = conditions.request.find((condition) => !condition.holds(one));
  if (missed !== undefined) return missed.sentence;
  return conditions.response.find(
    (condition) => response === undefined || !condition.holds(response.status, response.fields),
  )?.sentence;
}
