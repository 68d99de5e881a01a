/**
 * Cache-Control, in requests and in responses: its directives as one record.
 * Implements RFC 9111 §1.2.2, §5.2; RFC 5861 §3-4; RFC 8246 §2.
 *
 * Where a field contradicts itself the restrictive reading holds (RFC 9111 §4.2.1): of two lifetimes the shorter, which is
 * never longer than the first occurrence; of a lifetime that is no number, zero. A directive that restricts holds
 * whatever argument was put to it; one that permits holds only as it is defined.
 */
import { SECOND_MS } from '../base/units.js';
import type { Fields } from './fields.js';
import { Known } from './known.js';
import { isToken, splitList, trimOws, unquote } from './tokens.js';

/** Directives of one field section. Numbers are seconds; undefined or false where absent. */
export interface CacheControl {
  readonly maxAge: number | undefined;
  readonly sMaxage: number | undefined;
  readonly noStore: boolean;
  /** The unqualified form. */
  readonly noCache: boolean;
  /** The qualified form's field names, in lower case. */
  readonly noCacheFields: readonly string[] | undefined;
  /** The unqualified form. */
  readonly private: boolean;
  /** The qualified form's field names, in lower case. */
  readonly privateFields: readonly string[] | undefined;
  readonly mustRevalidate: boolean;
  readonly proxyRevalidate: boolean;
  readonly mustUnderstand: boolean;
  readonly public: boolean;
  readonly immutable: boolean;
  readonly noTransform: boolean;
  readonly staleWhileRevalidate: number | undefined;
  readonly staleIfError: number | undefined;
  /** Requests only. */
  readonly minFresh: number | undefined;
  /** Requests only. Infinity where it came without an argument (RFC 9111 §5.2.1.2). */
  readonly maxStale: number | undefined;
  /** Requests only. */
  readonly onlyIfCached: boolean;
}

type Draft = { -readonly [Name in keyof CacheControl]: CacheControl[Name] };
type SecondsName = 'maxAge' | 'sMaxage' | 'staleWhileRevalidate' | 'staleIfError' | 'minFresh' | 'maxStale';

/** No Cache-Control at all. */
export const NO_CACHE_CONTROL: CacheControl = Object.freeze({
  maxAge: undefined,
  sMaxage: undefined,
  noStore: false,
  noCache: false,
  noCacheFields: undefined,
  private: false,
  privateFields: undefined,
  mustRevalidate: false,
  proxyRevalidate: false,
  mustUnderstand: false,
  public: false,
  immutable: false,
  noTransform: false,
  staleWhileRevalidate: undefined,
  staleIfError: undefined,
  minFresh: undefined,
  maxStale: undefined,
  onlyIfCached: false,
});

/** Greatest delta-seconds that is kept; whatever is larger counts as this (RFC 9111 §1.2.2). */
export const MAX_DELTA_SECONDS = 2 ** 31;

const DIGITS = /^[0-9]+$/;

/** Seconds of a delta-seconds value (RFC 9111 §1.2.2), or undefined where the text is not one. */
export function parseDeltaSeconds(text: string): number | undefined {
  return DIGITS.test(text) ? Math.min(Number(text), MAX_DELTA_SECONDS) : undefined;
}

/** A directive's seconds in milliseconds; undefined where it is absent. */
export function directiveMs(seconds: number | undefined): number | undefined {
  return seconds === undefined ? undefined : seconds * SECOND_MS;
}

/** An argument as it was written: absent; of no valid form (null); or its meaning, whether token or quoted string. */
type Argument = string | undefined | null;

const LINES = new Known((line) => readLines([line]));

/** The same of the Cache-Control of a field section. */
export function cacheControlOf(fields: Fields): CacheControl {
  const line = fields.only('cache-control');
  return (line === undefined ? undefined : LINES.of(line)) ?? parseCacheControl(fields.lines('cache-control'));
}

/** The directives of all lines of a Cache-Control field. Those that are unknown are ignored (RFC 9111 §5.2.3). */
export function parseCacheControl(lines: readonly string[]): CacheControl {
  const [line] = lines;
  if (line === undefined) return NO_CACHE_CONTROL;
  return (lines.length === 1 ? LINES.of(line) : undefined) ?? readLines(lines);
}

function readLines(lines: readonly string[]): CacheControl {
  const draft: Draft = { ...NO_CACHE_CONTROL };
  for (const line of lines) {
    for (const element of splitList(line)) {
      const equals = element.indexOf('=');
      const name = equals < 0 ? element : trimOws(element.slice(0, equals));
      applyDirective(draft, name.toLowerCase(), argumentOf(element, equals));
      if (equals > 0) applyUnclosed(draft, element);
    }
  }
  return draft;
}

/** These count wherever they may have been meant. */
const RESTRICTING: ReadonlySet<string> = new Set([
  'no-store',
  'no-cache',
  'private',
  'must-revalidate',
  'proxy-revalidate',
]);

/** What stands behind a quote that is never closed may be quoted or not: what restricts holds, and nothing that permits does. */
function applyUnclosed(draft: Draft, element: string): void {
  if (!element.includes(',') || !element.includes('"') || isClosed(element)) return;
  for (const part of element.split(',').slice(1)) {
    const [name = ''] = trimOws(part).toLowerCase().split('=');
    if (RESTRICTING.has(trimOws(name))) applyDirective(draft, trimOws(name), null);
  }
}

function isClosed(element: string): boolean {
  return (element.replace(/\\./g, '').split('"').length - 1) % 2 === 0;
}

function argumentOf(element: string, equals: number): Argument {
  if (equals < 0) return undefined;
  // The grammar has no white space around the equals sign: the directive was meant, its argument is not one.
  if (trimOws(element.slice(0, equals)).length !== equals) return null;
  const text = element.slice(equals + 1);
  // A recipient takes a token and a quoted string for the same (RFC 9111 §5.2).
  return isToken(text) ? text : (unquote(text) ?? null);
}

function applyDirective(draft: Draft, name: string, argument: Argument): void {
  switch (name) {
    case 'max-age':
      applyLifetime(draft, 'maxAge', argument);
      return;
    case 's-maxage':
      applyLifetime(draft, 'sMaxage', argument);
      return;
    case 'stale-while-revalidate':
      applyLifetime(draft, 'staleWhileRevalidate', argument);
      return;
    case 'stale-if-error':
      applyLifetime(draft, 'staleIfError', argument);
      return;
    case 'max-stale':
      // RFC 9111 §5.2.1.2: without a value, staleness of any length is accepted.
      if (argument === undefined) draft.maxStale ??= Number.POSITIVE_INFINITY;
      else applyLifetime(draft, 'maxStale', argument);
      return;
    case 'min-fresh':
      applyMinFresh(draft, argument);
      return;
    case 'no-cache':
      applyFieldNames(draft, 'noCache', 'noCacheFields', argument);
      return;
    case 'private':
      applyFieldNames(draft, 'private', 'privateFields', argument);
      return;
    case 'no-store':
      draft.noStore = true;
      return;
    case 'must-revalidate':
      draft.mustRevalidate = true;
      return;
    case 'proxy-revalidate':
      draft.proxyRevalidate = true;
      return;
    case 'no-transform':
      draft.noTransform = true;
      return;
    case 'only-if-cached':
      draft.onlyIfCached = true;
      return;
    // What follows permits. RFC 9111 §5.2: no argument is allowed here, so with one it is another, unknown directive.
    case 'public':
      if (argument === undefined) draft.public = true;
      return;
    case 'must-understand':
      if (argument === undefined) draft.mustUnderstand = true;
      return;
    case 'immutable':
      if (argument === undefined) draft.immutable = true;
      return;
  }
}

function applyLifetime(draft: Draft, name: SecondsName, argument: Argument): void {
  // RFC 9111 §4.2.1: a lifetime that is missing, negative, fractional or no number makes the response stale: zero.
  const seconds = (typeof argument === 'string' ? parseDeltaSeconds(argument) : undefined) ?? 0;
  const before = draft[name];
  draft[name] = before === undefined ? seconds : Math.min(before, seconds);
}

function applyMinFresh(draft: Draft, argument: Argument): void {
  // A wish that says no number cannot be granted: as if it were not there (RFC 9111 §5.2.1 makes wishes advisory).
  const seconds = typeof argument === 'string' ? parseDeltaSeconds(argument) : undefined;
  if (seconds !== undefined) draft.minFresh = Math.max(draft.minFresh ?? 0, seconds);
}

/** RFC 9111 §5.2.2.4, §5.2.2.7: with an argument the directive concerns the fields listed there alone. */
function applyFieldNames(
  draft: Draft,
  whole: 'noCache' | 'private',
  listed: 'noCacheFields' | 'privateFields',
  argument: Argument,
): void {
  const names = typeof argument === 'string' ? splitList(argument.toLowerCase()) : [];
  // A list that is empty or broken names nothing that could be left out, so the whole response is meant.
  if (names.length === 0 || !names.every(isToken)) draft[whole] = true;
  else draft[listed] = [...(draft[listed] ?? []), ...names];
}
