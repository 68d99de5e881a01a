/** The conditions of a rule's match: each a question about a request, or about a response to it. */
import assert from 'node:assert/strict';
import type { Fields } from '../http/fields.js';
import { cookieValue } from '../http/query.js';
import { compileGlob, type Glob, withPlainEscapes } from './glob.js';
import type { Expected, MatchSettings } from './match-options.js';
import { compilePattern } from './pattern.js';
import type { Asked } from './rule-request.js';

export interface Condition {
  /** The key in `match`. */
  readonly key: string;
  /** What it wants, in words: `the path matches /a/**`. */
  readonly sentence: string;
  holds(asked: Asked): boolean;
}

export interface ResponseCondition {
  readonly key: string;
  readonly sentence: string;
  holds(status: number, fields: Fields): boolean;
}

export interface Conditions {
  readonly request: readonly Condition[];
  readonly response: readonly ResponseCondition[];
  /** The whole segments that every matching path begins with, for each alternative; undefined: any path may match. */
  readonly homes: readonly (readonly string[])[] | undefined;
  /** The query parameters that are asked for. */
  readonly parameters: readonly string[];
}

/** Makes the settings of one match ready to be asked: all of them must hold, of a list one. */
export function compileConditions(match: MatchSettings): Conditions {
  const request: Condition[] = [];
  const paths = pathCondition(match);
  if (match.methods !== undefined) request.push(methodCondition(match.methods));
  if (match.host !== undefined) request.push(hostCondition(match.host));
  if (match.ext !== undefined) request.push(extCondition(match.ext));
  request.push(...paths.conditions);
  if (match.pathRegex !== undefined) request.push(regexCondition(match.pathRegex));
  for (const [name, expected] of match.query ?? []) request.push(queryCondition(name, expected));
  for (const [name, expected] of match.header ?? []) request.push(headerCondition(name, expected));
  for (const [name, expected] of match.cookie ?? []) request.push(cookieCondition(name, expected));
  const response: ResponseCondition[] = [];
  if (match.status !== undefined) response.push(statusCondition(match.status));
  if (match.contentType !== undefined) response.push(typeCondition(match.contentType));
  return { request, response, homes: paths.homes, parameters: [...(match.query?.keys() ?? [])] };
}

/** The conditions of a group and of a rule in it together. */
export function bothConditions(outer: Conditions, inner: Conditions): Conditions {
  return {
    request: [...outer.request, ...inner.request],
    response: [...outer.response, ...inner.response],
    homes: inner.homes ?? outer.homes,
    parameters: [...outer.parameters, ...inner.parameters],
  };
}

function globOf(written: string): Glob {
  const compiled = compileGlob(written);
  assert('glob' in compiled, 'the option table lets only good patterns through');
  return compiled.glob;
}

/** The segments that every matching path begins with, whole ones only. */
function plainSegments(prefix: string, isExact: boolean): string[] {
  const segments = prefix.slice(1).split('/');
  return isExact ? segments : segments.slice(0, -1);
}

interface PathConditions {
  readonly conditions: readonly Condition[];
  readonly homes: Conditions['homes'];
}

function pathCondition({ path, pathPrefix, pathExact }: MatchSettings): PathConditions {
  const conditions: Condition[] = [];
  let homes: string[][] | undefined;
  if (path !== undefined) {
    const globs = path.map(globOf);
    const [only] = globs;
    const matches =
      only !== undefined && globs.length === 1
        ? (text: string) => only.matches(text)
        : (text: string) => globs.some((glob) => glob.matches(text));
    conditions.push({
      key: 'path',
      sentence: `the path matches ${orList(path)}`,
      holds: ({ path: text }) => matches(text),
    });
    homes = globs.map(({ prefix, isExact }) => plainSegments(prefix, isExact));
  }
  if (pathPrefix !== undefined) {
    const prefixes = pathPrefix.map(withPlainEscapes);
    conditions.push({
      key: 'path_prefix',
      sentence: `the path begins with ${orList(pathPrefix)}`,
      holds: ({ path: text }) => prefixes.some((prefix) => text.startsWith(prefix)),
    });
    homes ??= prefixes.map((prefix) => plainSegments(prefix, false));
  }
  if (pathExact !== undefined) {
    const paths = new Set(pathExact.map(withPlainEscapes));
    conditions.push({
      key: 'path_exact',
      sentence: `the path is ${orList(pathExact)}`,
      holds: ({ path: text }) => paths.has(text),
    });
    homes ??= [...paths].map((own) => plainSegments(own, true));
  }
  return { conditions, homes };
}

function regexCondition(written: string): Condition {
  const pattern = compilePattern(written);
  assert('value' in pattern, 'the option table lets only good expressions through');
  const { value } = pattern;
  return {
    key: 'path_regex',
    sentence: `the path matches the expression ${written}`,
    holds: ({ path }) => value.matches(path),
  };
}

function methodCondition(methods: readonly string[]): Condition {
  const known = new Set(methods);
  // RFC 9110 §9.3.2: a HEAD asks for the fields of a GET, and falls under the same rule.
  if (known.has('GET')) known.add('HEAD');
  return {
    key: 'methods',
    sentence: `the method is ${orList(methods)}`,
    holds: ({ request }) => known.has(request.method),
  };
}

function hostCondition(hosts: readonly string[]): Condition {
  const plain = new Set(hosts.filter((host) => !host.includes('*')));
  const globs = hosts.filter((host) => host.includes('*')).map(hostGlob);
  const [only] = hosts;
  // A host that is written without a port is meant whatever the port.
  const holds: Condition['holds'] =
    hosts.length === 1 && globs.length === 0
      ? ({ bareHost, request }) => bareHost === only || request.host === only
      : ({ bareHost, request }) => {
          if (plain.has(bareHost) || plain.has(request.host)) return true;
          return globs.some((glob) => glob(bareHost) || glob(request.host));
        };
  return { key: 'host', sentence: `the host is ${orList(hosts)}`, holds };
}

/** `*` is any run of characters: one is enough for names, and cannot backtrack. */
function hostGlob(written: string): (host: string) => boolean {
  const star = written.indexOf('*');
  const [head, tail] = [written.slice(0, star), written.slice(star + 1)];
  return (host) => host.length >= head.length + tail.length && host.startsWith(head) && host.endsWith(tail);
}

function extCondition(exts: readonly string[]): Condition {
  return {
    key: 'ext',
    sentence: `the path ends in ${orList(exts.map((ext) => `.${ext}`))}`,
    holds: ({ ext }) => exts.includes(ext),
  };
}

/** Whether a value that is there, or is not, is what is expected. */
function isExpected(expected: Expected, value: string | undefined): boolean {
  return typeof expected === 'boolean' ? (value !== undefined) === expected : value === expected;
}

function expectation(what: string, name: string, expected: Expected): string {
  if (typeof expected === 'string') return `the ${what} ${name} is ${JSON.stringify(expected)}`;
  return expected ? `there is a ${what} ${name}` : `there is no ${what} ${name}`;
}

function headerCondition(name: string, expected: Expected): Condition {
  const lower = name.toLowerCase();
  return {
    key: 'header',
    sentence: expectation('header', name, expected),
    holds: ({ request }) => isExpected(expected, request.fields.get(lower)),
  };
}

function cookieCondition(name: string, expected: Expected): Condition {
  return {
    key: 'cookie',
    sentence: expectation('cookie', name, expected),
    holds: ({ request }) => {
      const field = request.fields.get('cookie');
      return isExpected(expected, field === undefined ? undefined : cookieValue(field, name));
    },
  };
}

function queryCondition(name: string, expected: Expected): Condition {
  return {
    key: 'query',
    sentence: expectation('query parameter', name, expected),
    holds: ({ parameters }) => {
      const values = parameters.get(name);
      if (typeof expected === 'boolean') return (values !== undefined) === expected;
      return typeof values === 'string' ? values === expected : values?.includes(expected) === true;
    },
  };
}

function statusCondition(statuses: readonly string[]): ResponseCondition {
  const known = new Set(statuses);
  return {
    key: 'status',
    sentence: `the status is ${orList(statuses)}`,
    holds: (status) => known.has(String(status)) || known.has(`${Math.floor(status / 100)}xx`),
  };
}

function typeCondition(types: readonly string[]): ResponseCondition {
  return {
    key: 'content_type',
    sentence: `the content type is ${orList(types)}`,
    holds: (_status, fields) => {
      const type = (fields.first('content-type') ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? '';
      return types.some((own) => own === type || (own.endsWith('/*') && type.startsWith(own.slice(0, -1))));
    },
  };
}

function orList(members: readonly string[]): string {
  if (members.length < 2) return members[0] ?? 'nothing';
  return `${members.slice(0, -1).join(', ')} or ${members[members.length - 1]}`;
}
