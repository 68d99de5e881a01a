/** Tests of rules: cases in a YAML file, each a request, perhaps a response, and what is expected to become of them. */
import { readFileSync } from 'node:fs';
import { ConfigError } from '../base/errors.js';
import { formatDuration } from '../base/units.js';
import { whyUnreadable } from '../base/unreadable.js';
import { type Document, parseYaml } from '../config/document.js';
import { custom, list, option, optional, readSection, type Settings, section, wanted } from '../config/kinds.js';
import type { Rules } from '../config/rules.js';
import { choice, count, duration, text } from '../config/scalars.js';
import { nearest } from '../config/suggest.js';
import { Fields } from '../http/fields.js';
import { splitUrl } from '../policy/key.js';
import { type Explanation, explain, type Moment } from './explain.js';

const MAX_CASES = 10_000;

const FIELDS_SCHEMA = { type: 'object' };

/** Names to values; a list for several lines; null: not there. */
const fieldValues = (doc: string) =>
  optional(
    custom<ReadonlyMap<string, readonly string[] | null>>(
      { type: 'map of fields', doc, schema: FIELDS_SCHEMA },
      (written, report) => {
        if (typeof written !== 'object' || written === null || Array.isArray(written)) {
          report(wanted('a map of field names to values', written));
          return undefined;
        }
        const out = new Map<string, readonly string[] | null>();
        for (const [name, value] of Object.entries(written)) {
          const lines: unknown[] = Array.isArray(value) ? value : [value];
          if (value === null) out.set(name, null);
          else if (lines.every((line) => typeof line === 'string' || typeof line === 'number'))
            out.set(name, lines.map(String));
          else report(wanted('a value, a list of them, or null', value), [name]);
        }
        return out;
      },
    ),
  );

const plain = (doc: string) => optional(text('text', 'text', (written) => ({ value: written }), { doc }));

const CASES = section(
  {
    cases: list(
      section(
        {
          name: text('text', 'what the case shows', (written) => ({ value: written }), { doc: 'What the case shows.' }),
          request: section(
            {
              method: text('method', 'a method', (written) => ({ value: written }), {
                default: 'GET',
                doc: 'The method.',
              }),
              url: text(
                'URL',
                'a URL such as http://www.example.org/a',
                (written) => {
                  const at = splitUrl(written);
                  return at === undefined
                    ? { problem: wanted('a URL such as http://www.example.org/a', written) }
                    : { value: at };
                },
                { doc: 'The URL.' },
              ),
              headers: fieldValues('Request fields.'),
            },
            { doc: 'The request.', shorthand: 'url' },
          ),
          response: section(
            {
              status: optional(count({ min: 100, max: 599, doc: 'The status.' })),
              headers: fieldValues('Response fields.'),
            },
            { doc: 'The response of the origin, where there is one.' },
          ),
          after: duration({ default: '0s', doc: 'Ask so long after the response came.' }),
          expect: section(
            {
              rule: plain('The name of the rule.'),
              key: plain('The key.'),
              stored: optional(
                option(
                  { type: 'true | reason code', doc: '`true`, or the reason code why not.', schema: {} },
                  (written) => ({ value: String(written) }),
                  'true, or a reason code',
                  '',
                ),
              ),
              fresh: optional(duration({ doc: 'How long it is fresh from receipt.' })),
              grace: optional(duration({ doc: 'How long grace lasts.' })),
              keep: optional(duration({ doc: 'How long keep lasts.' })),
              now: optional(
                choice(['hit', 'stale', 'validate', 'miss', 'accepted', 'pass', 'not-found'], {
                  doc: 'What the request gets.',
                }),
              ),
              reason: plain('The reason code of that.'),
              client: fieldValues('Fields of the response to the client.'),
              origin: fieldValues('Fields of the request to the origin.'),
            },
            { doc: 'What is expected; what is not said may be anything.' },
          ),
        },
        { doc: 'One case.' },
      ),
      { doc: 'The cases.', maxCount: MAX_CASES },
    ),
  },
  { doc: 'Tests of rules.' },
);

export type Case = Settings<typeof CASES.shape>['cases'][number];

export interface CaseFile {
  readonly cases: readonly Case[];
  /** `FILE:LINE:COLUMN` of a case's expectation. */
  placeOf(index: number, key: string): string;
}

/** Reads a file of cases. Throws a ConfigError with all that is wrong in it. */
export function readCases(file: string): CaseFile {
  let source: string;
  try {
    source = readFileSync(file, 'utf8');
  } catch (error) {
    throw new ConfigError([`${file}: the file cannot be read: ${whyUnreadable(error)}`]);
  }
  const document = parseYaml(source);
  if ('problems' in document) {
    throw new ConfigError(
      document.problems.map(({ place, message }) => `${file}:${place.line}:${place.column}: ${message}`),
    );
  }
  const reading = readSection(CASES, document.value);
  if ('flaws' in reading) throw new ConfigError(problemsOf(reading.flaws, file, document));
  if (reading.settings.cases.length === 0)
    throw new ConfigError([`${file}:1:1: no case is in this file: expected a list under cases`]);
  return {
    cases: reading.settings.cases,
    placeOf: (index, key) => placeText(file, document, ['cases', index, 'expect'], key),
  };
}

function placeText(file: string, document: Document, path: readonly PropertyKey[], key?: string): string {
  const { line, column } = document.placeOf(path, key);
  return `${file}:${line}:${column}`;
}

type Flaws = Extract<ReturnType<typeof readSection<(typeof CASES)['shape']>>, { readonly flaws: unknown }>['flaws'];

function problemsOf(flaws: Flaws, file: string, document: Document): readonly string[] {
  return flaws.map(({ path, message, unknown }) => {
    const meant = unknown === undefined ? undefined : nearest(unknown.key, unknown.known);
    const hint =
      unknown === undefined
        ? ''
        : meant === undefined
          ? `: expected ${unknown.known.join(', ')}`
          : `: did you mean "${meant}"?`;
    const dotted = path.length === 0 ? '' : `${path.map(String).join('.')}: `;
    return `${placeText(file, document, path, unknown?.key)}: ${dotted}${message}${hint}`;
  });
}

type Values = ReadonlyMap<string, readonly string[] | null>;
const NO_VALUES: Values = new Map();

/** One expectation that does not hold. */
export interface Miss {
  readonly key: string;
  readonly expected: string;
  readonly found: string;
}

function fieldsOf(values: Values): Fields {
  return new Fields([...values].flatMap(([name, lines]) => (lines ?? []).flatMap((line) => [name, line])));
}

/** What of a case does not hold; empty: all of it does. */
export function missesOf(one: Case, rules: Rules, moment: Moment): readonly Miss[] {
  const { url, method, headers = NO_VALUES } = one.request;
  const { status } = one.response;
  const host = fieldsOf(new Map([['Host', [url.host]]]));
  const fields = new Fields([...(headers.has('Host') ? [] : host.raw), ...fieldsOf(headers).raw]);
  const told = explain({
    rules,
    request: {
      method,
      scheme: url.scheme === 'https' ? 'https' : 'http',
      host: url.host,
      target: url.target.startsWith('/') ? url.target : `/${url.target}`,
      fields,
    },
    moment,
    response: status === undefined ? undefined : { status, fields: fieldsOf(one.response.headers ?? NO_VALUES) },
    sinceMs: one.afterMs,
  });
  return compare(one, told);
}

function compare({ expect, afterMs }: Case, told: Explanation): readonly Miss[] {
  const misses: Miss[] = [];
  const same = (key: string, expected: string | undefined, found: string): void => {
    if (expected !== undefined && expected !== found) misses.push({ key, expected, found });
  };
  const { response } = told;
  same('rule', expect.rule, response?.rule ?? told.rule);
  same('key', expect.key, told.key);
  same(
    'stored',
    expect.stored,
    response === undefined ? 'no response' : response.stored ? 'true' : (response.reason ?? 'false'),
  );
  let from = -afterMs;
  for (const { phase, until } of response?.phases ?? []) {
    const expected = expect[`${phase}Ms`];
    same(
      phase,
      expected === undefined ? undefined : formatDuration(expected),
      formatDuration(Math.max(0, until.inMs - from)),
    );
    from = until.inMs;
  }
  if (response === undefined || response.phases.length === 0) {
    for (const phase of ['fresh', 'grace', 'keep'] as const) {
      const expected = expect[`${phase}Ms`];
      same(phase, expected === undefined ? undefined : formatDuration(expected), 'nothing stored');
    }
  }
  same('now', expect.now, told.now.gets);
  same('reason', expect.reason, told.now.reason);
  misses.push(...fieldMisses('client', response?.client ?? [], expect.client));
  misses.push(...fieldMisses('origin', told.sent, expect.origin));
  return misses;
}

function fieldMisses(
  key: string,
  found: readonly (readonly [string, string])[],
  expected: Values = NO_VALUES,
): readonly Miss[] {
  const fields = new Fields(found.flat());
  return [...expected].flatMap(([name, lines]): Miss[] => {
    const own = fields.get(name.toLowerCase());
    const wantedValue = lines === null ? undefined : lines.join(', ');
    if (own === wantedValue) return [];
    const show = (value: string | undefined): string => (value === undefined ? 'none' : JSON.stringify(value));
    return [{ key: `${key}.${name}`, expected: show(wantedValue), found: show(own) }];
  });
}
