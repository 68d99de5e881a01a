/** How lifetimes are written: a duration, what the origin says, bounds on it, and each of them by status or health. */
import { DURATION_FORM, MAX_LIFETIME_MS, parseDuration } from '../base/units.js';
import { custom, type JsonSchema, type Option, option, type Reading, type Report, wanted } from './kinds.js';
import type { DurationSetting, HealthSetting, StatusSetting } from './rule.js';
import { DURATION_SCHEMA } from './scalars.js';

const BOUNDS_SCHEMA: JsonSchema = {
  type: 'object',
  properties: { default: DURATION_SCHEMA, min: DURATION_SCHEMA, max: DURATION_SCHEMA },
  additionalProperties: false,
  minProperties: 1,
};
const SETTING_SCHEMA: JsonSchema = { anyOf: [{ const: 'origin' }, DURATION_SCHEMA, BOUNDS_SCHEMA] };

const SETTING_FORM = `origin, ${DURATION_FORM}, or a map of default, min and max`;

/** A report of what is wrong below a key. */
function below(report: Report, key: string): Report {
  return (message, path = [], unknown = undefined) => report(message, [key, ...path], unknown);
}

function isMap(written: unknown): written is Readonly<Record<string, unknown>> {
  return typeof written === 'object' && written !== null && !Array.isArray(written);
}

/** `origin`, a duration, or bounds on what the origin says. */
function readSetting(written: unknown, form: string, report: Report): DurationSetting | undefined {
  if (written === 'origin') return { kind: 'origin' };
  if (isMap(written)) return readBounds(written, report);
  const ms = readLifetime(written, form, (message) => report(message));
  return ms === undefined ? undefined : { kind: 'fixed', ms };
}

const ORIGIN: DurationSetting = { kind: 'origin' };
const STATUS = /^(?:[1-5]\d\d|[1-5]xx|other)$/;
const BY_STATUS_SCHEMA: JsonSchema = {
  type: 'object',
  patternProperties: { '^([1-5]\\d\\d|[1-5]xx|other)$': SETTING_SCHEMA },
  additionalProperties: false,
  minProperties: 1,
};
const STATUS_SCHEMA: JsonSchema = { anyOf: [SETTING_SCHEMA, BY_STATUS_SCHEMA] };
const HEALTH_SCHEMA: JsonSchema = {
  anyOf: [
    STATUS_SCHEMA,
    {
      type: 'object',
      properties: { healthy: STATUS_SCHEMA, unhealthy: STATUS_SCHEMA },
      additionalProperties: false,
      minProperties: 1,
    },
  ],
};

function readByStatus(written: unknown, form: string, report: Report): StatusSetting | undefined {
  if (!isMap(written) || !Object.keys(written).some((key) => STATUS.test(key)))
    return readSetting(written, form, report);
  const statuses: Record<string, DurationSetting> = {};
  for (const [key, value] of Object.entries(written)) {
    if (!STATUS.test(key)) report('expected a status such as 404, a class such as 4xx, or other', [key]);
    const setting = readSetting(value, SETTING_FORM, below(report, key));
    if (setting !== undefined) statuses[key] = setting;
  }
  const { other = ORIGIN, ...named } = statuses;
  return { kind: 'by-status', statuses: named, other };
}

const STATUS_FORM = `${SETTING_FORM}, or one of these by status`;

export function statusSetting(doc: string): Option<StatusSetting, ''> {
  const type = 'origin | duration | {default, min, max} | by status';
  return custom({ type, doc, schema: STATUS_SCHEMA }, (written, report) => readByStatus(written, STATUS_FORM, report));
}

/** Statuses by which the origin says that it fails, and the class that has them. */
const FAILURES: readonly string[] = ['500', '502', '503', '504', '5xx'];

/** statusSetting, but an error of the origin has no ttl: it is asked again by a clock, and what is stored stays. */
export function ttlSetting(doc: string): Option<StatusSetting, ''> {
  const type = 'origin | duration | {default, min, max} | by status';
  return custom({ type, doc, schema: STATUS_SCHEMA }, (written, report) => {
    const keys = isMap(written) ? Object.keys(written) : [];
    for (const key of keys.filter((own) => FAILURES.includes(own))) {
      report(
        `${key} is a failure of the origin and is not kept by a rule: what is stored is served by stale_if_error, and the origin is asked again by a clock`,
        [key],
      );
    }
    return readByStatus(written, STATUS_FORM, report);
  });
}

/** statusSetting, or one for a healthy and one for an unhealthy origin; where only one is said, the other is `origin`. */
export function healthSetting(doc: string): Option<HealthSetting, ''> {
  const type = 'origin | duration | {default, min, max} | by status | {healthy, unhealthy}';
  return custom({ type, doc, schema: HEALTH_SCHEMA }, (written, report): HealthSetting | undefined => {
    const isByHealth = isMap(written) && ('healthy' in written || 'unhealthy' in written);
    const form = `${STATUS_FORM}, or a map of healthy and unhealthy`;
    if (!isByHealth) return readByStatus(written, form, report);
    for (const key of Object.keys(written)) {
      if (key !== 'healthy' && key !== 'unhealthy') {
        report(`unknown key ${JSON.stringify(key)}`, [], { key, known: ['healthy', 'unhealthy'] });
      }
    }
    const of = (key: 'healthy' | 'unhealthy'): StatusSetting | undefined =>
      written[key] === undefined ? ORIGIN : readByStatus(written[key], STATUS_FORM, below(report, key));
    const [healthy, unhealthy] = [of('healthy'), of('unhealthy')];
    return healthy === undefined || unhealthy === undefined ? undefined : { kind: 'by-health', healthy, unhealthy };
  });
}

/** A part of a hundred; in code, from 0 to 1. */
/** Of one; `written`: where it is left out. */
export function percentage(doc: string, written?: string): Option<number, ''> {
  const form = 'a percentage from 0% to 100%';
  const read = (written: string | number | boolean): Reading<number> => {
    const digits = /^(\d{1,3}(?:\.\d{1,3})?)\s*%$/.exec(String(written).trim())?.[1];
    const value = digits === undefined ? Number.NaN : Number(digits) / 100;
    return value >= 0 && value <= 1 ? { value } : { problem: wanted(form, written) };
  };
  const meta = { type: 'percentage', doc, schema: { type: 'string', pattern: '%\\s*$' } };
  return option(written === undefined ? meta : { ...meta, default: written }, read, form, '');
}

/** A duration, or `off`; in code, milliseconds or infinity. */
export function ceiling(doc: string): Option<number, 'Ms'> {
  const form = `off, or ${DURATION_FORM}`;
  const read = (written: string | number | boolean): Reading<number> => {
    // YAML 1.1 readers take a bare off for a boolean.
    if (written === 'off' || written === false) return { value: Number.POSITIVE_INFINITY };
    let problem = '';
    const ms = readLifetime(written, form, (message) => {
      problem = message;
    });
    return ms === undefined ? { problem } : { value: ms };
  };
  const schema: JsonSchema = { anyOf: [{ const: 'off' }, DURATION_SCHEMA] };
  return option({ type: 'off | duration', doc, schema }, read, form, 'Ms');
}

function readLifetime(written: unknown, form: string, report: (message: string) => void): number | undefined {
  const isScalar = typeof written === 'string' || typeof written === 'number';
  const ms = isScalar ? parseDuration(String(written)) : undefined;
  if (ms === undefined) {
    report(wanted(form, written, typeof written === 'number' ? ' without a unit' : ''));
    return undefined;
  }
  if (ms > MAX_LIFETIME_MS) {
    report('longer than ten years (3650d)');
    return undefined;
  }
  return ms;
}

const BOUNDS = ['default', 'min', 'max'] as const;

function readBounds(written: object, report: Report): DurationSetting | undefined {
  const entries = Object.entries(written);
  if (entries.length === 0) report('an empty map says nothing: expected default, min or max in it');
  const found: Partial<Record<(typeof BOUNDS)[number], number>> = {};
  for (const [key, value] of entries) {
    const bound = BOUNDS.find((own) => own === key);
    if (bound === undefined) {
      report(`unknown key ${JSON.stringify(key)}`, [], { key, known: BOUNDS });
      continue;
    }
    const ms = readLifetime(value, DURATION_FORM, (message) => report(message, [key]));
    if (ms !== undefined) found[bound] = ms;
  }
  const { default: defaultMs, min: minMs, max: maxMs } = found;
  if (minMs !== undefined && maxMs !== undefined && minMs > maxMs) report('min is longer than max', ['min']);
  if (defaultMs !== undefined && (defaultMs < (minMs ?? 0) || defaultMs > (maxMs ?? MAX_LIFETIME_MS))) {
    report('default is not between min and max', ['default']);
  }
  return { kind: 'bounded', defaultMs, minMs, maxMs };
}
