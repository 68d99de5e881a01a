/** PURGE and REFRESH on the main listener, for those who come from Varnish: off unless configured, and never passed on then. */
import { formatCacheStatus } from '../http/cache-status.js';
import { formatHttpDate } from '../http/dates.js';
import { Fields } from '../http/fields.js';
import { targetKey } from '../policy/key.js';
import type { ClientRequest, Reply, ReplySink } from './contract.js';
import type { OperatorDoor } from './operations.js';
import type { EngineParts } from './parts.js';

/** Why a client may not operate: its address is not listed, it does not show the token, or there is none to show. */
export type OperatorRefusal = 'operator-address' | 'operator-token' | 'operator-no-token';

export interface OperatorMethods {
  /** Whether the methods mean something here at all. */
  readonly isOn: boolean;
  /** Why a client at `address` may not use them; undefined where it may. */
  refuse(address: string, authorization: string | undefined): OperatorRefusal | undefined;
}

type Answer = {
  readonly status: 200 | 202 | 401 | 403 | 404 | 500 | 503;
  readonly reason: string;
  readonly sentence: string;
};

const PHRASES: Readonly<Record<Answer['status'], string>> = {
  200: 'OK',
  202: 'Accepted',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  500: 'Internal Server Error',
  503: 'Service Unavailable',
};

const REFUSALS: Readonly<Record<OperatorRefusal, Answer>> = {
  'operator-address': { status: 403, reason: 'operator-address', sentence: 'This method is not for your address.' },
  'operator-no-token': {
    status: 403,
    reason: 'operator-no-token',
    sentence: 'This method needs the token of the operators, and none is configured (admin.token_file).',
  },
  'operator-token': {
    status: 401,
    reason: 'operator-token',
    sentence: 'This method needs the token of the operators: Authorization: Bearer TOKEN.',
  },
};

export function isOperatorMethod(method: string): boolean {
  return method === 'PURGE' || method === 'REFRESH';
}

/** Answers a PURGE or REFRESH; called only where they are on. */
export function operate(
  parts: EngineParts,
  operations: OperatorDoor,
  request: ClientRequest,
  sink: ReplySink,
  via: string,
): void {
  answer(parts, operations, request)
    .catch((error: unknown): Answer => {
      parts.events.notice('error', 'operation-failed', 'An operation failed.', { error });
      return { status: 500, reason: 'internal', sentence: 'This failed; the log says how.' };
    })
    .then((made) => sink.reply(replyOf(parts, request, made, via)));
}

async function answer(parts: EngineParts, operations: OperatorDoor, request: ClientRequest): Promise<Answer> {
  const operation = request.method === 'PURGE' ? 'purge' : 'refresh';
  const authorization = request.fields.lines('authorization');
  const refusal = parts.live.operators.refuse(
    request.remoteAddress,
    authorization.length === 1 ? authorization[0] : undefined,
  );
  const by = { by: request.remoteAddress, url: targetKey(request) };
  if (refusal !== undefined) {
    parts.events.operated(operation, 'refused');
    parts.events.notice('warn', 'operator-refused', 'Somebody who may not tried to operate this proxy.', by);
    return REFUSALS[refusal];
  }
  const made = await (operation === 'purge' ? purged(operations, by.url) : refreshed(operations, by.url));
  const outcome = made.status === 503 ? 'refused' : made.status === 404 ? 'nothing' : 'done';
  parts.events.operated(operation, outcome);
  parts.events.notice('info', `operator-${operation}`, made.sentence, by);
  return made;
}

async function purged(operations: OperatorDoor, url: string): Promise<Answer> {
  const counts = await operations.purge({ kind: 'url', url });
  const { objects, fills, pending } = counts ?? { objects: 0, fills: 0 };
  if (objects + fills === 0 && pending === undefined) return NOTHING;
  const done = `Purged: ${objects}, and ${fills} on their way.`;
  if (pending === undefined) return { status: 200, reason: 'operator-purged', sentence: done };
  const where = pending.map((tier) => `the ${tier} tier`).join(' and ');
  return { status: 200, reason: 'operator-purging', sentence: `${done} Not yet in ${where}, which cannot be reached.` };
}

async function refreshed(operations: OperatorDoor, url: string): Promise<Answer> {
  const run = await operations.refresh({ kind: 'url', url }, { fill: false });
  if (run === 'busy') return { status: 503, reason: 'operator-busy', sentence: 'Too many refreshes are under way.' };
  if (run === undefined || run.objects === 0) return NOTHING;
  return { status: 202, reason: 'operator-refreshing', sentence: `Refreshing: ${run.objects}.` };
}

const NOTHING: Answer = { status: 404, reason: 'operator-nothing', sentence: 'Nothing is stored for this URL.' };

function replyOf(parts: EngineParts, request: ClientRequest, answer: Answer, via: string): Reply {
  const body = Buffer.from(`${answer.sentence}\n`);
  const fields: Record<string, string> = {
    Date: formatHttpDate(parts.clock.wall()),
    'Content-Type': 'text/plain; charset=utf-8',
    'Cache-Control': 'no-store',
    Via: via,
    'Cache-Status': formatCacheStatus({ kind: 'none', detail: answer.reason }),
  };
  // RFC 9110 §15.5.2: a 401 says by what one may get in.
  if (answer.status === 401) fields['WWW-Authenticate'] = 'Bearer realm="patina"';
  return {
    status: answer.status,
    reasonPhrase: PHRASES[answer.status],
    fields: Fields.of(fields),
    payload: { kind: 'bytes', chunks: [body], length: body.length },
    note: {
      outcome: answer.status < 300 ? 'BYPASS' : 'ERROR',
      reason: answer.reason,
      rule: '',
      ageSec: undefined,
      collapsed: false,
    },
    close: request.hasBody,
  };
}
