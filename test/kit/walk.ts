/**
 * The engine with a fake clock, an origin that a test plays by hand, and clients that are records: a walk through
 * the life of a stored response without a socket.
 *
 *   const walk = makeWalk();
 *   const client = walk.get('/a');
 *   walk.origin.last.respond(200, { 'Cache-Control': 'max-age=10', ETag: '"1"' }, 'hello');
 *   t.equal(client.body, 'hello');
 */

import { OriginError, type OriginFailure } from '../../lib/base/errors.js';
import { MAX_TARGET_BYTES } from '../../lib/base/limits.js';
import { REFRESH_CONCURRENCY, REFRESH_RATE } from '../../lib/base/refresh-limits.js';
import { ORIGIN_DECIDES, type Rule } from '../../lib/config/rule.js';
import type { Rules } from '../../lib/config/rules.js';
import type { ClientRequest, PassPlan, Reply, ReplySink } from '../../lib/engine/contract.js';
import { Engine } from '../../lib/engine/engine.js';
import type { Leases } from '../../lib/engine/leases-contract.js';
import type { OperatorMethods } from '../../lib/engine/operator-methods.js';
import type { RefreshBudget } from '../../lib/engine/refresh-budget.js';
import { OriginPace } from '../../lib/engine/refresh-pace.js';
import type { Siblings } from '../../lib/engine/siblings-contract.js';
import { Fields } from '../../lib/http/fields.js';
import type { BodyReader } from '../../lib/object/body.js';
import type { AnsweredEvent, AskedEvent, Events } from '../../lib/observe/events.js';
import { SILENT } from '../../lib/observe/events.js';
import type { OriginClient, OriginExchange, OriginListener, OriginRequest } from '../../lib/origin/contract.js';
import type { Store } from '../../lib/store/contract.js';
import { createFailures } from '../../lib/store/failures.js';
import { createMarkers } from '../../lib/store/markers.js';
import { createMemoryStore } from '../../lib/store/memory.js';
import { FakeClock } from './clock.js';

type Written = Readonly<Record<string, string | readonly string[]>>;

/** One exchange that the test plays the origin's side of. */
export class PlayedExchange implements OriginExchange {
  readonly request: OriginRequest;
  readonly #listener: OriginListener;
  isAwaited = false;
  isPaused = false;
  isAborted = false;

  constructor(request: OriginRequest, listener: OriginListener) {
    this.request = request;
    this.#listener = listener;
  }

  pause(): void {
    this.isPaused = true;
  }

  resume(): void {
    this.isPaused = false;
  }

  abort(): void {
    this.isAborted = true;
  }

  /** A field of the request, lower case name. */
  field(name: string): string | undefined {
    return this.request.fields.get(name);
  }

  inform(status: number, fields: Written = {}): void {
    if (!this.isAborted) this.#listener.inform(status, Fields.of(fields));
  }

  head(status: number, fields: Written = {}): this {
    if (!this.isAborted) this.#listener.head({ status, reasonPhrase: 'Played', fields: Fields.of(fields) });
    return this;
  }

  data(text: string | Buffer): this {
    if (!this.isAborted) this.#listener.data(Buffer.from(text));
    return this;
  }

  end(trailers: Written = {}): void {
    if (!this.isAborted) this.#listener.end(Fields.of(trailers));
  }

  fail(code: OriginFailure = 'origin-reset', retryAfterSec?: number): void {
    if (this.isAborted) return;
    const options = retryAfterSec === undefined ? {} : { retryAfterSec };
    this.#listener.fail(new OriginError(code, 'The played origin failed.', options));
  }

  /** A whole answer, all at once for who takes it so; Content-Length is added where a body is given. */
  respond(status: number, fields: Written = {}, body: string | Buffer = ''): void {
    const written = body.length === 0 ? fields : { 'Content-Length': String(body.length), ...fields };
    const content = this.request.method === 'HEAD' ? '' : body;
    if (this.#listener.whole !== undefined && !this.isPaused) {
      const head = { status, reasonPhrase: 'Played', fields: Fields.of(written) };
      if (this.isAborted) return;
      const lent = Buffer.from(content);
      this.#listener.whole(head, lent);
      // Where it lay the next answer is read.
      lent.fill('#');
      return;
    }
    this.head(status, written);
    if (content.length > 0) this.data(content);
    this.end();
  }
}

export class PlayedOrigin implements OriginClient {
  readonly exchanges: PlayedExchange[] = [];
  reachable = true;
  healthy = true;
  readonly stats = { connected: 0, running: 0, queued: 0 };

  fetch(request: OriginRequest, listener: OriginListener): OriginExchange {
    const exchange = new PlayedExchange(request, listener);
    this.exchanges.push(exchange);
    return exchange;
  }

  get count(): number {
    return this.exchanges.length;
  }

  /** The newest exchange. */
  get last(): PlayedExchange {
    const last = this.exchanges.at(-1);
    if (last === undefined) throw new Error('the origin was not asked');
    return last;
  }

  /** Exchange number `n`, from 1 on. */
  nth(n: number): PlayedExchange {
    const exchange = this.exchanges[n - 1];
    if (exchange === undefined) throw new Error(`the origin was asked ${this.count} times, not ${n}`);
    return exchange;
  }

  async close(): Promise<void> {}
}

/** What a client saw of its reply so far. */
export class PlayedClient implements ReplySink {
  replied: Reply | undefined;
  passed: PassPlan | undefined;
  /** What its handling failed by. */
  broken: unknown;
  body = '';
  ending: 'waiting' | 'streaming' | 'finished' | 'broken' = 'waiting';
  readonly informed: number[] = [];
  /** What it sends. */
  readonly content: Buffer;
  #reader: BodyReader | undefined;
  #gone: (() => void) | undefined;
  readonly #isSlow: boolean;

  constructor(isSlow: boolean, content = '') {
    this.#isSlow = isSlow;
    this.content = Buffer.from(content);
  }

  inform(status: number): void {
    this.informed.push(status);
  }

  reply(reply: Reply): void {
    if (this.replied !== undefined) throw new Error('replied twice');
    this.replied = reply;
    const { payload } = reply;
    this.ending = 'finished';
    if (payload.kind === 'bytes') this.body = Buffer.concat(payload.chunks).toString();
    if (payload.kind !== 'reader') return;
    this.ending = 'streaming';
    this.#reader = payload.reader;
    payload.reader.onReadable(() => {
      if (!this.#isSlow) this.read();
    });
    if (!this.#isSlow) this.read();
  }

  /** Takes all that is there now. */
  read(): void {
    while (this.#reader !== undefined && this.ending === 'streaming') {
      const bytes = this.#reader.read();
      if (bytes === 'later') return;
      if (bytes === 'end') this.ending = 'finished';
      else if (bytes === 'failed') this.ending = 'broken';
      else this.body += bytes.toString();
      if (this.ending !== 'streaming') this.#reader.close();
    }
  }

  takeContent(maxBytes: number, done: (content: Buffer | undefined) => void): void {
    done(this.content.length > maxBytes ? undefined : this.content);
  }

  pass(plan: PassPlan): void {
    this.passed = plan;
  }

  onGone(run: () => void): void {
    this.#gone = run;
  }

  faulted(error: unknown): void {
    this.broken = error;
  }

  /** The client leaves. */
  leave(): void {
    this.#gone?.();
    this.#reader?.close();
    this.ending = 'broken';
  }

  get status(): number | undefined {
    return this.replied?.status;
  }

  field(name: string): string | undefined {
    return this.replied?.fields.get(name);
  }

  get outcome(): string | undefined {
    return this.replied?.note.outcome;
  }

  get reason(): string | undefined {
    return this.replied?.note.reason;
  }
}

export interface WalkOptions {
  readonly rule?: Partial<Rule>;
  readonly budgetBytes?: number;
  readonly waitersPerFill?: number;
  readonly targetBytes?: number;
  readonly waitMs?: number;
  readonly operators?: OperatorMethods;
  readonly refresh?: RefreshBudget;
  /** Others who could ask the origin as well. */
  readonly leases?: Leases;
  /** One for several walks. */
  readonly clock?: FakeClock;
  /** Keys whose responses stay objects in memory; default: one, so that most walks meet what was asleep. */
  readonly awakeCount?: number;
  /** In place of one in memory. */
  readonly store?: Store;
  readonly siblings?: Siblings;
}

export interface Walk {
  readonly clock: FakeClock;
  readonly origin: PlayedOrigin;
  readonly engine: Engine;
  readonly asked: AskedEvent[];
  readonly answered: AnsweredEvent[];
  readonly notices: {
    readonly level: string;
    readonly code: string;
    readonly fields?: Readonly<Record<string, unknown>> | undefined;
  }[];
  send(request: Partial<ClientRequest>, fields?: Written, isSlow?: boolean, content?: string): PlayedClient;
  get(target: string, fields?: Written): PlayedClient;
  head(target: string, fields?: Written): PlayedClient;
}

/** Rules of which one is for everything. */
export function onlyRule(rule: Rule): Rules {
  const reads = { readsFields: false, readsResponse: false, readsMethod: false };
  return { ruleFor: () => rule, ruleForResponse: () => rule, all: [rule], candidates: [], keyings: [rule], ...reads };
}

export function makeWalk(options: WalkOptions = {}): Walk {
  const clock = options.clock ?? new FakeClock();
  const origin = new PlayedOrigin();
  const asked: AskedEvent[] = [];
  const answered: AnsweredEvent[] = [];
  const notices: Walk['notices'] = [];
  const events: Events = {
    ...SILENT,
    asked: (event) => void asked.push(event),
    answered: (event) => void answered.push(event),
    notice: (level, code, _message, fields) => void notices.push({ level, code, fields }),
  };
  const rule: Rule = { ...ORIGIN_DECIDES, ...options.rule };
  const { budgetBytes = 16 * 1024 * 1024, awakeCount = 1 } = options;
  const engine = new Engine({
    clock,
    events,
    store: options.store ?? createMemoryStore({ budgetBytes, clock, events, awakeCount }),
    origin,
    pace: new OriginPace(),
    markers: createMarkers({ max: 100, clock }),
    failures: createFailures({ max: 100, clock, random: () => 0.5 }),
    random: () => 0.5,
    leases: options.leases,
    siblings: options.siblings,
    live: {
      rules: onlyRule(rule),
      hygiene: { via: 'patina', forwardedFor: 'append' },
      limits: {
        waitersPerFill: options.waitersPerFill ?? 1000,
        waitMs: options.waitMs ?? 30_000,
        targetBytes: options.targetBytes ?? MAX_TARGET_BYTES,
      },
      operators: options.operators ?? { isOn: false, refuse: () => undefined },
      refresh: options.refresh ?? { rate: REFRESH_RATE, concurrency: REFRESH_CONCURRENCY },
    },
  });
  const sendRequest = (
    request: Partial<ClientRequest>,
    fields: Written = {},
    isSlow = false,
    content = '',
  ): PlayedClient => {
    const client = new PlayedClient(isSlow, content);
    engine.handle(
      {
        method: 'GET',
        target: '/',
        scheme: 'http',
        host: 'example.test',
        fields: Fields.of({ Host: 'example.test', ...fields }),
        httpVersion: '1.1',
        remoteAddress: '127.0.0.1',
        hasBody: false,
        isUpgrade: false,
        startedAt: clock.now(),
        ...request,
      },
      client,
    );
    return client;
  };
  return {
    clock,
    origin,
    engine,
    asked,
    answered,
    notices,
    send: sendRequest,
    get: (target, fields) => sendRequest({ target }, fields),
    head: (target, fields) => sendRequest({ target, method: 'HEAD' }, fields),
  };
}
