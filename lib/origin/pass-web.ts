/**
 * One request through the pass lane: http-proxy opens it and pipes the answer; the origin's head, the request's body, the
 * timeouts and the ways to fail are here. Implements RFC 9110 §10.1.1, §15.2 and RFC 9112 §8, §9.3.1, §9.5.
 */

import type { ClientRequest, IncomingMessage, InformationEvent, ServerResponse } from 'node:http';
import type { Clock } from '../base/clock.js';
import { OriginError } from '../base/errors.js';
import {
  MAX_INTERIM_RESPONSES,
  MAX_ORIGIN_QUEUE_WAIT_MS,
  MAX_RESPONSE_FIELDS_BYTES,
  MAX_REUSE_RETRIES,
} from '../base/limits.js';
import { readFields, readReason } from './answer-head.js';
import { Deadline } from './deadline.js';
import { exchangeFailure, malformed } from './failure.js';
import {
  brokeOff,
  judgeHead,
  oldVersionOf,
  originForm,
  type PassEnd,
  type RequestFraming,
  requestFraming,
  setHead,
  type TunnelPlan,
  trailerPairs,
} from './pass.js';
import { WebReply } from './pass-reply.js';
import { dropRest, Upload } from './pass-upload.js';

export interface PassTimes {
  readonly clock: Clock;
  readonly headersTimeoutMs: number;
  readonly idleTimeoutMs: number;
  readonly tunnelIdleTimeoutMs: number;
}

/** Starts a request to the origin; `begin` is called with it from within, before anything is sent. May throw. */
export type PassRoute = (
  isFresh: boolean,
  begin: (request: ClientRequest) => void,
  failed: (error: Error) => void,
) => void;

/** RFC 9110 §9.2.2: doing these twice is doing them once. */
const IDEMPOTENT: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE']);

/** What the deadline waits for. */
type Phase = 'connection' | 'upload' | 'head' | 'body' | 'over';

export class WebPass {
  readonly #req: IncomingMessage;
  readonly #reply: WebReply;
  readonly #plan: TunnelPlan;
  readonly #times: PassTimes;
  readonly #route: PassRoute;
  readonly #framing: RequestFraming;
  readonly #expectsContinue: boolean;
  #deadline: Deadline | undefined;
  #phase: Phase = 'connection';
  #request: ClientRequest | undefined;
  #answer: IncomingMessage | undefined;
  #upload: Upload | undefined;
  #retryCount = 0;
  #interimCount = 0;
  /** The client's reply is settled: nothing more is written, and late events are ignored. */
  #isAnswered = false;

  constructor(
    req: IncomingMessage,
    res: ServerResponse,
    plan: TunnelPlan,
    times: PassTimes,
    route: PassRoute,
    done: (end: PassEnd) => void,
  ) {
    this.#req = req;
    this.#plan = plan;
    this.#times = times;
    this.#route = route;
    this.#framing = requestFraming(req);
    this.#expectsContinue =
      this.#framing !== 'none' && plan.requestFields.get('expect')?.trim().toLowerCase() === '100-continue';
    this.#reply = new WebReply(req, res, plan, { aborted: () => this.#leave(), done });
    // A request body that broke off: the origin must not take what came for the whole (RFC 9112 §8).
    req.once('close', () => {
      if (!req.complete) this.#leave();
    });
    req.on('error', () => this.#leave());
  }

  start(): void {
    this.#deadline = new Deadline(this.#times.clock, MAX_ORIGIN_QUEUE_WAIT_MS, () => this.#expired());
    this.#send(false);
  }

  /** Answers without asking the origin. */
  refuse(error: OriginError): void {
    this.#fail(error);
  }

  #send(isFresh: boolean): void {
    this.#phase = 'connection';
    this.#deadline?.restart(MAX_ORIGIN_QUEUE_WAIT_MS);
    try {
      this.#route(
        isFresh,
        (request) => this.#begin(request),
        (error) => this.#failed(error),
      );
    } catch (error) {
      this.#request?.destroy();
      this.#fail(exchangeFailure(error, 'none'));
    }
  }

  #begin(request: ClientRequest): void {
    this.#request = request;
    // node has no other way to raise the limit of a request that another made.
    Object.assign(request, { maxHeaderSize: MAX_RESPONSE_FIELDS_BYTES });
    setHead(request, {
      method: this.#req.method ?? 'GET',
      target: originForm(this.#req),
      fields: this.#plan.requestFields,
      framing: this.#framing,
    });
    request.once('socket', () => this.#enter(this.#upload?.isRunning === true ? 'upload' : 'head'));
    request.on('information', (interim) => this.#hearInterim(request, interim));
    request.once('response', (answer) => this.#hearHead(request, answer));
    request.once('upgrade', () => this.#abandon(request, malformed('an upgrade that was not asked for')));
    if (this.#framing === 'none') {
      request.end();
      return;
    }
    this.#upload = new Upload(this.#req, request, {
      begun: () => {
        if (request.socket !== null) this.#enter('upload');
      },
      moved: () => this.#deadline?.touch(),
      sent: () => {
        if (this.#phase === 'upload') this.#enter('head');
      },
    });
    if (this.#expectsContinue) this.#upload.awaitContinue();
    else {
      // Its expectation was for us alone (RFC 9110 §7.6.1), and nobody else will tell it.
      if (this.#req.headers.expect !== undefined) this.#reply.sayContinue();
      this.#upload.begin();
    }
  }

  #enter(phase: Phase): void {
    if (this.#phase === 'over' || (this.#phase === 'body' && phase !== 'over')) return;
    this.#phase = phase;
    if (phase === 'over') this.#deadline?.stop();
    else this.#deadline?.restart(phase === 'head' ? this.#times.headersTimeoutMs : this.#times.idleTimeoutMs);
  }

  #expired(): void {
    const { headersTimeoutMs, idleTimeoutMs } = this.#times;
    const request = this.#request;
    // Where it is the client that sends or takes nothing, its own limits apply, upstairs.
    const isClientSlow =
      (this.#phase === 'upload' && request?.writableNeedDrain !== true) ||
      (this.#phase === 'body' && this.#reply.needsDrain);
    if (isClientSlow) {
      this.#deadline?.restart(idleTimeoutMs);
      return;
    }
    const error =
      this.#phase === 'connection'
        ? new OriginError('origin-queue-full', `no connection to the origin became free in time`)
        : this.#phase === 'head'
          ? new OriginError('origin-headers-timeout', `the origin did not answer within ${headersTimeoutMs} ms`)
          : new OriginError('origin-idle-timeout', `the origin took or sent nothing for ${idleTimeoutMs} ms`);
    if (request !== undefined) this.#abandon(request, error);
  }

  #hearInterim(request: ClientRequest, interim: InformationEvent): void {
    const fields = readFields(interim.rawHeaders);
    this.#interimCount++;
    if (fields === undefined || interim.statusCode === 101 || this.#interimCount > MAX_INTERIM_RESPONSES) {
      this.#abandon(request, malformed('an interim response that cannot be passed on'));
      return;
    }
    this.#deadline?.touch();
    this.#reply.passInterim(interim, fields, this.#expectsContinue);
  }

  /** Runs before http-proxy's own listener, which finds the head sent and pipes the body. */
  #hearHead(request: ClientRequest, answer: IncomingMessage): void {
    const fields = answer.statusCode === 101 ? 'an upgrade that was not asked for' : judgeHead(answer);
    if (typeof fields === 'string') {
      this.#abandon(request, malformed(fields));
      return;
    }
    if (this.#isAnswered) return;
    this.#answer = answer;
    this.#isAnswered = true;
    this.#enter('body');
    const status = answer.statusCode ?? 502;
    const phrase = readReason(answer.statusMessage);
    try {
      const reply = this.#plan.respond(status, phrase, fields, oldVersionOf(answer));
      const isHeldBack = this.#expectsContinue && this.#upload?.hasBegun === false;
      this.#reply.begin(status, phrase, reply.fields, reply.tap, isHeldBack);
    } catch {
      // A fault of ours, which whoever made the plan has told; half a reply must not look like one.
      this.#cut(request);
      return;
    }
    answer.on('data', (chunk: Buffer) => {
      this.#reply.passed(chunk);
      this.#deadline?.touch();
    });
    answer.once('end', () => this.#hearEnd(request, answer));
    // Both, for node tells a broken answer by either.
    answer.on('error', () => this.#cut(request));
    answer.once('close', () => {
      if (!answer.complete) this.#cut(request);
    });
  }

  #hearEnd(request: ClientRequest, answer: IncomingMessage): void {
    if (brokeOff(answer)) {
      this.#cut(request);
      return;
    }
    this.#enter('over');
    this.#reply.end(trailerPairs(answer.rawTrailers));
    // What is left of the request's body is for nobody.
    if (!request.writableFinished) {
      request.destroy();
      this.#upload?.stop();
    }
  }

  /** Ends the exchange for a reason of ours. */
  #abandon(request: ClientRequest, error: OriginError): void {
    request.destroy(error);
    this.#failed(error);
  }

  #failed(error: Error): void {
    const request = this.#request;
    // A complete answer stays one, whatever its connection does afterwards.
    if (this.#answer?.complete === true) return;
    if (this.#isAnswered) {
      if (request !== undefined && this.#answer !== undefined) this.#cut(request);
      return;
    }
    const isRepeatable =
      request?.reusedSocket === true &&
      this.#framing === 'none' &&
      IDEMPOTENT.has(this.#req.method ?? '') &&
      this.#interimCount === 0 &&
      !(error instanceof OriginError) &&
      exchangeFailure(error, 'none').code === 'origin-reset' &&
      this.#retryCount < MAX_REUSE_RETRIES;
    if (isRepeatable) {
      this.#retryCount++;
      this.#send(true);
    } else this.#fail(exchangeFailure(error, 'none'));
  }

  /** The reply is under way and cannot be completed. */
  #cut(request: ClientRequest): void {
    this.#enter('over');
    request.destroy();
    this.#reply.cut();
  }

  #fail(error: OriginError): void {
    if (this.#isAnswered) return;
    this.#isAnswered = true;
    this.#enter('over');
    this.#reply.write(this.#plan.failed(error));
    if (this.#upload === undefined) dropRest(this.#req);
    else this.#upload.stop();
  }

  /** The client is gone, or its request will never be whole. */
  #leave(): void {
    this.#isAnswered = true;
    this.#enter('over');
    this.#request?.destroy();
  }
}
