/** Stored responses as an operator sees them: one page of a list, or all there is to say of one URL. */

import {
  ADMIN_MAX_PAGE_COUNT,
  ADMIN_PAGE_COUNT,
  ADMIN_SCAN_BELOW_COUNT,
  ADMIN_SCAN_COUNT,
} from '../base/admin-limits.js';
import type { Clock } from '../base/clock.js';
import type { ExplainedRequest, Explanation } from '../explain/explain.js';
import { readRequest } from '../explain/request.js';
import type { StoredResponse } from '../object/stored.js';
import { ageSecAt } from '../policy/age.js';
import { keyOfUrl } from '../policy/key.js';
import { type Phase, phaseAt } from '../policy/reuse.js';
import type { Store } from '../store/contract.js';
import type { LastRefreshes } from './last-refresh.js';
import { type AdminReply, makeJson, makeProblem, unknownParameter } from './problem.js';

export interface ObjectSources {
  readonly clock: Clock;
  readonly store: Store;
  readonly lastRefreshes: LastRefreshes;
  /** All keys under which what is at a URL may be stored. */
  keysOf(url: string): readonly string[];
  /** What a request would get now, and why. */
  explain(request: ExplainedRequest): Explanation;
}

const PHASES: readonly Phase[] = ['fresh', 'grace', 'keep', 'gone'];
const PARAMETERS = ['prefix', 'tag', 'phase', 'rule', 'min_hits', 'limit', 'cursor'] as const;
const OF_ONE_URL = ['url', 'explain', 'header'] as const;

interface Filter {
  readonly prefix: string | undefined;
  readonly tag: string | undefined;
  readonly phase: string | undefined;
  readonly rule: string | undefined;
  readonly minHits: number;
}

/**
 * `GET /v1/objects`: a page of what is stored, or with `url` all of one URL. With `url` and `explain`, a method: what such
 * a request, with these `header`s, gets now of what is stored, and why.
 */
export function answerObjects(sources: ObjectSources, query: URLSearchParams): AdminReply {
  const url = query.get('url');
  if (url === null) return listed(sources, query);
  const unknown = unknownParameter(query, OF_ONE_URL);
  if (unknown !== undefined) return unknown;
  const method = query.get('explain');
  if (method !== null) {
    const reading = readRequest(method, url, query.getAll('header'));
    return 'problem' in reading
      ? makeProblem(400, `${reading.problem}.`)
      : makeJson(200, { ...sources.explain(reading.request) });
  }
  return shown(sources, url);
}

function listed(sources: ObjectSources, query: URLSearchParams): AdminReply {
  const unknown = unknownParameter(query, ['url', ...PARAMETERS]);
  if (unknown !== undefined) return unknown;
  const prefix = query.get('prefix');
  const prefixKey = prefix === null ? undefined : keyOfUrl(prefix);
  if (prefix !== null && prefixKey === undefined)
    return makeProblem(400, 'prefix: expected the beginning of a URL, http://HOST/...');
  const phase = query.get('phase') ?? undefined;
  if (phase !== undefined && !PHASES.some((own) => own === phase)) {
    return makeProblem(400, `phase: expected one of ${PHASES.join(', ')}.`);
  }
  const minHits = wholeNumber(query.get('min_hits'), 0, Number.MAX_SAFE_INTEGER);
  if (minHits === undefined) return makeProblem(400, 'min_hits: expected a whole number.');
  const limit = wholeNumber(query.get('limit'), ADMIN_PAGE_COUNT, ADMIN_MAX_PAGE_COUNT);
  if (limit === undefined || limit === 0)
    return makeProblem(400, `limit: expected a number from 1 to ${ADMIN_MAX_PAGE_COUNT}.`);
  const cursor = cursorOf(query.get('cursor'));
  if (cursor === undefined) return makeProblem(400, 'cursor: expected what the page before gave as next.');
  const [tag, rule] = [query.get('tag') ?? undefined, query.get('rule') ?? undefined];
  return makeJson(200, pageOf(sources, { prefix: prefixKey, tag, phase, rule, minHits }, cursor, limit));
}

/** Undefined where it is not one, or too large. */
function wholeNumber(written: string | null, preset: number, most: number): number | undefined {
  if (written === null) return preset;
  return /^\d{1,15}$/.test(written) && Number(written) <= most ? Number(written) : undefined;
}

/** Where a page begins: at a place in memory, or behind one below it. */
type Cursor =
  | { readonly in: 'memory'; readonly from: number }
  | { readonly in: 'below'; readonly after: string | undefined };

/** Undefined where it is none that a page gave. */
function cursorOf(written: string | null): Cursor | undefined {
  const below = /^below-([\w-]*)$/.exec(written ?? '');
  if (below !== null) return { in: 'below', after: below[1] === '' ? undefined : below[1] };
  const from = wholeNumber(written, 0, 2 ** 32);
  return from === undefined ? undefined : { in: 'memory', from };
}

/** From `cursor` on; `next` is the cursor of the following page, or absent where this is the last. What is in memory comes first. */
function pageOf(sources: ObjectSources, filter: Filter, cursor: Cursor, limit: number): object {
  return cursor.in === 'memory'
    ? memoryPageOf(sources, filter, cursor.from, limit)
    : belowPageOf(sources, filter, cursor.after, limit);
}

function belowPageOf(sources: ObjectSources, filter: Filter, after: string | undefined, limit: number): object {
  const { store, clock } = sources;
  const objects: object[] = [];
  const now = clock.now();
  const reach =
    filter.tag === undefined
      ? { kind: 'prefix' as const, prefix: filter.prefix ?? '' }
      : { kind: 'tag' as const, tag: filter.tag };
  let next = after;
  for (let looked = 0; objects.length < limit && looked < ADMIN_SCAN_BELOW_COUNT; looked += limit) {
    next = store.scanBelow(reach, next, limit - objects.length, (stored) => {
      if (isMeant(store, stored, filter, now)) objects.push(summaryOf(sources, stored, now));
    });
    if (next === undefined) break;
  }
  return { objects, total_stored: store.stats.objects, ...(next === undefined ? {} : { next: `below-${next}` }) };
}

function memoryPageOf(sources: ObjectSources, filter: Filter, cursor: number, limit: number): object {
  const { store, clock } = sources;
  const objects: object[] = [];
  const now = clock.now();
  let next: number | undefined;
  const after = store.scan(cursor, ADMIN_SCAN_COUNT, (stored, place) => {
    if (next !== undefined || !isMeant(store, stored, filter, now)) return;
    if (objects.length < limit) objects.push(summaryOf(sources, stored, now));
    else next = place;
  });
  const cursorAfter = next ?? after ?? (hasBelow(store) ? 'below-' : undefined);
  return {
    objects,
    total_stored: store.stats.objects,
    ...(cursorAfter === undefined ? {} : { next: String(cursorAfter) }),
  };
}

/** Whether there may be something to be shown below memory. */
function hasBelow(store: Store): boolean {
  let found = false;
  let after: string | undefined;
  for (let looked = 0; looked < ADMIN_SCAN_BELOW_COUNT; looked += ADMIN_PAGE_COUNT) {
    after = store.scanBelow({ kind: 'prefix', prefix: '' }, after, ADMIN_PAGE_COUNT, () => {
      found = true;
    });
    if (found || after === undefined) return found;
  }
  return true;
}

function isMeant(store: Store, stored: StoredResponse, filter: Filter, now: number): boolean {
  if (filter.prefix !== undefined && !stored.key.startsWith(filter.prefix)) return false;
  if (filter.tag !== undefined && stored.tags?.includes(filter.tag) !== true) return false;
  if (filter.rule !== undefined && stored.rule !== filter.rule) return false;
  if (filter.phase !== undefined && phaseAt(stored.life, now) !== filter.phase) return false;
  return filter.minHits === 0 || (store.usage(stored)?.hits ?? 0) >= filter.minHits;
}

function summaryOf({ store }: ObjectSources, stored: StoredResponse, now: number): Readonly<Record<string, unknown>> {
  const { key, selection, status, life, rule, tags = [] } = stored;
  const usage = store.usage(stored);
  return {
    key,
    variant: Object.fromEntries(selection.names.map((name, at) => [name, selection.values[at] ?? null])),
    status,
    phase: phaseAt(life, now),
    fresh_for_ms: Math.max(0, finite(life.staleAt - now) ?? 0),
    age_sec: ageSecAt(life, now),
    tier: store.tierOf(stored) ?? null,
    hits: usage?.hits ?? 0,
    bytes: usage?.bytes ?? 0,
    rule,
    tags,
    pushed: stored.pushed === true,
  };
}

function shown(sources: ObjectSources, url: string): AdminReply {
  const { store, clock, lastRefreshes } = sources;
  const key = keyOfUrl(url);
  if (key === undefined)
    return makeProblem(400, 'url: expected an absolute URL, http://HOST/PATH or https://HOST/PATH.');
  const now = clock.now();
  const keys = sources.keysOf(key);
  const variants = keys.flatMap((own) => store.known(own).map((stored) => detailsOf(sources, stored, now)));
  if (variants.length === 0) return makeProblem(404, `Nothing is stored for ${key}.`);
  const last = keys.map((own) => lastRefreshes.of(own)).find((one) => one !== undefined);
  return makeJson(200, {
    url: key,
    variants,
    last_refresh:
      last === undefined
        ? null
        : {
            at: iso(last.wall),
            end: last.end,
            reason: last.reason,
            status: last.status ?? null,
            duration_ms: Math.round(last.durationMs),
          },
  });
}

function detailsOf(sources: ObjectSources, stored: StoredResponse, now: number): object {
  const { life, fields, body, partial } = stored;
  const wallOf = (instant: number): string | null => iso(sources.clock.wall() + instant - now);
  const leftMs = (instant: number): number | null => finite(Math.max(0, Math.round(instant - now))) ?? null;
  return {
    ...summaryOf(sources, stored, now),
    body_bytes: partial?.heldBytes ?? body.totalBytes ?? body.heldBytes,
    partial: partial !== undefined,
    ttl_source: life.ttlSource,
    stale_use_forbidden_by: life.staleForbiddenBy ?? null,
    always_validated: life.alwaysValidate,
    times: {
      born: wallOf(life.bornAt),
      fetched: wallOf(stored.fetchedAt),
      confirmed: iso(stored.receivedWall),
      fresh_until: wallOf(life.staleAt),
      grace_until: wallOf(life.graceUntil),
      keep_until: wallOf(life.keepUntil),
      stale_if_error_until: wallOf(life.errorUntil),
      expired: stored.expiredAt === undefined ? null : wallOf(stored.expiredAt),
    },
    left_ms: { fresh: leftMs(life.staleAt), grace: leftMs(life.graceUntil), keep: leftMs(life.keepUntil) },
    fields: [...fields].map(([name, value]) => [name, value]),
  };
}

function finite(value: number): number | undefined {
  return Number.isFinite(value) ? value : undefined;
}

/** Instants beyond the calendar of JavaScript are told as null. */
function iso(wall: number): string | null {
  return Math.abs(wall) <= 8.64e15 ? new Date(wall).toISOString() : null;
}
