/** The operations of the admin listener: what a request asks for, what is done, and what is told of it. */
import { STATUS_CODES } from 'node:http';
import { ADMIN_MAX_WAIT_MS } from '../base/admin-limits.js';
import type { Clock } from '../base/clock.js';
import type {
  Counts,
  PushCounts,
  PushedHead,
  RefreshOrder,
  RefreshRun,
  Refused,
  Target,
} from '../engine/operations.js';
import { Fields } from '../http/fields.js';
import type { Events, Operation } from '../observe/events.js';
import { explainReason } from '../observe/reasons.js';
import { type RequestBody, readJson } from './body.js';
import { type AdminReply, makeJson, makeProblem, unknownParameter } from './problem.js';

type Soon<T> = T | Promise<T>;

/** Every process that could do it has ended, and none is in its place yet: what is on disk was not reached. */
export class NobodyServesError extends Error {
  override readonly name = 'NobodyServesError';
}

/** What is done here, or in several processes at once: then each may reject with a NobodyServesError. */
export interface OperationDoor {
  purge(target: Target): Promise<Counts | undefined>;
  expire(target: Target): Promise<Counts | undefined>;
  refresh(target: Target, order: RefreshOrder): Promise<RefreshRun | 'busy' | undefined>;
  update(url: string, head: PushedHead): Soon<PushDoor | Refused>;
}

/** A pushed response whose body is coming in. One of end and fail is called, once. */
export interface PushDoor {
  write(chunk: Buffer): Soon<Refused | undefined>;
  end(): Soon<Refused | PushCounts>;
  fail(): void;
}

export interface OperationSources {
  readonly clock: Clock;
  readonly events: Events;
  readonly operations: OperationDoor;
}

/** A request to operate. */
export interface OperatorRequest {
  readonly remoteAddress: string;
  readonly query: URLSearchParams;
  /** Names and values in turn. */
  readonly rawFields: readonly string[];
  readonly body: RequestBody;
}

interface Order {
  readonly target: Target;
  readonly wait: boolean;
  readonly fill: boolean;
}

const NAMING = ['url', 'prefix', 'tag'] as const;
const EXAMPLE = 'Expected one of {"url": "http://HOST/PATH"}, {"prefix": "http://HOST/..."}, {"tag": "WORD"}.';

function orderOf(operation: Operation, read: Readonly<Record<string, unknown>>): Order | AdminReply {
  const known: readonly string[] = operation === 'refresh' ? [...NAMING, 'wait', 'fill'] : NAMING;
  const unknown = Object.keys(read).find((name) => !known.includes(name));
  if (unknown !== undefined)
    return makeProblem(400, `There is no ${JSON.stringify(unknown)} in this. There is: ${known.join(', ')}.`);
  const named = NAMING.filter((name) => read[name] !== undefined);
  const [kind] = named;
  const value = kind === undefined ? undefined : read[kind];
  if (kind === undefined || named.length !== 1 || typeof value !== 'string') return makeProblem(400, EXAMPLE);
  const { wait = false, fill = false } = read;
  if (typeof wait !== 'boolean' || typeof fill !== 'boolean')
    return makeProblem(400, 'wait and fill are true or false.');
  if (fill && kind !== 'url')
    return makeProblem(400, 'fill asks for a URL that is not stored: it goes with url alone.');
  return { target: targetOf(kind, value), wait, fill };
}

function targetOf(kind: (typeof NAMING)[number], value: string): Target {
  if (kind === 'url') return { kind, url: value };
  return kind === 'prefix' ? { kind, prefix: value } : { kind, tag: value };
}

function valueOfTarget(target: Target): string {
  if (target.kind === 'url') return target.url;
  return target.kind === 'prefix' ? target.prefix : target.tag;
}

const SENTENCES = {
  purge: 'An operator purged what was stored.',
  expire: 'An operator made what was stored stale.',
  refresh: 'An operator had what was stored refreshed.',
} as const;

/** `POST /v1/purge`, `/v1/expire` and `/v1/refresh`. */
export async function answerOperation(
  sources: OperationSources,
  operation: keyof typeof SENTENCES,
  request: OperatorRequest,
): Promise<AdminReply> {
  return unlessNobody(sources, operation, () => operated(sources, operation, request));
}

async function unlessNobody(
  { events }: OperationSources,
  operation: keyof typeof SENTENCES | 'update',
  work: () => Promise<AdminReply>,
): Promise<AdminReply> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof NobodyServesError)) throw error;
    events.operated(operation, 'refused');
    const detail = 'No worker lives that has done what was asked for: ask again.';
    return makeProblem(503, detail, { 'Retry-After': '1' });
  }
}

async function operated(
  sources: OperationSources,
  operation: keyof typeof SENTENCES,
  request: OperatorRequest,
): Promise<AdminReply> {
  const { operations, events } = sources;
  const reading = await readJson(request.body);
  const order = 'refused' in reading ? reading.refused : orderOf(operation, reading.read);
  const refuse = (reply: AdminReply): AdminReply => {
    events.operated(operation, 'refused');
    return reply;
  };
  if ('status' in order) return refuse(order);
  const { target } = order;
  const tell = (facts: Pick<Counts, 'objects'> & Partial<Counts>): void => {
    const isNothing = facts.objects === 0 && (facts.fills ?? 0) === 0 && !order.fill && facts.pending === undefined;
    events.operated(operation, isNothing ? 'nothing' : 'done');
    const circumstances = { by: request.remoteAddress, [target.kind]: valueOfTarget(target), ...facts };
    events.notice('info', `operator-${operation}`, SENTENCES[operation], circumstances);
  };
  const noTarget = makeProblem(
    400,
    `${target.kind}: ${target.kind === 'tag' ? 'a tag is one word' : 'not an absolute URL'}. ${EXAMPLE}`,
  );
  if (operation === 'refresh') {
    const run = await operations.refresh(target, { fill: order.fill });
    if (run === undefined) return refuse(noTarget);
    if (run === 'busy') {
      return refuse(
        makeProblem(503, 'Too many refreshes are under way; ask again once one has ended.', { 'Retry-After': '1' }),
      );
    }
    tell({ objects: run.objects });
    return answerRefresh(sources.clock, run, order.wait);
  }
  const counts = await operations[operation](target);
  if (counts === undefined) return refuse(noTarget);
  tell(counts);
  // 200 with something pending too: no request that comes here is answered by it any more, and who scripts a purge may look for no other.
  return makeJson(200, { operation, ...counts });
}

/** RFC 9110 §15.3.3: 202 where the refresh goes on. */
async function answerRefresh(clock: Clock, run: RefreshRun, wait: boolean): Promise<AdminReply> {
  let isOver = false;
  if (wait) {
    const limit = new Promise<void>((resolve) => {
      const timer = clock.after(ADMIN_MAX_WAIT_MS, resolve);
      void run.over.then(() => timer.cancel());
    });
    await Promise.race([
      run.over.then(() => {
        isOver = true;
      }),
      limit,
    ]);
  }
  return makeJson(isOver ? 200 : 202, {
    operation: 'refresh',
    objects: run.objects,
    ended: wait ? run.ends : {},
    over: isOver,
  });
}

/** Fields of a PUT that are about the request, not about the response that it carries. */
const OF_THE_REQUEST =
  /^(?:accept(?:-.*)?|authorization|connection|content-length|cookie|expect|from|host|if-.*|keep-alive|max-forwards|origin|patina-request-.*|proxy-.*|range|referer|sec-.*|te|trailer|transfer-encoding|upgrade|user-agent|via|x-forwarded-.*|forwarded|access-control-request-.*)$/;
/** `Patina-Request-Accept-Language: de`: what a request must have to be answered with the response. */
const SELECTING = 'patina-request-';
const REFUSALS: Readonly<Partial<Record<string, readonly [status: number, detail: string]>>> = {
  url: [400, 'url: expected an absolute URL, http://HOST/PATH or https://HOST/PATH.'],
  'too-large': [413, 'The response is larger than what is stored at all (half of cache.memory).'],
  'no-room': [507, 'There is no room for it now.'],
  'content-forbidden': [422, 'A response with this status has no content.'],
  incomplete: [400, 'The body is not as long as Content-Length says.'],
  'no-freshness': [
    422,
    'Nothing says how long it is fresh: send Cache-Control: max-age=..., or set a ttl in the rule for this URL.',
  ],
};

function refusalFor(reason: string): AdminReply {
  const [status, detail] = REFUSALS[reason] ?? [
    422,
    `A response like this is not stored (${reason}): ${explainReason(reason) ?? ''}`,
  ];
  return makeProblem(status, detail);
}

/** `PUT /v1/objects?url=URL[&status=200]`: the body and the fields are those of the response. */
export function answerUpdate(sources: OperationSources, request: OperatorRequest): Promise<AdminReply> {
  return unlessNobody(sources, 'update', () => updated(sources, request));
}

async function updated(sources: OperationSources, request: OperatorRequest): Promise<AdminReply> {
  const { events, operations } = sources;
  const url = request.query.get('url');
  const written = request.query.get('status') ?? '200';
  const refuse = (reply: AdminReply): AdminReply => {
    events.operated('update', 'refused');
    return reply;
  };
  if (url === null) return refuse(makeProblem(400, 'Expected ?url=URL: what the response is for.'));
  const unknown = unknownParameter(request.query, ['url', 'status']);
  if (unknown !== undefined) return refuse(unknown);
  if (!/^[2-5]\d\d$/.test(written)) return refuse(makeProblem(400, 'status: expected a final status, 200 to 599.'));
  const status = Number(written);
  const { fields, selecting } = fieldsOf(request.rawFields);
  const bodyBytes = request.body.bytes;
  const reasonPhrase = STATUS_CODES[status] ?? '';
  const pushing = await operations.update(url, { status, reasonPhrase, fields, selecting, bodyBytes });
  if ('refused' in pushing) return refuse(refusalFor(pushing.refused));
  const result = await pour(request.body, pushing);
  if ('refused' in result) return refuse(refusalFor(result.refused));
  events.operated('update', 'done');
  events.notice('info', 'operator-update', 'An operator pushed a response.', {
    by: request.remoteAddress,
    url,
    status,
    ...result,
  });
  const { fills, bytes, ttlMs, pending } = result;
  return makeJson(200, {
    operation: 'update',
    url,
    status,
    bytes,
    fills,
    fresh_for_ms: Number.isFinite(ttlMs) ? ttlMs : null,
    ...(pending === undefined ? {} : { pending }),
  });
}

async function pour(body: RequestBody, pushing: PushDoor): Promise<Refused | PushCounts> {
  try {
    for await (const chunk of body.chunks()) {
      const refused = await pushing.write(chunk);
      if (refused !== undefined) return refused;
    }
  } catch (error) {
    pushing.fail();
    throw error;
  }
  return pushing.end();
}

function fieldsOf(raw: readonly string[]): { fields: Fields; selecting: Fields } {
  const all = new Fields(raw);
  const listed = new Set((all.get('connection') ?? '').toLowerCase().split(/[\s,]+/));
  const selecting: string[] = [];
  for (const [name, value] of all) {
    if (name.toLowerCase().startsWith(SELECTING)) selecting.push(name.slice(SELECTING.length), value);
  }
  return {
    fields: all.filter((name) => !OF_THE_REQUEST.test(name) && !listed.has(name)),
    selecting: new Fields(selecting),
  };
}
