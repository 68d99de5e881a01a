/**
 * What becomes of a fill by what lies elsewhere: in a tier below, or with another process or machine. Its body is followed as it
 * comes from there; where that breaks off, the origin is asked after all, for the rest, or for all of it where nobody was told yet.
 */
import { MAX_COPIES_GOING_ON } from '../base/limits.js';
import type { BodyReader } from '../object/reader.js';
import type { StoredResponse } from '../object/stored.js';
import { NO_DIRECTIVES } from '../policy/request-directives.js';
import { judgeReuse } from '../policy/reuse.js';
import type { Fill } from './fill.js';
import { type FillResult, NOT_KEPT, SUPERSEDED } from './fill-contract.js';
import { Inflow } from './inflow.js';
import type { Found, FoundBytes } from './leases-contract.js';

export function followFound(fill: Fill, { response, body, writer }: Found, bytes: FoundBytes): void {
  const { course } = fill;
  const { store, clock } = fill.parts;
  const isCopy = writer === 'elsewhere';
  const isUsable = judgeReuse(response.life, NO_DIRECTIVES, clock.now()).kind === 'serve';
  const kept = Inflow.keep(store, body?.bytes, course, { isCopy });
  // What has to be validated first is wanted whole: where that cannot be, one asks for all who wait, as if nothing had been found.
  if (kept === undefined && !isUsable && !course.audience.isEmpty) {
    bytes.abort();
    fill.ask();
    return;
  }
  const inflow =
    kept ??
    (isUsable && isForSeveral(fill) ? Inflow.detour(store, body?.bytes, course) : undefined) ??
    Inflow.pass(store, body?.bytes, course);
  course.writer = writer;
  openFound(fill, response, inflow);
  bytes.fills(inflow.body);
  if (!inflow.isKept || isUsable) settleFound(fill);
  // Where it could not be kept, and nobody is there whom it could run through to, it is over already.
  if (course.state === 'streaming') fill.asking.follow(bytes);
  else bytes.abort();
}

/** Whether more than one client reads what comes: several wait for it, or one has a copy already that began before. */
function isForSeveral(fill: Fill): boolean {
  const isCopyToo = (other: Fill): boolean => other !== fill && other.isFound && other.state === 'streaming';
  return fill.course.audience.count > 1 || fill.table.countOf(fill.spec.key, isCopyToo) > 0;
}

/** Of a body that breaks off at `from` for the one who reads it: what comes from there on. */
export function openRest(fill: Fill, response: StoredResponse, from: number): BodyReader {
  const inflow = Inflow.rest(fill.parts.store, from, response.body.totalBytes, fill.course);
  const rest = inflow.body.open(from);
  openFound(fill, response, inflow);
  return rest;
}

function openFound(fill: Fill, response: StoredResponse, inflow: Inflow): void {
  fill.course.opened(inflow, 'abandoned', 'elsewhere');
  fill.isFound = true;
  fill.response = { ...response, body: inflow.body };
}

/** Tells those who wait for what was found. */
export function settleFound(fill: Fill): void {
  const { response, fate, course } = fill;
  if (response === undefined) return;
  const isNobodys = fate.isCaught || fate.isSuperseded;
  const result: FillResult = isNobodys ? SUPERSEDED : { kind: 'found', response };
  const isShared = course.inflow?.isForAll !== false;
  // What is not kept here runs at the pace of one client (decision 0009): others would be cut off, and look again.
  if (!isShared) fill.table.close(fill);
  course.settle(result, isShared || isNobodys ? result : NOT_KEPT);
}

/** What others had, and ran through to one client: what had to be kept elsewhere can be gone on with, for so many at once. */
export function mayGoOn(fill: Fill): boolean {
  const isGoingOn = (other: Fill): boolean => other !== fill && other.isFound && other.requestedAt > 0;
  return fill.isFound && fill.table.countOf(fill.spec.key, isGoingOn) < MAX_COPIES_GOING_ON;
}

/** It broke off before anybody was told of it. */
export function askAfterAll(fill: Fill): void {
  fill.course.reopened();
  fill.response = undefined;
  fill.isFound = false;
  fill.ask();
}
