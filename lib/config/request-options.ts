/** How the settings are written by which a rule makes keys and shapes requests. */
import { MAX_KEY_PARTS } from '../base/config-limits.js';
import { custom, type JsonSchema, type Option, type Report, wanted } from './kinds.js';
import type { FieldEdits, KeySetting, NormalizeSetting, QuerySetting } from './rule.js';

type Map = Readonly<Record<string, unknown>>;

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const STRINGS: JsonSchema = { type: 'array', items: { type: 'string' }, maxItems: MAX_KEY_PARTS };

export function isMap(written: unknown): written is Map {
  return typeof written === 'object' && written !== null && !Array.isArray(written);
}

/** A map with these keys and no others; the reports are of what is wrong with it. */
export function readMap(written: unknown, form: string, known: readonly string[], report: Report): Map | undefined {
  if (!isMap(written)) {
    report(wanted(form, written));
    return undefined;
  }
  for (const key of Object.keys(written)) {
    if (!known.includes(key)) report(`unknown key ${JSON.stringify(key)}`, [], { key, known });
  }
  return written;
}

/** A list of names under `key` of a map; absent: an empty one. */
export function readNames(
  map: Map,
  key: string,
  form: string,
  isGood: (name: string) => boolean,
  report: Report,
): readonly string[] {
  const written = map[key];
  if (written === undefined) return [];
  const members = Array.isArray(written) ? written : [written];
  if (members.length > MAX_KEY_PARTS) report(`more than ${MAX_KEY_PARTS} entries`, [key]);
  for (const [index, member] of members.entries()) {
    if (typeof member !== 'string' || !isGood(member))
      report(wanted(form, member), Array.isArray(written) ? [key, index] : [key]);
  }
  return members.map(String);
}

const QUERY_WORDS = ['keep', 'sort', 'ignore', 'exact'] as const;

export function querySetting(doc: string): Option<QuerySetting, ''> {
  const form = 'keep, sort, ignore, exact, or a map of only or drop';
  const list = (key: string): JsonSchema => ({
    type: 'object',
    properties: { [key]: { anyOf: [{ type: 'string' }, STRINGS] } },
    required: [key],
    additionalProperties: false,
  });
  const schema: JsonSchema = { anyOf: [{ enum: QUERY_WORDS }, list('only'), list('drop')] };
  return custom({ type: `${QUERY_WORDS.join(' | ')} | {only} | {drop}`, doc, schema }, (written, report) => {
    const word = QUERY_WORDS.find((own) => own === written);
    if (word === 'exact') return { kind: 'exact', names: [] };
    if (word !== undefined) return { kind: word };
    const map = readMap(written, form, ['only', 'drop'], report);
    if (map === undefined) return undefined;
    const kind = 'only' in map ? 'only' : 'drop';
    if ('only' in map && 'drop' in map) report('only and drop exclude each other');
    else if (!(kind in map)) report(wanted(form, written));
    const isGood = (name: string): boolean =>
      name !== '' && !/^[^*]*\*./.test(name) && (kind === 'drop' || !name.includes('*'));
    const what =
      kind === 'drop' ? 'the name of a parameter such as fbclid or utm_*' : 'the name of a parameter such as page';
    return { kind, names: readNames(map, kind, what, isGood, report) };
  });
}

export function keySetting(doc: string): Option<KeySetting, ''> {
  const form = 'a map of host, scheme, headers and cookies';
  const schema: JsonSchema = {
    type: 'object',
    properties: { host: { type: 'boolean' }, scheme: { type: 'boolean' }, headers: STRINGS, cookies: STRINGS },
    additionalProperties: false,
  };
  return custom({ type: 'map', doc, schema }, (written, report) => {
    const map = readMap(written, form, ['host', 'scheme', 'headers', 'cookies'], report);
    if (map === undefined) return undefined;
    const isOn = (key: string): boolean => {
      const { [key]: value = true } = map;
      if (typeof value !== 'boolean') report(wanted('true or false', value), [key]);
      return value === true;
    };
    const names = (key: string, what: string) => readNames(map, key, what, (name) => TOKEN.test(name), report);
    return {
      host: isOn('host'),
      scheme: isOn('scheme'),
      headers: [...new Set(names('headers', 'the name of a header').map((name) => name.toLowerCase()))].sort(),
      cookies: [...new Set(names('cookies', 'the name of a cookie'))].sort(),
    };
  });
}

export function normalizeSetting(doc: string): Option<NormalizeSetting, ''> {
  const form = 'a map of accept_encoding and accept_language';
  const keys = ['accept_encoding', 'accept_language'] as const;
  const schema: JsonSchema = {
    type: 'object',
    properties: { accept_encoding: STRINGS, accept_language: STRINGS },
    additionalProperties: false,
  };
  return custom({ type: 'map', doc, schema }, (written, report) => {
    const map = readMap(written, form, keys, report);
    if (map === undefined) return undefined;
    const coding = (name: string): boolean => /^[A-Za-z0-9-]+$/.test(name);
    return {
      acceptEncoding: readNames(map, keys[0], 'a content coding such as gzip', coding, report).map(lower),
      acceptLanguage: readNames(map, keys[1], 'a language such as en or de-AT', coding, report).map(lower),
    };
  });
}

function lower(name: string): string {
  return name.toLowerCase();
}

const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;

const EDITS_SCHEMA: JsonSchema = {
  type: 'object',
  properties: {
    set: { type: 'object', additionalProperties: { type: ['string', 'number'] } },
    append: { type: 'object', additionalProperties: { type: ['string', 'number'] } },
    remove: { anyOf: [{ type: 'string' }, STRINGS] },
  },
  additionalProperties: false,
};

/** Changes of fields; `taken` are those that are computed here, or say how the message is framed and routed. */
export function fieldEdits(doc: string, taken: ReadonlySet<string>): Option<FieldEdits, ''> {
  const form = 'a map of set, append and remove';
  return custom({ type: '{set, append, remove}', doc, schema: EDITS_SCHEMA }, (written, report) => {
    const map = readMap(written, form, ['set', 'append', 'remove'], report);
    if (map === undefined) return undefined;
    const isGood = (name: string): boolean => TOKEN.test(name);
    const mayEdit = (name: string, path: readonly PropertyKey[]): void => {
      if (taken.has(name.toLowerCase()))
        report(
          `${name} is not to be changed here: it says how the message is framed, routed or validated, or is made by the proxy`,
          path,
        );
    };
    const pairs = (key: 'set' | 'append'): [string, string][] => {
      const given = map[key] ?? {};
      if (!isMap(given)) {
        report(wanted('a map of names to values', given), [key]);
        return [];
      }
      return Object.entries(given).map(([name, value]) => {
        if (!isGood(name)) report(wanted('the name of a field', name), [key, name]);
        else mayEdit(name, [key, name]);
        const text = typeof value === 'number' ? String(value) : value;
        if (typeof text !== 'string' || !VALUE.test(text))
          report(wanted('a field value on one line', value), [key, name]);
        return [name, String(text).trim()];
      });
    };
    const remove = readNames(map, 'remove', 'the name of a field', isGood, report);
    for (const name of remove) mayEdit(name, ['remove']);
    return { remove, set: pairs('set'), append: pairs('append') };
  });
}

/** Request fields that rules leave alone: framing, routing, conditions and ranges, and what the proxy itself writes. */
const TAKEN_OF_REQUESTS: ReadonlySet<string> = new Set([
  'connection',
  'content-length',
  'expect',
  'host',
  'http2-settings',
  'if-match',
  'if-modified-since',
  'if-none-match',
  'if-range',
  'if-unmodified-since',
  'keep-alive',
  'proxy-connection',
  'range',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'via',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-proto',
]);

export function requestEdits(doc: string): Option<FieldEdits, ''> {
  return fieldEdits(doc, TAKEN_OF_REQUESTS);
}
