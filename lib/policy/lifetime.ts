/**
 * The life of a stored response: when it is fresh, when it may be used stale, when it is gone.
 * Implements RFC 9111 §4.2.1-4.2.2, §4.2.4; RFC 9213 §2.2; RFC 5861 §3-4; and the table of the design, section 1.
 *
 * Two clocks start at different moments. What the origin says of a lifetime counts from birth, so the time that the
 * response spent in caches upstream is used up. What a rule says counts from receipt: an operator who writes
 * `ttl: 60s` means 60 seconds here, and a response that came with a high Age would otherwise never be fresh.
 * Its Age is told truthfully either way.
 */
import { HEURISTIC_TTL_MAX_MS } from '../base/limits.js';
import { HOUR_MS, SECOND_MS } from '../base/units.js';
import type { DurationSetting, Rule, StatusSetting, TargetedField } from '../config/rule.js';
import { type CacheControl, cacheControlOf, directiveMs, NO_CACHE_CONTROL } from '../http/cache-control.js';
import { parseHttpDate } from '../http/dates.js';
import type { Fields } from '../http/fields.js';
import { parseTargetedCacheControl } from '../http/structured.js';
import { lifeOfInstants } from '../object/life.js';
import type { Life, StaleForbiddance, TtlSource } from '../object/stored.js';
import { byHealth, isNamed, settingFor } from './settings.js';
import { hasValidator } from './validate.js';

/** Statuses that are heuristically cacheable (RFC 9110 §15.1). A 206 lives as long as the whole that it is a part of. */
const HEURISTIC_STATUSES: ReadonlySet<number> = new Set([200, 203, 204, 206, 300, 301, 308, 404, 405, 410, 414, 501]);

/**
 * Statuses to which a rule may give freshness that the origin did not: the above and the temporary redirects. Of any
 * other, an error above all, a rule can shorten the freshness that the origin gave, never make it.
 */
const RULE_STATUSES: ReadonlySet<number> = new Set([...HEURISTIC_STATUSES, 302, 307]);

/** Part of the time since Last-Modified that a response without a lifetime is taken for fresh (RFC 9111 §4.2.2). */
const HEURISTIC_FRACTION = 0.1;

/** How long a response that can still be of use is kept past grace, where no rule says. */
const DEFAULT_KEEP_MS = HOUR_MS;

/** The directives that govern a response here. */
export interface Governing {
  readonly control: CacheControl;
  /** The targeted field that they came in: Cache-Control and Expires are as if they were not there (RFC 9213 §2.2). */
  readonly target: TargetedField | undefined;
}

export function governing(fields: Fields, targets: readonly TargetedField[]): Governing {
  // RFC 9213 §2.2: the first valid field of the target list governs alone.
  for (const name of targets) {
    const targeted = fields.has(name) ? parseTargetedCacheControl(fields.lines(name)) : undefined;
    if (targeted !== undefined) return { control: targeted, target: name };
  }
  const control = cacheControlOf(fields);
  // Whoever sends one Cache-Control sends it again: it is read once, and so is one record of it enough.
  if (lastUntargeted.control !== control) lastUntargeted = { control, target: undefined };
  return lastUntargeted;
}

let lastUntargeted: Governing = { control: NO_CACHE_CONTROL, target: undefined };

/** What the origin itself says of freshness, counted from birth. */
export interface OriginTtl {
  readonly ms: number;
  readonly source: Exclude<TtlSource, 'rule' | 'default'>;
}

/** An explicit expiration time (RFC 9111 §4.2.1), or undefined where the origin gave none. */
export function explicitTtl(fields: Fields, by: Governing, receivedWall: number): OriginTtl | undefined {
  const { control, target } = by;
  if (control.sMaxage !== undefined) return { ms: control.sMaxage * SECOND_MS, source: target ?? 's-maxage' };
  if (control.maxAge !== undefined) return { ms: control.maxAge * SECOND_MS, source: target ?? 'max-age' };
  if (target !== undefined || !fields.has('expires')) return undefined;
  return { ms: expiresTtlMs(fields, receivedWall), source: 'expires' };
}

function expiresTtlMs(fields: Fields, receivedWall: number): number {
  let expires = Number.POSITIVE_INFINITY;
  for (const line of fields.lines('expires')) {
    const instant = parseHttpDate(line, receivedWall);
    // RFC 9111 §5.3: an invalid date, the value 0 in particular, is a time in the past.
    if (instant === undefined) return 0;
    // RFC 9111 §4.2.1: of several lines the earliest, which is never later than the first.
    expires = Math.min(expires, instant);
  }
  return Math.max(0, expires - generatedWall(fields, receivedWall));
}

/** The origin's Date, or the moment of receipt in its place (RFC 9110 §6.6.1). */
function generatedWall(fields: Fields, receivedWall: number): number {
  const date = fields.first('date');
  return (date === undefined ? undefined : parseHttpDate(date, receivedWall)) ?? receivedWall;
}

/** Whether a heuristic may be used at all: RFC 9110 §15.1 by status, RFC 9111 §5.2.2.9 by the word of the origin. */
export function isHeuristicallyCacheable(status: number, control: CacheControl): boolean {
  return HEURISTIC_STATUSES.has(status) || control.public;
}

/** RFC 9111 §4.2.2. Called only where there is no explicit expiration time. */
function heuristicTtl(fields: Fields, receivedWall: number): OriginTtl {
  const lastModified = lastModifiedWall(fields, receivedWall);
  if (lastModified === undefined) return { ms: 0, source: 'none' };
  const unchangedMs = generatedWall(fields, receivedWall) - lastModified;
  if (unchangedMs <= 0) return { ms: 0, source: 'none' };
  return { ms: Math.min(Math.floor(unchangedMs * HEURISTIC_FRACTION), HEURISTIC_TTL_MAX_MS), source: 'heuristic' };
}

function lastModifiedWall(fields: Fields, receivedWall: number): number | undefined {
  const line = fields.first('last-modified');
  return line === undefined ? undefined : parseHttpDate(line, receivedWall);
}

/** What the origin says, else what may be guessed, before any rule. */
export function originTtl(status: number, fields: Fields, by: Governing, receivedWall: number): OriginTtl {
  const explicit = explicitTtl(fields, by, receivedWall);
  if (explicit !== undefined) return explicit;
  if (!isHeuristicallyCacheable(status, by.control)) return { ms: 0, source: 'none' };
  return heuristicTtl(fields, receivedWall);
}

/** Whether a rule may give this status freshness of its own: where it is of the usual ones, or named in the rule. */
export function mayMakeFresh(rule: Rule, status: number): boolean {
  return RULE_STATUSES.has(status) || isNamed(rule.ttl, status);
}

export interface LifeInput {
  readonly status: number;
  /** Of the response; after a 304, the merged ones. */
  readonly fields: Fields;
  readonly rule: Rule;
  /** From correctedInitialAgeMs. */
  readonly initialAgeMs: number;
  /** Clock.now at receipt of the response, or of the 304 that freshened it. */
  readonly receivedAt: number;
  /** Clock.wall at the same moment. */
  readonly receivedWall: number;
  /** From 0 to below 1: which part of the rule's jitter is taken. Default 0. */
  readonly chance?: number;
  /** The directives that govern it; found in the fields where not given. */
  readonly by?: Governing | undefined;
  /** Whether the origin can be asked by condition; found in the fields where not given. */
  readonly hasValidator?: boolean;
}

export function lifeOf(input: LifeInput): Life {
  const { status, fields, rule, receivedAt } = input;
  const by = input.by ?? governing(fields, input.rule.targetedFields);
  const { control } = by;
  const bornAt = receivedAt - input.initialAgeMs;
  const ceilingAt = bornAt + rule.maxStalenessMs;
  const { staleAt, source } = freshness(input, by, bornAt, ceilingAt);

  const staleForbiddenBy = staleForbiddance(control, rule);
  const sentGraceMs = directiveMs(control.staleWhileRevalidate);
  const sentErrorMs = directiveMs(control.staleIfError);
  const mayServeErrors = !isForbidden(staleForbiddenBy, sentErrorMs);
  const mayServeGrace = !isForbidden(staleForbiddenBy, sentGraceMs);
  const grace = byHealth(rule.grace);
  const error = byHealth(rule.staleIfError);
  const graceMs = mayServeGrace ? (msOf(grace.healthy, status, sentGraceMs) ?? 0) : 0;
  const offlineGraceMs = mayServeGrace ? (msOf(grace.unhealthy, status, sentGraceMs) ?? 0) : 0;
  const errorMs = msOf(error.healthy, status, sentErrorMs);
  const offlineMs = msOf(error.unhealthy, status, sentErrorMs);

  const isUseful = (input.hasValidator ?? hasValidator(fields)) || mayServeErrors;
  const keepMs = msOf(rule.keep, status, undefined) ?? (isUseful ? DEFAULT_KEEP_MS : 0);
  const errorUntil = staleAt + (mayServeErrors ? (errorMs ?? 0) : 0);
  const offlineUntil = staleAt + (mayServeErrors ? (offlineMs ?? 0) : 0);
  const keepUntil = Math.max(staleAt + graceMs + keepMs, staleAt + offlineGraceMs, errorUntil, offlineUntil);
  // RFC 9111 §4.2.4: a cache that is disconnected may serve stale with nobody's leave, as long as nobody forbids it.
  const unreachableUntil = mayServeErrors && offlineMs === undefined ? keepUntil : offlineUntil;
  // In the order of Life: numbers of which each is a member of an object for a moment are objects themselves.
  const instants = [
    bornAt,
    staleAt,
    Math.min(staleAt + graceMs, ceilingAt),
    Math.min(staleAt + offlineGraceMs, ceilingAt),
    keepUntil,
    Math.min(errorUntil, ceilingAt),
    Math.min(unreachableUntil, ceilingAt),
    ceilingAt,
  ];
  const alwaysValidate = control.noCache && !rule.staleDespite.includes('no-cache');
  return lifeOfInstants(instants, alwaysValidate, rule.validate === 'always', staleForbiddenBy, source);
}

/** When freshness ends, and who said so: never later than the ceiling, and shortened by chance where the rule says so. */
function freshness(
  input: LifeInput,
  by: Governing,
  bornAt: number,
  ceilingAt: number,
): { staleAt: number; source: TtlSource } {
  const told = toldFreshness(input, by, bornAt);
  const shortenedMs = (told.staleAt - bornAt) * input.rule.jitter * (input.chance ?? 0);
  const jittered = notBefore(bornAt, told.staleAt - Math.floor(shortenedMs));
  // A response that is too old when it comes is stale at once, and older than its ceiling.
  return { staleAt: Math.max(bornAt, Math.min(jittered, ceilingAt)), source: told.source };
}

function toldFreshness(input: LifeInput, by: Governing, bornAt: number): { staleAt: number; source: TtlSource } {
  const { status, fields, rule, receivedAt, receivedWall } = input;
  const ttl = settingFor(rule.ttl, status);
  const mayMake = mayMakeFresh(rule, status);
  const origin = originTtl(status, fields, by, receivedWall);
  const originStaleAt = bornAt + origin.ms;
  if (ttl.kind === 'fixed') {
    const ruleStaleAt = notBefore(bornAt, receivedAt + ttl.ms);
    if (mayMake || ruleStaleAt < originStaleAt) return { staleAt: ruleStaleAt, source: 'rule' };
  }
  if (ttl.kind !== 'bounded') return { staleAt: originStaleAt, source: origin.source };
  if (origin.source === 'none') {
    if (ttl.defaultMs === undefined || !mayMake) return { staleAt: bornAt, source: 'none' };
    return { staleAt: notBefore(bornAt, receivedAt + held(ttl.defaultMs, ttl)), source: 'default' };
  }
  let staleAt = originStaleAt;
  if (ttl.minMs !== undefined && mayMake) staleAt = Math.max(staleAt, receivedAt + ttl.minMs);
  if (ttl.maxMs !== undefined) staleAt = Math.min(staleAt, receivedAt + ttl.maxMs);
  return { staleAt: notBefore(bornAt, staleAt), source: staleAt === originStaleAt ? origin.source : 'rule' };
}

/** The first directive of the origin that forbids stale use and that the rule does not name (RFC 9111 §4.2.4). */
function staleForbiddance(control: CacheControl, rule: Rule): StaleForbiddance | undefined {
  const despite = rule.staleDespite;
  if (control.noCache && !despite.includes('no-cache')) return 'no-cache';
  if (control.mustRevalidate && !despite.includes('must-revalidate')) return 'must-revalidate';
  if (control.proxyRevalidate && !despite.includes('proxy-revalidate')) return 'proxy-revalidate';
  // RFC 9111 §5.2.2.10: s-maxage has the semantics of proxy-revalidate.
  if (control.sMaxage !== undefined && !despite.includes('s-maxage')) return 's-maxage';
  return undefined;
}

/**
 * Whether one kind of stale use is forbidden. s-maxage forbids it by implication only, so the directive that allows
 * this very kind, sent beside it, is the more precise word of the same origin; the others are not to be softened.
 */
function isForbidden(by: StaleForbiddance | undefined, sentMs: number | undefined): boolean {
  return by !== undefined && !(by === 's-maxage' && sentMs !== undefined);
}

/** The same of what a rule says for a status. */
function msOf(setting: StatusSetting, status: number, sentMs: number | undefined): number | undefined {
  return chosenMs(settingFor(setting, status), sentMs);
}

/** The duration that holds for `setting` where the origin sent `sentMs`; undefined where nobody said anything. */
function chosenMs(setting: DurationSetting, sentMs: number | undefined): number | undefined {
  switch (setting.kind) {
    case 'origin':
      return sentMs;
    case 'fixed':
      return sentMs ?? setting.ms;
    case 'bounded': {
      const ms = sentMs ?? setting.defaultMs;
      return ms === undefined ? undefined : held(ms, setting);
    }
  }
}

function held(ms: number, bounds: DurationSetting & { kind: 'bounded' }): number {
  return Math.min(Math.max(ms, bounds.minMs ?? 0), bounds.maxMs ?? Number.POSITIVE_INFINITY);
}

function notBefore(bornAt: number, instant: number): number {
  return Math.max(bornAt, instant);
}
