/**
 * One request through the pass lane: http-proxy opens it and pipes the answer; the heads, the request's body, the
 * timeouts and the ways to fail are here. Implements RFC 9110 §6.5, §10.1.1, §15.2 and RFC 9112 §8, §9.3.1, §9.5.
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
import type { Fields } from '../http/fields.js';
import { isBodiless, readFields, readReason } from './answer-head.js';
import { cutInTurn, cutOff } from './cut-off.js';
import { Deadline } from './deadline.js';
import { exchangeFailure, malformed } from './failure.js';
import {
  type AnswerTap,
  brokeOff,
  interimBytes,
  judgeHead,
  oldVersionOf,
  originForm,
  type PassEnd,
  type PassReply,
  payloadBytes,
  type RequestFraming,
  replyLines,
  requestFraming,
  sendHead,
  setHead,
  type TunnelPlan,
  trailerPairs,
} from './pass.js';
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
  readonly #res: ServerResponse;
  readonly #plan: TunnelPlan;
  readonly #times: PassTimes;
  readonly #route: PassRoute;
  readonly #done: (end: PassEnd) => void;
  readonly #framing: RequestFraming;
  readonly #expectsContinue: boolean;
  #deadline: Deadline | undefined;
  #phase: Phase = 'connection';
  #request: ClientRequest | undefined;
  #answer: IncomingMessage | undefined;
  #upload: Upload | undefined;
  #retryCount = 0;
  #interimCount = 0;
  #bodyBytes = 0;
  /** The client was told a Content-Length. */
  #isSized = false;
  #tap: AnswerTap | undefined;
  /** The client's reply is settled: nothing more is written, and late events are ignored. */
  #isAnswered = false;
  #isDone = false;

  constructor(
    req: IncomingMessage,
    res: ServerResponse,
    plan: TunnelPlan,
    times: PassTimes,
    route: PassRoute,
    done: (end: PassEnd) => void,
  ) {
    this.#req = req;
    this.#res = res;
    this.#plan = plan;
    this.#times = times;
    this.#route = route;
    this.#done = done;
    this.#framing = requestFraming(req);
    this.#expectsContinue =
      this.#framing !== 'none' && plan.requestFields.get('expect')?.trim().toLowerCase() === '100-continue';
    res.once('finish', () => this.#over('finished'));
    res.once('close', () => this.#over(res.writableFinished ? 'finished' : 'aborted'));
    res.on('error', () => this.#over('aborted'));
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
      if (this.#req.headers.expect !== undefined && this.#req.httpVersion === '1.1') this.#res.writeContinue();
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
      (this.#phase === 'body' && this.#res.writableNeedDrain);
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
    const { socket, headersSent } = this.#res;
    if (headersSent || this.#req.httpVersion !== '1.1') return;
    // A 100 is for who asked for it (RFC 9110 §15.2.1), and may wait for it: behind others it is said when it is its turn.
    if (interim.statusCode === 100) {
      if (this.#expectsContinue) this.#res.writeContinue();
    } else if (socket?.writable === true)
      socket.write(interimBytes(interim.statusCode, readReason(interim.statusMessage), fields));
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
      this.#tap = reply.tap;
      this.#writeHead(status, phrase, reply.fields);
    } catch {
      // A fault of ours, which whoever made the plan has told; half a reply must not look like one.
      this.#cut(request);
      return;
    }
    answer.on('data', (chunk: Buffer) => {
      this.#bodyBytes += chunk.length;
      this.#tap?.write(chunk);
      this.#deadline?.touch();
    });
    answer.once('end', () => this.#hearEnd(request, answer));
    // Both, for node tells a broken answer by either.
    answer.on('error', () => this.#cut(request));
    answer.once('close', () => {
      if (!answer.complete) this.#cut(request);
    });
  }

  #writeHead(status: number, phrase: string, fields: Fields): void {
    const res = this.#res;
    const lines = replyLines(status, fields);
    res.sendDate = false;
    // Chunked coding is not for HTTP/1.0 (RFC 9112 §6.1); its connection ends with the body.
    if (this.#req.httpVersion === '1.0') res.useChunkedEncodingByDefault = false;
    // The body that the client held back will not come, so what follows on its connection cannot be told apart.
    if (this.#expectsContinue && this.#upload?.hasBegun === false && !this.#req.complete) res.shouldKeepAlive = false;
    this.#isSized = fields.has('content-length');
    res.writeHead(status, phrase, lines);
    if (isBodiless(this.#req.method ?? 'GET', status)) res.end();
    else sendHead(res);
  }

  #hearEnd(request: ClientRequest, answer: IncomingMessage): void {
    if (brokeOff(answer)) {
      this.#cut(request);
      return;
    }
    this.#enter('over');
    this.#tap?.end();
    this.#tap = undefined;
    const trailers = trailerPairs(answer.rawTrailers);
    if (trailers !== undefined && this.#res.chunkedEncoding) this.#res.addTrailers(trailers);
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

  /** The reply is under way and cannot be completed: its end must not look like one (RFC 9112 §8). */
  #cut(request: ClientRequest): void {
    this.#enter('over');
    request.destroy();
    const res = this.#res;
    // What ends with the connection would look complete at a clean end.
    const isDelimitedByClose = !res.chunkedEncoding && !this.#isSized;
    const plan = this.#plan;
    if (plan.brokeOff !== undefined) cutInTurn(res, isDelimitedByClose, () => plan.brokeOff?.());
    else {
      if (isDelimitedByClose && res.socket !== null) cutOff(res.socket);
      res.destroy();
    }
    this.#over('aborted');
  }

  #fail(error: OriginError): void {
    if (this.#isAnswered) return;
    this.#isAnswered = true;
    this.#enter('over');
    this.#writeReply(this.#plan.failed(error));
    if (this.#upload === undefined) dropRest(this.#req);
    else this.#upload.stop();
  }

  #writeReply(reply: PassReply): void {
    const res = this.#res;
    if (res.destroyed || res.headersSent) return;
    const bytes = payloadBytes(reply);
    const isBare = isBodiless(this.#req.method ?? 'GET', reply.status);
    if (reply.close === true) res.shouldKeepAlive = false;
    res.sendDate = false;
    const lines = replyLines(reply.status, reply.fields.without('content-length'));
    if (!isBare || this.#req.method === 'HEAD') lines.push('Content-Length', String(bytes.length));
    res.writeHead(reply.status, reply.reasonPhrase, lines);
    if (!isBare) this.#bodyBytes = bytes.length;
    res.end(isBare ? undefined : bytes);
  }

  /** The client is gone, or its request will never be whole. */
  #leave(): void {
    this.#isAnswered = true;
    this.#enter('over');
    this.#request?.destroy();
  }

  #over(ending: PassEnd['ending']): void {
    if (ending === 'aborted') this.#leave();
    if (this.#isDone) return;
    this.#isDone = true;
    this.#tap?.fail();
    this.#tap = undefined;
    this.#done({ ending, bodyBytes: this.#bodyBytes });
  }
}
