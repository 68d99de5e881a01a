/** From a conf file and flags to settings, or to everything that is wrong with them, each with its place. */
import { X509Certificate } from 'node:crypto';
import { closeSync, fstatSync, openSync, readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { MAX_CONFIG_BYTES, MAX_CONFIG_PROBLEMS } from '../base/config-limits.js';
import { ConfigError } from '../base/errors.js';
import { formatSize } from '../base/units.js';
import { whyUnreadable } from '../base/unreadable.js';
import { addressFlaws, blankOrigin } from './address-flaws.js';
import { type Document, parseYaml } from './document.js';
import { type Entry, type Flaw, readSection, wanted } from './kinds.js';
import { applyOverrides, type Override } from './overrides.js';
import { redisFlaws } from './redis-options.js';
import { ruleFlaws } from './rule-flaws.js';
import { type ConfigSettings, OPTIONS } from './schema.js';
import { nearest } from './suggest.js';
import { tokenFrom, tokenProblem } from './token.js';
import { readSecret } from './values.js';

export interface LoadOptions {
  /** Path of the conf file; without one the defaults hold. */
  readonly file?: string | undefined;
  /** What flags put over the file. */
  readonly overrides?: readonly Override[];
}

/** Settings, and what was written to get them. */
export interface LoadedConfig {
  readonly settings: ConfigSettings;
  /** The document as parsed, with what flags put over it: for people to look at, never for the program. */
  readonly written: unknown;
  /** Where what is at a path was written. */
  placeOf(path: readonly PropertyKey[]): FlawPlace;
}

/** Reads and validates. Throws a ConfigError that holds every problem found. */
export function loadConfig(options: LoadOptions = {}): ConfigSettings {
  return loadWritten(options).settings;
}

/** loadConfig, with what was written. */
export function loadWritten({ file, overrides = [] }: LoadOptions = {}): LoadedConfig {
  const document = file === undefined ? undefined : readDocument(file);
  const written = applyOverrides(document?.value ?? {}, overrides);
  const place = (flaw: Flaw) => placeOf(flaw, file, document, overrides);
  const settings = validate(written, place);
  const placeOfPath = (path: readonly PropertyKey[]) => place({ path, message: '', unknown: undefined });
  return { settings: withFilesFound(settings, file, place), written, placeOf: placeOfPath };
}

/**
 * Settings from an object of the same shape as the conf file, for programs. Throws a ConfigError. `file`: from where it
 * came, since the files that it names are relative to that.
 */
export function readConfig(written: unknown = {}, file?: string): ConfigSettings {
  const settings = validate(written, () => ({ prefix: '', order: [] }));
  return withFilesFound(settings, file, () => ({ prefix: '', order: [] }));
}

/** Where a flaw is, as text before its message, and as numbers to sort by. */
export interface FlawPlace {
  readonly prefix: string;
  readonly order: readonly number[];
}

function validate(written: unknown, place: (flaw: Flaw) => FlawPlace): ConfigSettings {
  const reading = readSection(OPTIONS, written);
  const apart = [...blankOrigin(written), ...ruleFlaws(written)];
  const flaws = [...('flaws' in reading ? reading.flaws : flawsOf(reading.settings)), ...apart];
  if ('settings' in reading && flaws.length === 0) return reading.settings;
  throw new ConfigError(describeAll(flaws, place));
}

function describeAll(flaws: readonly Flaw[], place: (flaw: Flaw) => FlawPlace): string[] {
  const placed = flaws.map((flaw) => ({ ...place(flaw), message: describe(flaw) }));
  placed.sort((a, b) => compare(a.order, b.order));
  const problems = placed.map(({ prefix, message }) => prefix + message);
  const surplus = problems.length - MAX_CONFIG_PROBLEMS;
  return surplus > 0 ? [...problems.slice(0, MAX_CONFIG_PROBLEMS), `and ${surplus} more problems`] : problems;
}

function compare(a: readonly number[], b: readonly number[]): number {
  for (const [index, own] of a.entries()) {
    const difference = own - (b[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

function describe({ path, message, unknown }: Flaw): string {
  const dotted = path.map(String).join('.');
  if (unknown === undefined) return dotted === '' ? message : `${dotted}: ${message}`;
  const where = dotted === '' ? '' : ` in ${dotted}`;
  return `${message}${where}${hint(unknown.key, unknown.known)}`;
}

function hint(key: string, known: readonly string[]): string {
  const meant = nearest(key, known);
  if (meant !== undefined) return `: did you mean "${meant}"?`;
  const elsewhere = pathsOf(OPTIONS, key);
  if (elsewhere.length > 0) return `: it belongs elsewhere, as ${elsewhere.join(' or ')}`;
  return `: this version knows ${known.join(', ')}`;
}

/** Where in the table an option of this name is. */
function pathsOf(entry: Entry, key: string, path = ''): string[] {
  if (entry.kind === 'option') return [];
  if (entry.kind === 'list' && entry.meta.sameAs !== undefined) return [];
  if (entry.kind === 'list') return pathsOf(entry.item, key, `${path}[]`);
  return Object.entries(entry.shape).flatMap(([name, below]) => {
    const own = path === '' ? name : `${path}.${name}`;
    return [...(name === key ? [own] : []), ...pathsOf(below, key, own)];
  });
}

/** What no option can be seen to be wrong by alone. */
function flawsOf(settings: ConfigSettings): Flaw[] {
  return [...addressFlaws(settings), ...redisFlaws(settings.cache.redis)];
}

function placeOf(
  flaw: Flaw,
  file: string | undefined,
  document: Document | undefined,
  overrides: readonly Override[],
): FlawPlace {
  const key = flaw.unknown?.key;
  const full = key === undefined ? flaw.path : [...flaw.path, key];
  // What a flag put there, or what its path was put over. The last flag for a place is the one that holds.
  const flagIndex = overrides.findLastIndex(({ path }) => {
    return path.every((step, at) => at >= full.length || step === String(full[at]));
  });
  const override = overrides[flagIndex];
  if (override !== undefined) return { prefix: `${override.flag}: `, order: [Number.MAX_SAFE_INTEGER, flagIndex] };
  if (document === undefined || file === undefined) return { prefix: '', order: [] };
  const { line, column } = document.placeOf(flaw.path, key);
  return { prefix: `${file}:${line}:${column}: `, order: [line, column] };
}

function readDocument(file: string): Document {
  const parsed = parseYaml(readText(file));
  if ('problems' in parsed) {
    throw new ConfigError(
      parsed.problems.map(({ place, message }) => `${file}:${place.line}:${place.column}: ${message}`),
    );
  }
  if (parsed.value === null || parsed.value === undefined) {
    throw new ConfigError([`${file}:1:1: no option is in this file: expected at least origin: http://HOST:PORT`]);
  }
  if (typeof parsed.value !== 'object' || Array.isArray(parsed.value)) {
    throw new ConfigError([
      `${file}:1:1: ${wanted('a map of options such as origin: http://HOST:PORT', parsed.value)}`,
    ]);
  }
  return parsed;
}

function readText(file: string): string {
  let bytes: Buffer;
  try {
    const descriptor = openSync(file, 'r');
    try {
      const { size } = fstatSync(descriptor);
      if (size > MAX_CONFIG_BYTES) {
        throw new ConfigError([`${file}: it has ${size} bytes: the most is ${formatSize(MAX_CONFIG_BYTES)}`]);
      }
      bytes = readFileSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    throw new ConfigError([`${file}: the conf file cannot be read: ${whyUnreadable(error)}`]);
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new ConfigError([`${file}:1:1: the file is not UTF-8 text`]);
  }
}

/** Files that options name are found now, relative to the conf file, not when the first request needs them. */
function withFilesFound(
  settings: ConfigSettings,
  file: string | undefined,
  place: (flaw: Flaw) => FlawPlace,
): ConfigSettings {
  const refuse = (path: readonly string[], message: string): never => {
    throw new ConfigError(describeAll([{ path, message, unknown: undefined }], place));
  };
  const base = file === undefined ? '.' : dirname(file);
  const { admin, cache, explain, origin } = settings;
  const found = (
    named: string | undefined,
    path: readonly string[],
    problemOf: (at: string) => string | undefined,
  ): string | undefined => {
    if (named === undefined) return undefined;
    const at = resolve(base, named);
    const message = problemOf(at);
    return message === undefined ? at : refuse(path, message);
  };
  const caFile = found(origin.tls.caFile, ['origin', 'tls', 'ca_file'], certificateProblem);
  const tokenFile = found(admin.tokenFile, ['admin', 'token_file'], tokenFileProblem);
  const diskPath = cache.disk.path === undefined ? undefined : resolve(base, cache.disk.path);
  const { redis } = cache;
  const redisCa = found(redis.tls.caFile, ['cache', 'redis', 'tls', 'ca_file'], certificateProblem);
  const password =
    redis.passwordFile === undefined
      ? redis.password
      : firstLineOf(resolve(base, redis.passwordFile), ['cache', 'redis', 'password_file'], refuse);
  const secret =
    explain.secretFile === undefined ? explain.secret : secretIn(resolve(base, explain.secretFile), refuse);
  if (explain.header !== undefined && secret === undefined) {
    refuse(
      ['explain', 'header'],
      'whoever sends this header is told everything: a secret, or a secret_file, has to be with it',
    );
  }
  return {
    ...settings,
    admin: { ...admin, tokenFile },
    cache: {
      ...cache,
      disk: { ...cache.disk, path: diskPath },
      redis: { ...redis, password, tls: { ...redis.tls, caFile: redisCa } },
    },
    explain: { ...explain, secret },
    origin: { ...origin, tls: { ...origin.tls, caFile } },
  };
}

function tokenFileProblem(file: string): string | undefined {
  try {
    const problem = tokenProblem(tokenFrom(file));
    return problem === undefined ? undefined : `${file}: ${problem}`;
  } catch (error) {
    return `${file} cannot be read: ${whyUnreadable(error)}`;
  }
}

type Refuse = (path: readonly string[], message: string) => never;

function firstLineOf(file: string, path: readonly string[], refuse: Refuse): string {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    return refuse(path, `${file} cannot be read: ${whyUnreadable(error)}`);
  }
  const line = text.split(/\r?\n/, 1)[0] ?? '';
  return line === '' ? refuse(path, `${file}: its first line is empty`) : line;
}

function secretIn(file: string, refuse: Refuse): string {
  const path = ['explain', 'secret_file'];
  const reading = readSecret(firstLineOf(file, path, refuse));
  return 'problem' in reading ? refuse(path, `${file}: ${reading.problem}`) : reading.value;
}

/** Node.js takes any text for a list of authorities and then trusts none, so every request would fail. */
function certificateProblem(file: string): string | undefined {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    return `${file} cannot be read: ${whyUnreadable(error)}`;
  }
  try {
    new X509Certificate(text);
    return undefined;
  } catch (error) {
    return `${file} has no certificate in PEM form: ${(error as Error).message}`;
  }
}
