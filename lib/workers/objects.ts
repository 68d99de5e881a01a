/**
 * What is stored, as one list over all workers: each response once, from the first worker that has it, with the uses in
 * all of them. A page is one worker's; the cursor says whose, and from where on.
 */

import { type AdminReply, makeJson, makeProblem } from '../admin/problem.js';
import { WORKER_ANSWER_TIMEOUT_MS } from '../base/worker-limits.js';
import type { WirePlace, WireReply } from './messages.js';
import type { Member } from './supervisor.js';

interface Listed extends WirePlace {
  readonly hits: number;
}

interface Page {
  readonly objects: readonly Listed[];
  readonly total_stored: number;
  readonly next?: string;
}

interface Shown {
  readonly url: string;
  readonly variants: readonly (Listed & { readonly times: { readonly confirmed: string | null } })[];
  readonly last_refresh: { readonly at: string | null } | null;
}

/** A worker, and where its own list goes on: in memory, or below it. */
const CURSOR = /^(\d{1,4})\.(\d{1,10}|below-[\w-]*)$/;
const GONE = makeProblem(503, 'No worker can tell; ask again.', { 'Retry-After': '1' });

/** `GET /v1/objects` over `members`, in the order of their places. */
export function answerWholeObjects(members: readonly Member[], query: URLSearchParams): Promise<AdminReply> {
  if (!query.has('url')) return listed(members, query);
  return query.has('explain') ? explained(members, query) : shown(members, query);
}

async function ask(member: Member, query: URLSearchParams): Promise<WireReply | undefined> {
  try {
    return await member.channel.ask('objects', { query: query.toString() }, WORKER_ANSWER_TIMEOUT_MS);
  } catch {
    // It died, or is too busy: what it has is not in the list, and it takes no part in it.
    return undefined;
  }
}

function asReply({ status, contentType, body, fields }: WireReply): AdminReply {
  return fields === undefined ? { status, contentType, body } : { status, contentType, body, fields };
}

async function listed(members: readonly Member[], query: URLSearchParams): Promise<AdminReply> {
  const written = query.get('cursor');
  const match = written === null ? ['', '0', '0'] : CURSOR.exec(written);
  if (match === null) return makeProblem(400, 'cursor: expected what the page before gave as next.');
  const at = Number(match[1]);
  const own = new URLSearchParams(query);
  own.set('cursor', match[2] ?? '0');
  const [member] = members.slice(at);
  if (member === undefined) return members.length === 0 ? GONE : makeJson(200, { objects: [], total_stored: 0 });
  const replies = await Promise.all(members.map((one) => (one === member ? ask(one, own) : countOf(one))));
  const reply = replies[at];
  if (reply === undefined) return GONE;
  if (reply.status !== 200) return asReply(reply);
  const page = JSON.parse(reply.body) as Page;
  let total = 0;
  for (const one of replies) if (one?.status === 200) total += (JSON.parse(one.body) as Page).total_stored;
  const objects = await once(members, at, page.objects);
  const next = page.next === undefined ? (at + 1 < members.length ? `${at + 1}.0` : undefined) : `${at}.${page.next}`;
  return makeJson(200, { objects, total_stored: total, ...(next === undefined ? {} : { next }) });
}

/** How many it has, with as little of a page as there can be. */
function countOf(member: Member): Promise<WireReply | undefined> {
  return ask(member, new URLSearchParams({ limit: '1' }));
}

/** Without those that a worker before has, which are in its pages; with the uses in those behind. */
async function once(members: readonly Member[], at: number, objects: readonly Listed[]): Promise<readonly Listed[]> {
  const places = objects.map(({ key, variant }) => ({ key, variant }));
  const hits = await Promise.all(
    members.map(async (member, index) => {
      if (index === at || places.length === 0) return [];
      try {
        return await member.channel.ask('holds', { places }, WORKER_ANSWER_TIMEOUT_MS);
      } catch {
        // As above.
        return [];
      }
    }),
  );
  return objects.flatMap((object, index) => {
    const isBefore = hits.slice(0, at).some((of) => typeof of[index] === 'number');
    if (isBefore) return [];
    const further = hits.slice(at + 1).reduce((sum, of) => sum + (of[index] ?? 0), 0);
    return [{ ...object, hits: object.hits + further }];
  });
}

/** All that is stored for one URL: of each variant the newest form, with the uses in all workers. */
async function shown(members: readonly Member[], query: URLSearchParams): Promise<AdminReply> {
  const replies = (await Promise.all(members.map((member) => ask(member, query)))).filter((one) => one !== undefined);
  const [first] = replies;
  if (first === undefined) return GONE;
  const found = replies.filter(({ status }) => status === 200).map(({ body }) => JSON.parse(body) as Shown);
  const [one] = found;
  if (one === undefined) return asReply(replies.find(({ status }) => status !== 404) ?? first);
  const variants = new Map<string, Shown['variants'][number]>();
  for (const variant of found.flatMap((each) => each.variants)) {
    const name = JSON.stringify([variant.key, variant.variant]);
    const known = variants.get(name);
    const hits = variant.hits + (known?.hits ?? 0);
    const isNewer = known === undefined || (variant.times.confirmed ?? '') > (known.times.confirmed ?? '');
    variants.set(name, { ...(isNewer ? variant : known), hits });
  }
  const refreshes = found.flatMap(({ last_refresh: last }) => (last === null ? [] : [last]));
  refreshes.sort((a, b) => ((a.at ?? '') < (b.at ?? '') ? 1 : -1));
  return makeJson(200, { url: one.url, variants: [...variants.values()], last_refresh: refreshes[0] ?? null });
}

/** What a request gets of a worker that has something stored for it; where none has, of any. */
async function explained(members: readonly Member[], query: URLSearchParams): Promise<AdminReply> {
  const replies = (await Promise.all(members.map((member) => ask(member, query)))).filter((one) => one !== undefined);
  const [first] = replies;
  if (first === undefined) return GONE;
  const hasResponse = ({ status, body }: WireReply): boolean =>
    status === 200 && (JSON.parse(body) as { readonly response?: unknown }).response !== undefined;
  return asReply(replies.find(hasResponse) ?? first);
}
