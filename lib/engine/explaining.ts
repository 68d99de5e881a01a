/**
 * Explains each answer to a request that carries the secret debug header, and, at log level trace, every one. Others pay
 * nothing for it.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import { type ExplainedRequest, type Explanation, explain } from '../explain/explain.js';
import { explanationLine } from '../explain/text.js';
import type { Fields } from '../http/fields.js';
import type { StoredResponse } from '../object/stored.js';
import { requestKey } from '../policy/key.js';
import { chooseVariant } from '../policy/vary.js';
import type { Tier } from '../store/contract.js';
import type { ClientRequest, PassPlan, Reply, ReplySink } from './contract.js';
import type { EngineParts } from './parts.js';
import { shaped, withContent } from './requests.js';

/** Who gets explanations. */
export interface ExplainSettings {
  /** In lower case. */
  readonly header: string | undefined;
  readonly secret: string;
  /** Every answer, into the log. */
  readonly isTraced: boolean;
}

/** The response field that carries one. */
export const EXPLANATION_FIELD = 'X-Patina-Explanation';

/** Compared in a time that tells nothing of the secret. */
export function isSecret(given: string, secret: string): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
  return secret !== '' && timingSafeEqual(digest(given), digest(secret));
}

/** The request without the header, and a sink that explains where that is asked for. */
export function withExplanation(
  parts: EngineParts,
  request: ClientRequest,
  sink: ReplySink,
  select: (request: ClientRequest) => StoredResponse | undefined,
): { readonly request: ClientRequest; readonly sink: ReplySink } {
  const settings = parts.live.explain;
  if (settings === undefined) return { request, sink };
  const { header, secret, isTraced } = settings;
  const given = header === undefined ? undefined : request.fields.get(header);
  const bare = header === undefined || given === undefined ? request : withoutField(request, header);
  const isAsked = given !== undefined && isSecret(given, secret);
  if (!isAsked && !isTraced) return { request: bare, sink };
  const tell = (content: Buffer | undefined): Explanation => {
    const known = content === undefined ? bare : withContent(bare, content);
    return explainNow(parts, known, select);
  };
  return { request: bare, sink: new ExplainingSink(parts, sink, tell, isAsked, isTraced) };
}

/** What a request gets now, from what is stored. Of a POST whose content is not known nothing is found. */
export function explainNow<Request extends ExplainedRequest>(
  parts: EngineParts,
  request: Request,
  select: (request: Request) => StoredResponse | undefined,
  tierOf?: (parts: EngineParts, request: Request) => Tier | undefined,
): Explanation {
  const { method, scheme, host, target, fields, content } = request;
  const { live, clock, origin } = parts;
  const isFindable = method !== 'POST' || content !== undefined;
  const tier = isFindable ? tierOf?.(parts, request) : undefined;
  return explain({
    tier,
    rules: live.rules,
    request: { method, scheme, host, target, fields, content },
    moment: { now: clock.now(), wall: clock.wall() },
    stored: isFindable ? select(request) : undefined,
    isOffline: !origin.healthy,
  });
}

/** The same with where what is stored lies, which is asked first: to find it may bring it up to memory. */
export function explainWithTier(
  parts: EngineParts,
  request: ClientRequest,
  select: (request: ClientRequest) => StoredResponse | undefined,
): Explanation {
  return explainNow(parts, request, select, tierFor);
}

function tierFor({ live, store }: EngineParts, received: ClientRequest): Tier | undefined {
  const rule = live.rules.ruleFor(received);
  const request = shaped(received, rule);
  const stored = chooseVariant(store.known(requestKey(request, rule)), request.fields);
  return stored === undefined ? undefined : store.tierOf(stored);
}

function withoutField(request: ClientRequest, name: string): ClientRequest {
  const { method, target, scheme, host, httpVersion, remoteAddress, hasBody, isUpgrade, startedAt } = request;
  const fields = request.fields.without(name);
  return { method, target, scheme, host, fields, httpVersion, remoteAddress, hasBody, isUpgrade, startedAt };
}

class ExplainingSink implements ReplySink {
  readonly #parts: EngineParts;
  readonly #sink: ReplySink;
  readonly #tell: (content: Buffer | undefined) => Explanation;
  readonly #isAsked: boolean;
  readonly #isTraced: boolean;
  /** Of the moment when all of the request was here: its answer may be stored before it is told. */
  #told: Explanation;

  constructor(
    parts: EngineParts,
    sink: ReplySink,
    tell: (content: Buffer | undefined) => Explanation,
    isAsked: boolean,
    isTraced: boolean,
  ) {
    this.#parts = parts;
    this.#sink = sink;
    this.#tell = tell;
    this.#told = tell(undefined);
    this.#isAsked = isAsked;
    this.#isTraced = isTraced;
  }

  inform(status: number, fields: Fields): void {
    this.#sink.inform(status, fields);
  }

  reply(reply: Reply): void {
    this.#sink.reply({ ...reply, fields: this.#explained(reply.fields, reply.note.reason) });
  }

  pass(plan: PassPlan): void {
    this.#sink.pass({
      ...plan,
      respond: (status, reasonPhrase, fields, receivedVersion) => {
        const made = plan.respond(status, reasonPhrase, fields, receivedVersion);
        return { ...made, fields: this.#explained(made.fields, made.note.reason) };
      },
    });
  }

  takeContent(maxBytes: number, done: (content: Buffer | undefined) => void): void {
    this.#sink.takeContent(maxBytes, (content) => {
      this.#told = this.#tell(content);
      done(content);
    });
  }

  onGone(run: () => void): void {
    this.#sink.onGone(run);
  }

  faulted(error: unknown): void {
    this.#sink.faulted(error);
  }

  #explained(fields: Fields, reason: string): Fields {
    const told = this.#told;
    if (this.#isTraced) {
      this.#parts.events.notice('trace', 'explained', `${told.request}: ${reason}`, { explanation: told });
    }
    return this.#isAsked ? fields.append(EXPLANATION_FIELD, explanationLine(told)) : fields;
  }
}
