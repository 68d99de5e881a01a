/**
 * What would become of a request, and of a response to it, and why: the same verdicts that the engine takes, told as a
 * record. It asks nobody and changes nothing.
 */
import type { Rule } from '../config/rule.js';
import { type Rules, whyNot } from '../config/rules.js';
import type { Fields } from '../http/fields.js';
import type { Life, StoredResponse } from '../object/stored.js';
import { correctedInitialAgeMs } from '../policy/age.js';
import { clientFields } from '../policy/client-fields.js';
import { requestKey } from '../policy/key.js';
import { type Governing, governing, lifeOf } from '../policy/lifetime.js';
import { reasonToPass } from '../policy/pass.js';
import { NO_DIRECTIVES, requestDirectives } from '../policy/request-directives.js';
import { judgeReuse, type Phase, phaseAt } from '../policy/reuse.js';
import { byHealth, settingFor } from '../policy/settings.js';
import { shapedFields } from '../policy/shape-request.js';
import { judgeStorable } from '../policy/storable.js';
import { conditionalFields } from '../policy/validate.js';
import { selectionOf, varyNames } from '../policy/vary.js';

export interface ExplainedRequest {
  readonly method: string;
  readonly scheme: 'http' | 'https';
  readonly host: string;
  readonly target: string;
  readonly fields: Fields;
  /** Of a POST that its rule caches, where its content is known. */
  readonly content?: { readonly digest: string } | undefined;
}

/** A response that is given, not stored: as if it had just come. */
export interface GivenResponse {
  readonly status: number;
  readonly fields: Fields;
}

export interface Instant {
  /** Of the wall clock. */
  readonly at: string;
  /** Milliseconds from now on; negative: past. */
  readonly inMs: number;
}

export interface PhaseNote {
  readonly phase: Exclude<Phase, 'gone'>;
  readonly until: Instant;
  /** Which field or setting gives it. */
  readonly by: string;
}

export interface ResponseNote {
  readonly status: number;
  readonly rule: string;
  readonly stored: boolean;
  /** Where it lies, where that is known. */
  readonly tier: 'memory' | 'disk' | undefined;
  /** Reason code where it is not stored. */
  readonly reason: string | undefined;
  /** Overrides of the rule without which it would not be. */
  readonly despite: readonly string[];
  readonly phases: readonly PhaseNote[];
  /** Until when it may stand in for an error of the origin, and for an origin that cannot be reached. */
  readonly errorUntil: Instant | undefined;
  readonly unreachableUntil: Instant | undefined;
  readonly ageSec: number;
  /** Names of request fields that tell variants apart. */
  readonly vary: readonly string[];
  /** What the client is told of it. */
  readonly client: readonly (readonly [string, string])[];
}

export interface Explanation {
  readonly request: string;
  readonly rule: string;
  /** Rules that were looked at before, and what each wanted. */
  readonly passedOver: readonly { readonly rule: string; readonly wanted: string }[];
  readonly key: string;
  /** Reason code where the request goes past the cache. */
  readonly pass: string | undefined;
  /** Fields of the request that the rule changes. */
  readonly changed: readonly (readonly [string, string | undefined])[];
  /** All fields of the request as the origin would see them, but for those that the proxy adds. */
  readonly sent: readonly (readonly [string, string])[];
  readonly response: ResponseNote | undefined;
  /** What the request gets now: a reason code, with what it means in `now.sentence`. */
  readonly now: { readonly gets: string; readonly reason: string };
  /** Conditions that the origin would be sent. */
  readonly conditions: readonly (readonly [string, string])[];
}

/** The two clocks, read at one moment. */
export interface Moment {
  readonly now: number;
  readonly wall: number;
}

interface Subject {
  readonly life: Life;
  readonly status: number;
  readonly fields: Fields;
  readonly rule: Rule;
  readonly despite: readonly string[];
}

export interface ExplainOptions {
  readonly rules: Rules;
  readonly request: ExplainedRequest;
  readonly moment: Moment;
  /** What came, or is stored; undefined: nothing yet. */
  readonly response?: GivenResponse | undefined;
  readonly stored?: StoredResponse | undefined;
  /** Where that lies. */
  readonly tier?: 'memory' | 'disk' | undefined;
  /** How long ago a given response came. */
  readonly sinceMs?: number;
  /** The origin cannot be reached, as far as is known. */
  readonly isOffline?: boolean;
}

export function explain(options: ExplainOptions): Explanation {
  const { rules, request } = options;
  const { stored } = options;
  const given = stored ?? options.response;
  const known = given === undefined ? undefined : { status: given.status, fields: given.fields };
  const rule = rules.ruleFor(request);
  const fields = shapedFields(request.fields, rule);
  const shaped = { ...request, fields };
  const pass = reasonToPass({ ...shaped, isUpgrade: false, hasBody: false }, rule);
  const subject = pass === undefined ? subjectOf(options, shaped) : undefined;
  const response = known === undefined || pass !== undefined ? undefined : noteOf(options, shaped, subject);
  return {
    request: `${request.method} ${request.scheme}://${request.host}${request.target}`,
    rule: rule.name,
    passedOver: passedOver(rules, request, known),
    // Of a POST that is cached the content is part of the key, and is mostly not known here.
    key:
      request.method === 'POST' && request.content === undefined && pass === undefined
        ? `${requestKey(shaped, rule)} POST content=...`
        : requestKey(shaped, rule),
    pass,
    changed: changedFields(request.fields, fields),
    sent: [...fields],
    response,
    now: whatNow(rule, shaped, options, pass, subject, response),
    conditions: subject === undefined ? [] : conditionsOf(shaped, subject, stored),
  };
}

function passedOver(
  rules: Rules,
  request: ExplainedRequest,
  response: GivenResponse | undefined,
): Explanation['passedOver'] {
  const out: { rule: string; wanted: string }[] = [];
  for (const candidate of rules.candidates) {
    const wanted = whyNot(candidate, request, response);
    if (wanted === undefined) break;
    out.push({ rule: candidate.rule.name, wanted });
  }
  return out;
}

function changedFields(before: Fields, after: Fields): Explanation['changed'] {
  if (before === after) return [];
  const names = new Set([...before, ...after].map(([name]) => name.toLowerCase()));
  return [...names]
    .filter((name) => before.get(name) !== after.get(name))
    .map((name) => [name, after.get(name)] as const);
}

/** What there is to be stored, or is stored, with its life; undefined where it is not storable. */
function subjectOf(options: ExplainOptions, request: ExplainedRequest): Subject | undefined {
  const { rules, stored, response, moment, sinceMs = 0 } = options;
  if (stored !== undefined) {
    const { life, status, fields, despite = [] } = stored;
    return { life, status, fields, despite, rule: rules.ruleForResponse(request, status, fields) };
  }
  if (response === undefined) return undefined;
  const { status, fields } = response;
  const rule = rules.ruleForResponse(request, status, fields);
  const receivedWall = moment.wall - sinceMs;
  const asked = { ...askedBy(options, request), status, fields, rule, receivedWall };
  const verdict = judgeStorable(asked);
  if (!verdict.store) return undefined;
  const receivedAt = moment.now - sinceMs;
  const receipt = { fields, requestAt: receivedAt, responseAt: receivedAt, responseWall: receivedWall };
  const life = lifeOf({ status, fields, rule, initialAgeMs: correctedInitialAgeMs(receipt), receivedAt, receivedWall });
  return { life, status, fields: verdict.fields, rule, despite: verdict.despite };
}

/** What storing goes by of the request. */
function askedBy({ rules }: ExplainOptions, request: ExplainedRequest) {
  const { method, fields } = request;
  const isCachedPost = method === 'POST' && rules.ruleFor(request).methods.includes('POST');
  return { method, requestFields: fields, isCachedPost };
}

function noteOf(options: ExplainOptions, request: ExplainedRequest, subject: Subject | undefined): ResponseNote {
  const { rules, moment, sinceMs = 0, stored, response } = options;
  const { status, fields } = stored ?? response ?? { status: 0, fields: request.fields };
  const rule = rules.ruleForResponse(request, status, fields);
  if (subject === undefined) {
    const receivedWall = moment.wall - sinceMs;
    const asked = { ...askedBy(options, request), status, fields, rule, receivedWall };
    const verdict = judgeStorable(asked);
    return {
      status,
      rule: rule.name,
      stored: false,
      tier: undefined,
      reason: verdict.store ? undefined : verdict.reason,
      despite: [],
      phases: [],
      errorUntil: undefined,
      unreachableUntil: undefined,
      ageSec: 0,
      vary: [],
      client: [...clientFields(fields, rule, 0, false)],
    };
  }
  const { life } = subject;
  const names = varyNames(subject.fields);
  const ageSec = Math.max(0, Math.floor((moment.now - life.bornAt) / 1000));
  const until = (instant: number): Instant => instantOf(instant, moment);
  return {
    status,
    rule: subject.rule.name,
    stored: true,
    tier: options.tier,
    reason: undefined,
    despite: subject.despite,
    phases: phasesOf(subject, moment),
    errorUntil: life.errorUntil > life.staleAt ? until(life.errorUntil) : undefined,
    unreachableUntil: life.unreachableUntil > life.staleAt ? until(life.unreachableUntil) : undefined,
    ageSec,
    vary: names === '*' ? ['*'] : selectionOf(names, request.fields).names,
    client: [...clientFields(subject.fields, subject.rule, ageSec, true)],
  };
}

function instantOf(instant: number, { now, wall }: Moment): Instant {
  const inMs = Math.round(instant - now);
  return { at: new Date(wall + inMs).toISOString(), inMs };
}

function phasesOf(subject: Subject, moment: Moment): readonly PhaseNote[] {
  const { life, rule } = subject;
  const by = governing(subject.fields, rule.targetedFields);
  const notes: PhaseNote[] = [
    { phase: 'fresh', until: instantOf(life.staleAt, moment), by: ttlBy(life, rule, subject.status) },
    { phase: 'grace', until: instantOf(life.graceUntil, moment), by: graceBy(life, rule, subject.status, by) },
    { phase: 'keep', until: instantOf(life.keepUntil, moment), by: keepBy(rule, subject.status) },
  ];
  return notes;
}

function ttlBy({ ttlSource, staleAt, ceilingAt }: Life, { name }: Rule, _status: number): string {
  if (staleAt === ceilingAt) return `max_staleness of ${name}`;
  switch (ttlSource) {
    case 'rule':
      return `ttl of ${name}`;
    case 'default':
      return `ttl.default of ${name}`;
    case 'none':
      return 'nothing says how long';
    case 'heuristic':
      return 'a tenth of the time since Last-Modified';
    case 'expires':
      return 'Expires of the response';
    default:
      return `${ttlSource} of the response`;
  }
}

function graceBy(life: Life, rule: Rule, status: number, { control }: Governing): string {
  const { staleForbiddenBy } = life;
  if (staleForbiddenBy !== undefined && life.graceUntil === life.staleAt)
    return `${staleForbiddenBy} of the response forbids it`;
  if (life.graceUntil === life.ceilingAt) return `max_staleness of ${rule.name}`;
  const setting = settingFor(byHealth(rule.grace).healthy, status);
  if (control.staleWhileRevalidate !== undefined && setting.kind !== 'bounded')
    return 'stale-while-revalidate of the response';
  return setting.kind === 'origin' ? 'nothing grants any' : `grace of ${rule.name}`;
}

function keepBy(rule: Rule, status: number): string {
  return settingFor(rule.keep, status).kind === 'origin' ? 'the default' : `keep of ${rule.name}`;
}

function whatNow(
  rule: Rule,
  request: ExplainedRequest,
  { moment: { now }, stored, isOffline }: ExplainOptions,
  pass: string | undefined,
  subject: Subject | undefined,
  response: ResponseNote | undefined,
): Explanation['now'] {
  if (pass !== undefined) return { gets: 'pass', reason: pass };
  if (rule.push !== 'off' && stored?.pushed !== true) {
    return rule.push === 'origin'
      ? { gets: 'pass', reason: 'not-pushed' }
      : { gets: 'not-found', reason: 'not-pushed' };
  }
  const directives = rule.push === 'off' ? requestDirectives(request.fields) : NO_DIRECTIVES;
  const isAccepted = rule.cold === 'accepted' && request.method === 'GET' && !directives.noStore;
  const cold = (reason: string): Explanation['now'] =>
    isAccepted ? { gets: 'accepted', reason: 'cold-accepted' } : { gets: 'miss', reason };
  // What came and was not stored is not told to come back for: the next one waits.
  if (subject === undefined)
    return response === undefined ? cold('uri-miss') : { gets: 'miss', reason: response.reason ?? 'uri-miss' };
  const verdict = judgeReuse(subject.life, directives, now, isOffline);
  if (verdict.kind === 'gone') return cold(verdict.reason);
  if (verdict.kind === 'validate') return { gets: 'validate', reason: verdict.reason };
  return { gets: phaseAt(subject.life, now) === 'fresh' ? 'hit' : 'stale', reason: verdict.reason };
}

function conditionsOf(
  request: ExplainedRequest,
  { fields }: Subject,
  stored: StoredResponse | undefined,
): Explanation['conditions'] {
  if (stored === undefined) {
    const out: [string, string][] = [];
    const [etag, modified] = [fields.first('etag'), fields.first('last-modified')];
    if (etag !== undefined) out.push(['If-None-Match', etag]);
    if (modified !== undefined) out.push(['If-Modified-Since', modified]);
    return out;
  }
  const conditional = conditionalFields(request.fields, [stored], stored).fields;
  return [...conditional].filter(([name]) => name === 'If-None-Match' || name === 'If-Modified-Since');
}
