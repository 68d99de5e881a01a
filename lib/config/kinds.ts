/**
 * The kinds of options that the option table is written in (those of one value: scalars.ts). Each kind reads what a person
 * wrote, says what it expected where that is wrong, and carries the words from which --help and the README's reference are made.
 * The one importer of zod.
 */
import { createRequire } from 'node:module';
import type { z as Zod } from 'zod';

// As CommonJS it is read in four fifths of the time that its hundred modules take with `import`.
const { z } = createRequire(import.meta.url)('zod') as { readonly z: typeof Zod };

/** What the name of an option gains in code: durations end in Ms, sizes in Bytes. */
export type Suffix = '' | 'Ms' | 'Bytes';

/** A part of a JSON Schema, for editors. */
export type JsonSchema = Readonly<Record<string, unknown>>;

export interface OptionMeta {
  /** What to write, in few words: `duration`, `size`, `HOST:PORT`, `json | pretty`. */
  readonly type: string;
  /** One paragraph for the reference. */
  readonly doc: string;
  /** What an editor is told of a good value. */
  readonly schema: JsonSchema;
  /** The default as a person would write it; undefined: none. */
  readonly default?: string;
  readonly min?: string;
  readonly max?: string;
}

/** One option of the table. */
export interface Option<Value, Ending extends Suffix> {
  readonly kind: 'option';
  readonly schema: Zod.ZodType<Value>;
  readonly suffix: Ending;
  readonly meta: OptionMeta;
}

export interface SectionMeta {
  readonly doc: string;
  /** The option that a plain value in place of the section stands for. */
  readonly shorthand?: string;
}

/** A map of options. */
export interface Section<S extends Shape> {
  readonly kind: 'section';
  readonly schema: Zod.ZodType<Settings<S>>;
  readonly shape: S;
  readonly meta: SectionMeta;
}

/** A list of maps. */
export interface List<S extends Shape> {
  readonly kind: 'list';
  readonly schema: Zod.ZodType<readonly Settings<S>[]>;
  readonly item: Section<S>;
  readonly meta: ListMeta;
}

export interface ListMeta {
  readonly doc: string;
  /** Where the reference has the same options already: a list inside an entry of a list of the same kind. */
  readonly sameAs?: string;
}

// The members of an entry are read through its own type below, so what they hold does not matter here.
export type Entry = Option<unknown, Suffix> | Section<Shape> | List<Shape>;
export interface Shape {
  readonly [key: string]: Entry;
}

type CamelCase<K extends string> = K extends `${infer Head}_${infer Tail}`
  ? `${Head}${Capitalize<CamelCase<Tail>>}`
  : K;
type EndingOf<E> = E extends { readonly suffix: infer Ending extends Suffix } ? Ending : '';
type ValueOf<E> = E extends { readonly schema: Zod.ZodType<infer Value> } ? Value : never;

/** What code gets for a map of options: `stale_if_error` as staleIfError, a duration `idle` as idleMs. */
export type Settings<S> = {
  readonly [K in keyof S & string as `${CamelCase<K>}${EndingOf<S[K]>}`]: ValueOf<S[K]>;
};

/** The name in code of an option that is written `key` in the file. */
export function nameInCode(key: string, entry: Entry): string {
  const camel = key.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase());
  return entry.kind === 'option' ? camel + entry.suffix : camel;
}

/** Shows a value in an error message, short and on one line. */
function show(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (value === null) return 'an empty value';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'a map';
  const text = typeof value === 'string' ? JSON.stringify(value) : String(value);
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}

/** The sentence for a value that does not have the form expected of it. */
export function wanted(form: string, value: unknown, hint = ''): string {
  return `expected ${form}, got ${show(value)}${hint}`;
}

/** What reading a value gives: the value, or a sentence about what is wrong with it. */
export type Reading<Value> = { readonly value: Value } | { readonly problem: string };

/** An option of a scalar value, from the function that reads it. */
export function option<Value, Ending extends Suffix = ''>(
  meta: OptionMeta,
  read: (written: string | number | boolean) => Reading<Value>,
  form: string,
  suffix: Ending,
): Option<Value, Ending> {
  const written = z.union([z.string(), z.number(), z.boolean()], { error: (issue) => wanted(form, issue.input) });
  const schema = written.transform((value, context): Value => {
    const reading = read(value);
    if ('value' in reading) return reading.value;
    context.issues.push({ code: 'custom', message: reading.problem, input: value });
    return z.NEVER;
  });
  return { kind: 'option', schema: withDefault(schema, meta.default), suffix, meta };
}

function withDefault<Value>(schema: Zod.ZodType<Value>, written: string | undefined): Zod.ZodType<Value> {
  return written === undefined ? schema : schema.prefault(written);
}

/** The same option, but it may be left out. */
export function optional<Value, Ending extends Suffix>(
  entry: Option<Value, Ending>,
): Option<Value | undefined, Ending> {
  return { ...entry, schema: entry.schema.optional() };
}

/** A default as a person would write it. */
type Written = string | readonly string[] | Readonly<Record<string, never>>;

/** The same option, with a default. */
function preset<Value, Ending extends Suffix>(entry: Option<Value, Ending>, written: Written): Option<Value, Ending> {
  const shown = typeof written === 'string' ? written : Array.isArray(written) ? `[${written.join(', ')}]` : '{}';
  return { ...entry, schema: entry.schema.prefault(written), meta: { ...entry.meta, default: shown } };
}

type Options = Readonly<Record<string, Option<unknown, Suffix>>>;

/** The same options, each with its default. */
export function presetEach<const S extends Options>(options: S, written: Readonly<Record<keyof S, Written>>): S {
  const entries = Object.entries(options).map(([key, entry]) => [key, preset(entry, written[key] ?? '')] as const);
  // Each entry keeps its own type: only its default is new.
  return Object.fromEntries(entries) as unknown as S;
}

/** The same options, each of which may be left out. */
export type OptionalEach<S> = {
  readonly [K in keyof S]: S[K] extends Option<infer Value, infer Ending> ? Option<Value | undefined, Ending> : never;
};

export function optionalEach<const S extends Options>(options: S): OptionalEach<S> {
  const entries = Object.entries(options).map(([key, entry]) => [key, optional(entry)] as const);
  return Object.fromEntries(entries) as unknown as OptionalEach<S>;
}

/** Reports one problem of a value: what, where below it, and for a key that is not known, which are. */
export type Report = (message: string, path?: readonly PropertyKey[], unknown?: UnknownKey) => void;

/** An option of any shape, from the function that reads it and reports each problem. */
export function custom<Value>(
  meta: OptionMeta,
  read: (written: unknown, report: Report) => Value | undefined,
): Option<Value, ''> {
  const schema: Zod.ZodType<Value> = z.unknown().transform((written, context): Value => {
    let isRefused = false;
    const value = read(written, (message, path = [], unknown = undefined) => {
      isRefused = true;
      context.issues.push({ code: 'custom', message, input: written, path: [...path], params: { unknown } });
    });
    return isRefused || value === undefined ? z.NEVER : value;
  });
  return { kind: 'option', schema, suffix: '', meta };
}

/** A map of options, each known by name; others are refused. */
export function section<const S extends Shape>(shape: S, meta: SectionMeta): Section<S> {
  const entries = Object.entries(shape);
  const names = entries.map(([key, entry]) => [key, nameInCode(key, entry)] as const);
  const form = meta.shorthand === undefined ? 'a map of options' : `a map of options, or its ${meta.shorthand} alone`;
  const written = z.strictObject(Object.fromEntries(entries.map(([key, entry]) => [key, entry.schema])), {
    error: (issue) => (issue.code === 'invalid_type' ? wanted(form, issue.input) : undefined),
  });
  const named = written.transform((values) => {
    const out: Record<string, unknown> = {};
    for (const [key, name] of names) out[name] = values[key];
    return out;
  });
  const schema = z.preprocess((value) => expand(value, meta.shorthand), named).prefault({});
  // The names in `out` are made by nameInCode as Settings makes them in types; a test compares the two.
  return { kind: 'section', schema: schema as unknown as Zod.ZodType<Settings<S>>, shape, meta };
}

/** A section that was left empty has its defaults; a plain value stands for the section's main option. */
function expand(value: unknown, shorthand: string | undefined): unknown {
  if (value === null) return {};
  if (shorthand !== undefined && (typeof value !== 'object' || value === undefined)) return { [shorthand]: value };
  return value;
}

/** A list of maps of options. */
export function list<const S extends Shape>(item: Section<S>, meta: ListMeta & { readonly maxCount: number }): List<S> {
  const written = z.array(item.schema, { error: (issue) => wanted('a list', issue.input) }).max(meta.maxCount, {
    error: `more than ${meta.maxCount} entries`,
  });
  const schema = z.preprocess((value) => (value === null ? [] : value), written).prefault([]);
  return { kind: 'list', schema, item, meta };
}

/** A key that does not exist where it was written. */
export interface UnknownKey {
  readonly key: string;
  readonly known: readonly string[];
}

/** One thing that is wrong with what was written, and where in it. */
export interface Flaw {
  readonly path: readonly PropertyKey[];
  readonly message: string;
  /** Set where a key is not known at `path`. */
  readonly unknown: UnknownKey | undefined;
}

/** The keys that exist at `path`. */
function keysAt(top: Entry, path: readonly PropertyKey[]): readonly string[] {
  let entry: Entry | undefined = top;
  for (const step of path) {
    if (entry?.kind === 'list') entry = entry.item;
    else if (entry?.kind === 'section') entry = entry.shape[String(step)];
  }
  return entry?.kind === 'section' ? Object.keys(entry.shape) : [];
}

/** Reads a whole section: the settings, or everything that is wrong. */
export function readSection<S extends Shape>(
  entry: Section<S>,
  written: unknown,
): { readonly settings: Settings<S> } | { readonly flaws: readonly Flaw[] } {
  const result = entry.schema.safeParse(written);
  if (result.success) return { settings: result.data };
  const flaws: Flaw[] = [];
  for (const { path, message, ...issue } of result.error.issues) {
    if (issue.code === 'unrecognized_keys') {
      const known = keysAt(entry as Section<Shape>, path);
      for (const key of issue.keys) {
        flaws.push({ path, message: `unknown key ${JSON.stringify(key)}`, unknown: { key, known } });
      }
    } else {
      const params = issue.code === 'custom' ? issue.params : undefined;
      flaws.push({ path, message, unknown: params?.['unknown'] as UnknownKey | undefined });
    }
  }
  return { flaws };
}
