/**
 * Work that clients were told to come back for (design, section 3; SYSTEMS row 2): 202 Accepted with the Location of a
 * status resource, which says 202 while the origin works, redirects to the content once it is there, and tells where the
 * origin failed. Implements RFC 9110 §15.3.3 and §15.4.4.
 */
import { randomBytes } from 'node:crypto';
import type { Clock } from '../base/clock.js';
import { ACCEPTED_TTL_MS, MAX_ACCEPTED } from '../base/limits.js';
import type { ClientRequest, ReplySink } from './contract.js';
import type { Engine } from './engine.js';
import type { Fill } from './fill.js';
import type { FillEnd } from './fill-contract.js';
import { markerKeyOf, unledOrder } from './fill-order.js';
import { acceptedReply, seeOtherReply } from './synth.js';

/** Below this path every resource is one of ours (RFC 8615 §3). */
export const STATUS_PREFIX = '/.well-known/patina/status/';

const ID_BYTES = 16;
const ID_LENGTH = 2 * ID_BYTES;
/** Where in the target of a status resource that of the content begins. */
const CONTENT_AT = STATUS_PREFIX.length + ID_LENGTH;

interface Work {
  readonly id: string;
  /** Where the content will be; it stands in the status resource behind the id. */
  readonly target: string;
  readonly host: string;
  /** Undefined once it has ended: the body must not be held by it. */
  fill: Fill | undefined;
  hasFailed: boolean;
  until: number;
}

export class AcceptedWork {
  readonly #clock: Clock;
  /** In the order in which they will be forgotten. */
  readonly #byId = new Map<string, Work>();
  readonly #byFill = new Map<Fill, Work>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The status resource of a fill. */
  note(fill: Fill, request: ClientRequest): string {
    const known = this.#byFill.get(fill);
    if (known !== undefined) return STATUS_PREFIX + known.id + known.target;
    this.#forgetOld();
    const id = randomBytes(ID_BYTES).toString('hex');
    const { target, host } = request;
    const work: Work = { id, target, host, fill, hasFailed: false, until: this.#clock.now() + ACCEPTED_TTL_MS };
    this.#byId.set(id, work);
    this.#byFill.set(fill, work);
    return STATUS_PREFIX + id + target;
  }

  /** The fill came to its end. What came but may not be shared is had by asking for it: only a failure leaves nothing to see. */
  ended(fill: Fill, end: FillEnd): void {
    const work = this.#byFill.get(fill);
    if (work === undefined) return;
    this.#byFill.delete(fill);
    work.hasFailed = end === 'failed' || end === 'error';
    work.fill = undefined;
  }

  /** The work that a target of ours is about. */
  find({ target, host }: ClientRequest): Work | undefined {
    const work = this.#byId.get(target.slice(STATUS_PREFIX.length, CONTENT_AT));
    if (work === undefined || work.host !== host || contentTarget(target) !== work.target) return undefined;
    return work.until > this.#clock.now() || work.fill !== undefined ? work : undefined;
  }

  #forgetOld(): void {
    const now = this.#clock.now();
    for (const [id, work] of this.#byId) {
      if (work.until > now && this.#byId.size < MAX_ACCEPTED) return;
      this.#byId.delete(id);
      if (work.fill !== undefined) this.#byFill.delete(work.fill);
    }
  }
}

/**
 * 202 at once while one request to the origin runs; returns whether it was given. Not where the last answer was
 * uncacheable, or the origin fails: then there is nothing to come back for. Nor where to lead back to the target would lead to another host,
 * or the target of the status resource would be refused for its length.
 */
export function acceptCold(engine: Engine, request: ClientRequest, sink: ReplySink, key: string): boolean {
  const { parts, collapse, accepted } = engine;
  if (!OWN_PATH.test(request.target)) return false;
  if (CONTENT_AT + request.target.length > parts.live.limits.targetBytes) return false;
  if (parts.markers.isMarked(markerKeyOf(key, request)) || parts.failures.pending(key) !== undefined) return false;
  const running = collapse.find(key, request.fields);
  // Its bytes are arriving: whoever comes now follows them.
  if (running?.state === 'streaming' || (running === undefined && collapse.isFull)) return false;
  const fill = running ?? engine.makeFill(unledOrder(key, request));
  const location = accepted.note(fill, request);
  const rule = parts.live.rules.ruleFor(request).name;
  sink.reply(acceptedReply(request, location, rule, parts.clock.wall(), engine.via));
  if (running === undefined) {
    void collapse.endOf(fill).then((end) => accepted.ended(fill, end));
    fill.start();
  }
  return true;
}

/** What stands behind the id in the target of a status resource. */
function contentTarget(target: string): string {
  return target.slice(CONTENT_AT);
}

const ID = /^[0-9a-f]{32}$/;
/** A network-path reference (RFC 3986 §4.2) would lead to another host, and a backslash does as much in browsers. */
const OWN_PATH = /^\/(?![/\\])/;

/**
 * Another worker, another machine or this one before a restart may have given this name. Whoever asks there is sent to the
 * content, where who has it, or has it made, answers: with 202 again as long as it is not there. Only to what clients
 * are told to come back for.
 */
function mayBeKnownElsewhere({ parts }: Engine, request: ClientRequest): boolean {
  const target = contentTarget(request.target);
  const id = request.target.slice(STATUS_PREFIX.length, CONTENT_AT);
  if (!ID.test(id) || !OWN_PATH.test(target) || target.startsWith(STATUS_PREFIX)) return false;
  // As it came: the rule for the status resource may have shaped it.
  const asked = request.received ?? request;
  return parts.live.rules.ruleFor({ ...asked, method: 'GET', target, received: undefined }).cold === 'accepted';
}

/** Answers a request for a status resource. */
export function answerStatus(engine: Engine, request: ClientRequest, sink: ReplySink): void {
  const { parts, accepted } = engine;
  const work = accepted.find(request);
  const wall = parts.clock.wall();
  if (work === undefined && mayBeKnownElsewhere(engine, request)) {
    sink.reply(seeOtherReply(request, contentTarget(request.target), wall, engine.via));
  } else if (work === undefined) {
    const sentence = 'No work is known by this name, or it is long over.';
    engine.synth(request, sink, { status: 404, reason: 'status-unknown', sentence, rule: '' });
  } else if (work.fill?.state === 'opened') {
    sink.reply(acceptedReply(request, request.target, '', wall, engine.via));
  } else if (work.hasFailed) {
    const sentence = 'The origin failed at this. Ask for it again later.';
    engine.synth(request, sink, { status: 502, reason: 'cold-failed', sentence, rule: '', retryAfterSec: 1 });
  } else {
    sink.reply(seeOtherReply(request, work.target, wall, engine.via));
  }
}
