/** How the options that are not plain numbers or words are read, and what is said of those that cannot be. */
import { usableCores } from '../base/cores.js';
import { MAX_WORKERS } from '../base/worker-limits.js';
import type { StaleForbiddance } from '../object/stored.js';
import { ADDRESS_FORM, type Address, readAddress } from './address.js';
import { custom, type JsonSchema, type Option, type Reading, wanted } from './kinds.js';
import { CACHED_METHODS, type CachedMethod, TARGETED_FIELDS, type TargetedField } from './rule.js';

const MAX_NAME_LENGTH = 64;

const WORD = /^[A-Za-z0-9][A-Za-z0-9._-]*$/;
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const HOST = /^(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::\d{1,5})?$/;

export const ADMIN_ADDRESS_FORM = `${ADDRESS_FORM}, or off`;

export function readAdminAddress(written: string): Reading<Address | undefined> {
  return written === 'off' ? { value: undefined } : readAddress(written, ADMIN_ADDRESS_FORM);
}

const WORKERS_FORM = `a number from 1 to ${MAX_WORKERS}, or auto`;

/** `auto`: as many as there are cores for this process. */
export function readWorkers(written: string): Reading<number> {
  if (written === 'auto') return { value: Math.min(MAX_WORKERS, usableCores()) };
  const count = /^\d{1,6}$/.test(written) ? Number(written) : 0;
  return count >= 1 && count <= MAX_WORKERS ? { value: count } : { problem: wanted(WORKERS_FORM, written) };
}

export function readOriginUrl(written: string): Reading<URL> {
  const form = 'a URL such as http://127.0.0.1:3000';
  const url = URL.canParse(written) ? new URL(written) : undefined;
  if (url === undefined || url.host === '') return { problem: wanted(form, written) };
  if (url.protocol !== 'http:' && url.protocol !== 'https:')
    return { problem: wanted(`${form} or https://...`, written) };
  if (url.username !== '' || url.password !== '')
    return { problem: `an origin has no user name and password: write http://${url.host}` };
  if (url.pathname !== '/' || url.search !== '' || url.hash !== '') {
    return { problem: `an origin is scheme, host and port alone: write ${url.origin}` };
  }
  return { value: url };
}

export function readHostOverride(written: string): Reading<string> {
  if (!HOST.test(written))
    return { problem: wanted('a host such as www.example.org or www.example.org:8080', written) };
  return { value: written };
}

export function readFilePath(written: string): Reading<string> {
  return written === '' || written.includes('\0')
    ? { problem: wanted('the path of a file', written) }
    : { value: written };
}

/** Words that say elsewhere whether something is there. */
const SWITCHES: ReadonlySet<string> = new Set(['on', 'off', 'yes', 'no', 'none', 'true', 'false']);

export function readDirectoryPath(written: string): Reading<string> {
  if (written === '' || written.includes('\0')) return { problem: wanted('the path of a directory', written) };
  return SWITCHES.has(written)
    ? {
        problem: `expected the path of a directory: leave it out where there is to be none, and write ./${written} for one of that name`,
      }
    : { value: written };
}

/** Short enough to be guessed is no secret. */
const MIN_SECRET_LENGTH = 16;

export function readSecret(written: string): Reading<string> {
  if (!/^[\x21-\x7e]+$/.test(written)) return { problem: 'expected ASCII characters without spaces' };
  return written.length < MIN_SECRET_LENGTH
    ? { problem: `a secret of fewer than ${MIN_SECRET_LENGTH} characters can be guessed` }
    : { value: written };
}

function readWord(written: string, form: string): Reading<string> {
  if (!WORD.test(written)) return { problem: wanted(form, written) };
  if (written.length > MAX_NAME_LENGTH) return { problem: `a name has ${MAX_NAME_LENGTH} characters at most` };
  return { value: written };
}

export function readInstanceName(written: string): Reading<string> {
  return readWord(written, 'a name of letters, digits, dots, dashes and underscores');
}

export function readRuleName(written: string): Reading<string> {
  const reading = readWord(written, 'a name of letters, digits, dots, dashes and underscores');
  if (written === 'defaults') return { problem: '"defaults" is what no rule matches: give the rule another name' };
  return reading;
}

/** Fields that say something else already: framing, routing, and what this proxy computes itself. */
const TAKEN_FIELDS: ReadonlySet<string> = new Set([
  'age',
  'cache-control',
  'cache-status',
  'connection',
  'content-encoding',
  'content-length',
  'content-range',
  'content-type',
  'date',
  'etag',
  'expires',
  'host',
  'keep-alive',
  'last-modified',
  'location',
  'retry-after',
  'set-cookie',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'vary',
  'via',
]);

export function readFieldName(written: string): Reading<string> {
  if (!TOKEN.test(written)) return { problem: wanted('the name of a header field such as CDN-Cache', written) };
  if (TAKEN_FIELDS.has(written.toLowerCase()))
    return { problem: `${written} has a meaning of its own: choose another name` };
  return { value: written };
}

const OVERRIDABLE: readonly StaleForbiddance[] = ['must-revalidate', 'proxy-revalidate', 'no-cache', 's-maxage'];

/** A list of directives, or one alone. */
export function staleDespite(doc: string): Option<readonly StaleForbiddance[], ''> {
  return listOf('directives', OVERRIDABLE, doc);
}

/** Names of targeted cache control fields, in order of precedence (RFC 9213 §2.2). */
export function targetedFields(doc: string): Option<readonly TargetedField[], ''> {
  return listOf('fields', TARGETED_FIELDS, doc);
}

/** Methods whose answers are stored. */
export function cachedMethods(doc: string): Option<readonly CachedMethod[], ''> {
  return listOf('methods', CACHED_METHODS, doc);
}

/** Any of a closed set of names, each once; a single one needs no list. */
function listOf<Name extends string>(what: string, names: readonly Name[], doc: string): Option<readonly Name[], ''> {
  const form = `a list of ${names.join(', ')}`;
  const schema: JsonSchema = { anyOf: [{ enum: names }, { type: 'array', items: { enum: names } }] };
  return custom({ type: `list of ${what}`, doc, schema }, (written, report): readonly Name[] => {
    if (!Array.isArray(written) && typeof written !== 'string') report(wanted(form, written));
    const out = new Set<Name>();
    for (const [index, item] of (Array.isArray(written) ? written : [written]).entries()) {
      const name = names.find((own) => own === item);
      if (name !== undefined) out.add(name);
      else if (Array.isArray(written)) report(wanted(`one of ${names.join(', ')}`, item), [index]);
      else if (typeof item === 'string') report(wanted(form, item));
    }
    return [...out];
  });
}
