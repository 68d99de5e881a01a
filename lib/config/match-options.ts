/** How the conditions of a rule's match are written and read. */
import { MAX_MATCH_MEMBERS } from '../base/config-limits.js';
import { compileGlob } from './glob.js';
import { custom, type JsonSchema, type Option, optional, type Report, type Settings, wanted } from './kinds.js';
import { compilePattern } from './pattern.js';
import { text } from './scalars.js';

/** What is expected of something that has a name: there, not there, or of this value. */
export type Expected = boolean | string;

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

/** One thing or a list of alternatives, each read by `read`: a sentence about what is wrong with it, or the member. */
export function alternatives(
  type: string,
  doc: string,
  schema: JsonSchema,
  read: (written: string) => { readonly member: string } | { readonly problem: string },
): Option<readonly string[], ''> {
  const either: JsonSchema = { anyOf: [schema, { type: 'array', items: schema, minItems: 1 }] };
  return custom({ type: `${type}, or a list of them`, doc, schema: either }, (written, report) => {
    const isList = Array.isArray(written);
    const members: readonly unknown[] = isList ? written : [written];
    if (members.length === 0) report(`an empty list matches nothing: expected at least one ${type}`);
    if (members.length > MAX_MATCH_MEMBERS) report(`more than ${MAX_MATCH_MEMBERS} entries`);
    const out: string[] = [];
    for (const [index, member] of members.entries()) {
      const below = isList ? [index] : [];
      if (typeof member !== 'string' && typeof member !== 'number') {
        report(wanted(type, member), below);
        continue;
      }
      const reading = read(String(member));
      if ('problem' in reading) report(reading.problem, below);
      else out.push(reading.member);
    }
    return out;
  });
}

const STRING: JsonSchema = { type: 'string' };

function readGlobMember(written: string): { member: string } | { problem: string } {
  const compiled = compileGlob(written);
  return 'problem' in compiled ? compiled : { member: written };
}

function readPath(written: string): { member: string } | { problem: string } {
  if (!written.startsWith('/')) {
    return { problem: `a path begins with /: write ${JSON.stringify(`/${written}`)}` };
  }
  return /[\s?#\u0080-\uffff]/.test(written)
    ? { problem: 'a path has no space, ? or # and only ASCII: write other characters as %XX' }
    : { member: written };
}

function readExt(written: string): { member: string } | { problem: string } {
  const plain = written.replace(/^\./, '');
  return /^[A-Za-z0-9_-]+$/.test(plain)
    ? { member: plain.toLowerCase() }
    : { problem: wanted('an extension such as css, without a dot', written) };
}

function readMethod(written: string): { member: string } | { problem: string } {
  if (!TOKEN.test(written)) return { problem: wanted('a method such as GET', written) };
  const upper = written.toUpperCase();
  // RFC 9110 §9.1: methods are case-sensitive, and all that are in use are in capitals.
  return written === upper
    ? { member: written }
    : { problem: wanted(`a method in capitals such as ${upper}`, written) };
}

function readHost(written: string): { member: string } | { problem: string } {
  const form = 'a host such as www.example.org, *.example.org or localhost:8080';
  if (!/^(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._*-]+)(?::\d{1,5})?$/.test(written))
    return { problem: wanted(form, written) };
  if (written.split('*').length > 2) return { problem: `one * is enough for a host: ${wanted(form, written)}` };
  return { member: written.toLowerCase() };
}

function readStatus(written: string): { member: string } | { problem: string } {
  return /^[1-5](?:\d\d|xx)$/.test(written)
    ? { member: written }
    : { problem: wanted('a status such as 404, or a class such as 4xx', written) };
}

function readType(written: string): { member: string } | { problem: string } {
  return /^[\w!#$&^.+-]+\/(?:\*|[\w!#$&^.+-]+)$/.test(written)
    ? { member: written.toLowerCase() }
    : { problem: wanted('a content type such as text/html or image/*', written) };
}

const NAMED: JsonSchema = {
  type: 'object',
  additionalProperties: { type: ['boolean', 'string', 'number'] },
  minProperties: 1,
};

/** A map from names to what is expected of each. */
function expectations(
  what: string,
  doc: string,
  isName: (name: string) => boolean,
): Option<ReadonlyMap<string, Expected>, ''> {
  const form = `a map of ${what} names to true (there), false (not there) or a value`;
  return custom({ type: `map of ${what} names`, doc, schema: NAMED }, (written, report: Report) => {
    if (typeof written !== 'object' || written === null || Array.isArray(written)) {
      report(wanted(form, written));
      return undefined;
    }
    const entries = Object.entries(written);
    if (entries.length === 0) report(`an empty map says nothing: expected ${form}`);
    const out = new Map<string, Expected>();
    for (const [name, expected] of entries) {
      if (!isName(name)) report(wanted(`the name of a ${what}`, name), [name]);
      else if (typeof expected === 'boolean' || typeof expected === 'string') out.set(name, expected);
      else if (typeof expected === 'number') out.set(name, String(expected));
      else report(wanted('true (there), false (not there) or a value', expected), [name]);
    }
    return out;
  });
}

export const MATCH = {
  host: optional(
    alternatives(
      'host',
      'The Host of the request, `*` for any run of characters. Written without a port it is meant whatever the port.',
      STRING,
      readHost,
    ),
  ),
  path: optional(
    alternatives(
      'path pattern',
      'Pattern of the whole path, without the query. `*` is any run of characters but `/`, `?` is one of them, `**` is any run at all, `/**/` may also be a single slash, and `\\` takes the next character as it is.',
      { type: 'string', pattern: '^/' },
      readGlobMember,
    ),
  ),
  path_prefix: optional(
    alternatives(
      'path',
      'What the path begins with, each character as it is.',
      { type: 'string', pattern: '^/' },
      readPath,
    ),
  ),
  path_exact: optional(
    alternatives('path', 'The path, each character as it is.', { type: 'string', pattern: '^/' }, readPath),
  ),
  path_regex: optional(
    text(
      'expression',
      'a regular expression',
      (written) => {
        const compiled = compilePattern(written);
        return 'problem' in compiled ? compiled : { value: written };
      },
      {
        doc: 'A regular expression that is found in the path (`^` and `$` tie it to the ends), in the syntax of RE2: no back references, no look-around, and in linear time whatever a client sends.',
      },
    ),
  ),
  ext: optional(
    alternatives(
      'extension',
      'What follows the last dot of the last segment of the path, in any case.',
      STRING,
      readExt,
    ),
  ),
  methods: optional(
    alternatives('method', 'The method of the request. A HEAD goes by what is said of GET.', STRING, readMethod),
  ),
  header: optional(
    expectations(
      'header',
      'Request headers: `true` where there must be one, `false` where there must be none, or its value.',
      (name) => TOKEN.test(name),
    ),
  ),
  cookie: optional(
    expectations('cookie', 'Cookies of the request: `true`, `false`, or the value.', (name) => TOKEN.test(name)),
  ),
  query: optional(
    expectations(
      'query parameter',
      'Parameters of the query, decoded: `true`, `false`, or the value.',
      (name) => name !== '',
    ),
  ),
  status: optional(
    alternatives(
      'status',
      'The status of the response, such as `404` or `4xx`. A rule that asks for this, or for a content type, is for what is done with responses alone.',
      { anyOf: [{ type: 'integer' }, { type: 'string', pattern: '^[1-5]xx$' }] },
      readStatus,
    ),
  ),
  content_type: optional(
    alternatives(
      'content type',
      'The media type of the response without parameters, such as `text/html` or `image/*`.',
      { type: 'string', pattern: '/' },
      readType,
    ),
  ),
} as const;

export type MatchSettings = Settings<typeof MATCH>;
