/** How the settings are written by which a rule says what clients are told. */
import { MAX_LIFETIME_MS, parseDuration, SECOND_MS } from '../base/units.js';
import { custom, type JsonSchema, type Option, wanted } from './kinds.js';
import { fieldEdits, readMap } from './request-options.js';
import type { ClientSetting, FieldEdits } from './rule.js';
import { DURATION_SCHEMA } from './scalars.js';

/** What each word of `remove` takes out. */
const REMOVABLE = {
  set_cookie: ['set-cookie'],
  etag: ['etag'],
  surrogate: ['surrogate-control', 'surrogate-key', 'cdn-cache-control'],
} as const;

const KEYS = ['cache_control', 'ttl', 'immutable', 'set_cookie', 'etag', 'surrogate'] as const;
const KEEP_OR_REMOVE: JsonSchema = { enum: ['keep', 'remove'] };

/** A Cache-Control value: directives are tokens with or without a value (RFC 9111 §5.2). */
const CACHE_CONTROL = /^[A-Za-z0-9][\t\x20-\x7e]*$/;

export function clientSetting(doc: string): Option<ClientSetting, ''> {
  const schema: JsonSchema = {
    type: 'object',
    properties: {
      cache_control: { type: 'string' },
      ttl: DURATION_SCHEMA,
      immutable: { type: 'boolean' },
      set_cookie: KEEP_OR_REMOVE,
      etag: KEEP_OR_REMOVE,
      surrogate: KEEP_OR_REMOVE,
    },
    additionalProperties: false,
  };
  return custom({ type: 'map', doc, schema }, (written, report) => {
    const map = readMap(written, `a map of ${KEYS.join(', ')}`, KEYS, report);
    if (map === undefined) return undefined;
    const { cache_control: cacheControl, ttl, immutable = false } = map;
    if (cacheControl !== undefined && (typeof cacheControl !== 'string' || !CACHE_CONTROL.test(cacheControl))) {
      report(wanted('a Cache-Control value such as "public, max-age=30"', cacheControl), ['cache_control']);
    }
    const ttlMs = ttl === undefined ? undefined : parseDuration(String(ttl));
    if (ttl !== undefined && (ttlMs === undefined || ttlMs > MAX_LIFETIME_MS)) {
      report(wanted('a duration such as 30s', ttl), ['ttl']);
    } else if (ttlMs !== undefined && ttlMs % SECOND_MS !== 0) report('HTTP counts whole seconds', ['ttl']);
    if (typeof immutable !== 'boolean') report(wanted('true or false', immutable), ['immutable']);
    if (cacheControl !== undefined && (ttl !== undefined || immutable === true)) {
      report('cache_control says it all: write ttl and immutable, or cache_control', ['cache_control']);
    }
    const remove: string[] = [];
    for (const [key, names] of Object.entries(REMOVABLE)) {
      const { [key]: value = 'keep' } = map;
      if (value === 'remove') remove.push(...names);
      else if (value !== 'keep') report(wanted('keep or remove', value), [key]);
    }
    return {
      cacheControl: typeof cacheControl === 'string' ? cacheControl : undefined,
      ttlMs,
      immutable: immutable === true,
      remove,
    };
  });
}

/** Response fields that rules leave alone: framing, validators, and what the proxy itself writes. */
const TAKEN_OF_RESPONSES: ReadonlySet<string> = new Set([
  'age',
  'cache-status',
  'connection',
  'content-encoding',
  'content-length',
  'content-range',
  'date',
  'etag',
  'keep-alive',
  'last-modified',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'via',
]);

export function responseEdits(doc: string): Option<FieldEdits, ''> {
  return fieldEdits(doc, TAKEN_OF_RESPONSES);
}
