/**
 * Options of one value each: quantities between bounds, words, and texts that another function reads. Each says what was expected where
 * something else was written.
 */
import { DURATION_FORM, formatDuration, formatSize, parseDuration, parseSize, SIZE_FORM } from '../base/units.js';
import { type JsonSchema, type Option, type OptionMeta, option, type Reading, type Suffix, wanted } from './kinds.js';

interface OptionSpec {
  readonly doc: string;
  readonly default?: string;
}

interface Bounds<Written> extends OptionSpec {
  readonly min?: Written;
  readonly max?: Written;
}

/** A quantity with a unit, held between bounds. */
function quantity<Ending extends Suffix>(
  type: string,
  form: string,
  suffix: Ending,
  parse: (text: string) => number | undefined,
  format: (value: number) => string,
  schema: JsonSchema,
  spec: Bounds<number>,
): Option<number, Ending> {
  const { min = 0, max = Number.MAX_SAFE_INTEGER } = spec;
  const read = (written: string | number | boolean): Reading<number> => {
    const value = parse(String(written));
    if (value === undefined || typeof written === 'boolean') {
      return { problem: wanted(form, written, typeof written === 'number' ? ' without a unit' : '') };
    }
    if (value < min) return { problem: `${format(value)} is too small: the least is ${format(min)}` };
    if (value > max) return { problem: `${format(value)} is too large: the most is ${format(max)}` };
    return { value };
  };
  const meta: OptionMeta = {
    type,
    doc: spec.doc,
    schema,
    ...(spec.default === undefined ? {} : { default: spec.default }),
    ...(spec.min === undefined ? {} : { min: format(spec.min) }),
    ...(spec.max === undefined ? {} : { max: format(spec.max) }),
  };
  return option(meta, read, form, suffix);
}

export const DURATION_SCHEMA: JsonSchema = {
  anyOf: [{ const: 0 }, { type: 'string', pattern: '^\\s*(0|\\d+(\\.\\d+)?(ms|s|m|h|d))\\s*$' }],
};
export const SIZE_SCHEMA: JsonSchema = { type: 'string', pattern: '^\\s*\\d+(\\.\\d+)?(B|KB|MB|GB|TB)\\s*$' };

/** A duration; in code, milliseconds. */
export function duration(spec: Bounds<number>): Option<number, 'Ms'> {
  return quantity('duration', DURATION_FORM, 'Ms', parseDuration, formatDuration, DURATION_SCHEMA, spec);
}

/** A size; in code, bytes. */
export function size(spec: Bounds<number>): Option<number, 'Bytes'> {
  return quantity('size', SIZE_FORM, 'Bytes', parseSize, formatSize, SIZE_SCHEMA, spec);
}

/** A whole number. */
export function count(spec: Bounds<number>): Option<number, ''> {
  const parse = (text: string) => (/^\d{1,15}$/.test(text) ? Number(text) : undefined);
  const bounds = {
    ...(spec.min === undefined ? {} : { minimum: spec.min }),
    ...(spec.max === undefined ? {} : { maximum: spec.max }),
  };
  return quantity('number', 'a whole number', '', parse, String, { type: 'integer', ...bounds }, spec);
}

/** One of a few words. */
export function choice<const Word extends string>(
  words: readonly Word[],
  spec: { doc: string; default?: Word },
): Option<Word, ''> {
  const form = `one of ${words.join(', ')}`;
  const read = (written: string | number | boolean): Reading<Word> => {
    const word = words.find((own) => own === written);
    return word === undefined ? { problem: wanted(form, written) } : { value: word };
  };
  return option({ type: words.join(' | '), schema: { enum: words }, ...spec }, read, form, '');
}

/** Text that `read` takes or refuses. `form` is what an error message says was expected. */
export function text<Value>(
  type: string,
  form: string,
  read: (written: string) => Reading<Value>,
  spec: OptionSpec,
): Option<Value, ''> {
  const readText = (written: string | number | boolean): Reading<Value> => {
    // YAML reads a bare port such as 8080 as a number; what it says is clear all the same.
    if (typeof written === 'boolean') return { problem: wanted(form, written) };
    return read(String(written));
  };
  return option({ type, schema: { type: ['string', 'number'] }, ...spec }, readText, form, '');
}

/** Yes or no. */
export function flag(spec: { doc: string; default?: 'true' | 'false' }): Option<boolean, ''> {
  const read = (written: string | number | boolean): Reading<boolean> => {
    if (written === true || written === 'true') return { value: true };
    if (written === false || written === 'false') return { value: false };
    return { problem: wanted('true or false', written) };
  };
  return option({ type: 'true | false', schema: { type: 'boolean' }, ...spec }, read, 'true or false', '');
}
