/** How far an operation reaches: which stored responses, and which answers on their way, a URL, a prefix or a tag means. */
import { OPERATION_BELOW_STEP_COUNT, OPERATION_STEP_COUNT } from '../base/limits.js';
import type { StoredResponse } from '../object/stored.js';
import { keyOfUrl } from '../policy/key.js';
import type { BelowReach, Store, UnseenChange } from '../store/contract.js';
import type { PushedPlace, SharedReach } from '../store/shared-ops.js';
import { isSamePlace, isSameSelection } from '../store/variants.js';
import type { Engine } from './engine.js';
import type { Effect, Meaning } from './fate.js';
import type { Fill } from './fill.js';
import { inSteps } from './steps.js';

/** What an operator names. */
export type Target =
  | { readonly kind: 'url'; readonly url: string }
  | { readonly kind: 'prefix'; readonly prefix: string }
  | { readonly kind: 'tag'; readonly tag: string };

export type Reach =
  /** `but`: something was pushed there, and what else was pushed is not meant, save what is at `earlier`. */
  | {
      readonly kind: 'keys';
      readonly keys: readonly string[];
      readonly but?: 'pushed' | undefined;
      readonly earlier?: PushedPlace | undefined;
    }
  | { readonly kind: 'prefix'; readonly prefixes: readonly string[] }
  | { readonly kind: 'tag'; readonly tag: string };

/**
 * Each of these is meant: a URL has a second one where more is stored of it than is looked for at once. Undefined where a URL or a prefix
 * is no absolute http or https URL, or a tag is empty.
 */
export function reachesOf(engine: Engine, target: Target): readonly Reach[] | undefined {
  if (target.kind === 'tag') return /^[^\s,]+$/.test(target.tag) ? [target] : undefined;
  const key = keyOfUrl(target.kind === 'url' ? target.url : target.prefix);
  if (key === undefined) return undefined;
  if (target.kind === 'prefix') return [{ kind: 'prefix', prefixes: starred(key) }];
  const { keys, further } = engine.purging.at(key);
  const all: Reach = { kind: 'keys', keys };
  return further.length === 0 ? [all] : [all, { kind: 'prefix', prefixes: further.map(({ beginning }) => beginning) }];
}

/** A prefix, and what it is in the keys of rules that leave out the scheme, the host, or both. */
function starred(prefix: string): readonly string[] {
  const [, scheme = '', host = '', rest = ''] = /^([a-z]+):\/\/([^/]+)(.*)$/s.exec(prefix) ?? [];
  return [prefix, `*://${host}${rest}`, `${scheme}://*${rest}`, `*://*${rest}`];
}

function isUnder(prefixes: readonly string[], key: string): boolean {
  return prefixes.some((prefix) => key.startsWith(prefix));
}

/** Whether a key lies within; undefined where that depends on the tags. */
function coversKey(reach: Reach, key: string): boolean | undefined {
  if (reach.kind === 'tag') return undefined;
  return reach.kind === 'keys' ? reach.keys.includes(key) : isUnder(reach.prefixes, key);
}

/** Whether what is stored there is left out of it. */
export function isSpared(reach: Reach | SharedReach, stored: StoredResponse): boolean {
  if (stored.pushed !== true || reach.kind !== 'keys' || reach.but !== 'pushed') return false;
  return reach.earlier === undefined || !isSamePlace(reach.earlier, stored);
}

/**
 * Does `effect` to every answer that is on its way, so that what was asked for before an operation does not undo it.
 * `askedUntil`: what was asked for later is left alone; `isMeant`: so is what this does not mean of what others have. Returns how many are
 * known to be reached; an answer whose tags are not known yet is judged by its head.
 */
export function affectInFlight(
  engine: Engine,
  reach: Reach,
  effect: Effect,
  askedUntil: number = Number.POSITIVE_INFINITY,
  isMeant?: Meaning,
): number {
  let count = 0;
  for (const fill of engine.collapse.all()) {
    if (fill.requestedAt > askedUntil) continue;
    if (fill.isFound && fill.response !== undefined && isMeant?.(fill.response) === false) continue;
    const isReached = coversKey(reach, fill.spec.key) ?? (reach.kind === 'tag' && isAbout(fill, reach.tag));
    if (isReached) {
      fill.supersede(effect, isMeant);
      // One that waits for somebody else's answer brings none of its own.
      if (fill.requestedAt > 0) count++;
    } else if (reach.kind === 'tag' && fill.response === undefined) fill.fate.applyTo(reach.tag, effect);
  }
  for (const capture of engine.collapse.captures) {
    if (capture.requestedAt > askedUntil) continue;
    if (coversKey(reach, capture.key) ?? (reach.kind === 'tag' && carries(capture.tags, reach.tag))) {
      capture.fate.apply(effect);
      count++;
    }
  }
  return count;
}

/** Whether what a fill brings carries a tag; before its head is here, whether anything does that a 304 could confirm. */
function isAbout({ response, spec }: Fill, tag: string): boolean {
  if (response !== undefined) return carries(response.tags, tag);
  return carries(spec.basis?.tags, tag) || spec.candidates.some(({ tags }) => carries(tags, tag));
}

function carries(tags: readonly string[] | undefined, tag: string): boolean {
  return tags?.includes(tag) === true;
}

/** Forgets what was noted beside the stored responses: that answers could not be shared, that the origin failed. */
export function forgetNotes(engine: Engine, reach: Reach): void {
  if (reach.kind === 'keys') for (const key of reach.keys) engine.purging.forget(key);
  if (reach.kind !== 'prefix') return;
  for (const prefix of reach.prefixes) {
    engine.parts.markers.unmarkUnder(prefix);
    engine.parts.failures.forgetUnder(prefix);
    engine.refreshes.forgetUnder(prefix);
  }
}

/** Where a stored response is found again, without holding on to its body. */
export type StoredPlace = Pick<StoredResponse, 'key' | 'selection'>;

/** What is stored in a place now. */
export function currentOf(store: Store, place: StoredPlace): StoredResponse | undefined {
  return currentAmong(store.known(place.key), place);
}

/** The same, of what is stored under its key. */
export function currentAmong(known: readonly StoredResponse[], place: StoredPlace): StoredResponse | undefined {
  return known.find(({ selection }) => isSameSelection(selection, place.selection));
}

/**
 * Shows each stored response within reach to `visit`, in steps with pauses between them. All that is stored at the
 * beginning is shown, in its present form, unless it goes first. `visit` may take out or replace what it is shown, and may
 * be shown again what it left: what comes up from below meanwhile is passed over by the walk through memory, so that the
 * walk below leaves nothing out.
 */
export async function eachStored(engine: Engine, reach: Reach, visit: (stored: StoredResponse) => void): Promise<void> {
  const { store, clock } = engine.parts;
  if (reach.kind === 'keys') {
    for (const key of reach.keys) for (const stored of store.known(key)) visit(stored);
    return;
  }
  if (reach.kind === 'prefix') {
    const visitUnder = (stored: StoredResponse): void => {
      if (isUnder(reach.prefixes, stored.key)) visit(stored);
    };
    await inSteps<number>(clock, (from = 0) => store.scan(from, OPERATION_STEP_COUNT, visitUnder));
    for (const prefix of reach.prefixes) await eachBelow(engine, { kind: 'prefix', prefix }, visit);
    return;
  }
  const tagged = store.tagged(reach.tag);
  await inSteps<number>(clock, (from = 0) => {
    const until = from + OPERATION_STEP_COUNT;
    for (const stored of tagged.slice(from, until)) {
      const current = currentOf(store, stored);
      if (current !== undefined && carries(current.tags, reach.tag)) visit(current);
    }
    return until < tagged.length ? until : undefined;
  });
  await eachBelow(engine, reach, visit);
}

/** Does `change` to what is within reach and out of sight now, once it is seen. */
export function changeUnseen({ parts }: Engine, reach: Reach, change: UnseenChange): void {
  if (reach.kind === 'keys') for (const key of reach.keys) parts.store.changeUnseen({ kind: 'key', key }, change);
  else if (reach.kind === 'tag') parts.store.changeUnseen(reach, change);
  else for (const prefix of reach.prefixes) parts.store.changeUnseen({ kind: 'prefix', prefix }, change);
}

/** As eachStored() does, of what is below memory, in the form that memory has where it has one. */
export function eachBelow(
  { parts: { store, clock } }: Engine,
  reach: BelowReach,
  visit: (stored: StoredResponse) => void,
): Promise<void> {
  return inSteps<string>(clock, (after) => store.scanBelow(reach, after, OPERATION_BELOW_STEP_COUNT, visit, 'all'));
}
