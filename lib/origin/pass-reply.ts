/**
 * What the client gets in reply to one request through the pass lane, and how that ends: the origin's answer, piped, or a
 * reply of our own. Implements RFC 9110 §6.5, §15.2 and RFC 9112 §8.
 */
import type { IncomingMessage, InformationEvent, ServerResponse } from 'node:http';
import type { Fields } from '../http/fields.js';
import { isBodiless, readReason } from './answer-head.js';
import { cutInTurn, cutOff } from './cut-off.js';
import {
  type AnswerTap,
  interimBytes,
  type PassEnd,
  type PassReply,
  payloadBytes,
  replyLines,
  sendHead,
  type TunnelPlan,
} from './pass.js';

export interface ReplyEars {
  /** It cannot be completed. May be told again. */
  aborted(): void;
  /** It is over, told once. */
  done(end: PassEnd): void;
}

export class WebReply {
  readonly #req: IncomingMessage;
  readonly #res: ServerResponse;
  readonly #plan: Pick<TunnelPlan, 'brokeOff'>;
  readonly #ears: ReplyEars;
  #bodyBytes = 0;
  /** The client was told a Content-Length. */
  #isSized = false;
  #tap: AnswerTap | undefined;
  #isDone = false;

  constructor(req: IncomingMessage, res: ServerResponse, plan: Pick<TunnelPlan, 'brokeOff'>, ears: ReplyEars) {
    this.#req = req;
    this.#res = res;
    this.#plan = plan;
    this.#ears = ears;
    res.once('finish', () => this.#over('finished'));
    res.once('close', () => this.#over(res.writableFinished ? 'finished' : 'aborted'));
    res.on('error', () => this.#over('aborted'));
  }

  /** Whether it is the client that takes nothing. */
  get needsDrain(): boolean {
    return this.#res.writableNeedDrain;
  }

  sayContinue(): void {
    if (this.#req.httpVersion === '1.1') this.#res.writeContinue();
  }

  /** `expectsContinue`: the client waits for a 100. */
  passInterim({ statusCode, statusMessage }: InformationEvent, fields: Fields, expectsContinue: boolean): void {
    const { socket, headersSent } = this.#res;
    if (headersSent || this.#req.httpVersion !== '1.1') return;
    // A 100 is for who asked for it (RFC 9110 §15.2.1), and may wait for it: behind others it is said when it is its turn.
    if (statusCode === 100) {
      if (expectsContinue) this.#res.writeContinue();
    } else if (socket?.writable === true) socket.write(interimBytes(statusCode, readReason(statusMessage), fields));
  }

  /** Its head goes out; http-proxy pipes the body. `isHeldBack`: so is what the client was to send. */
  begin(status: number, phrase: string, fields: Fields, tap: AnswerTap | undefined, isHeldBack: boolean): void {
    this.#tap = tap;
    const res = this.#res;
    const lines = replyLines(status, fields);
    res.sendDate = false;
    // Chunked coding is not for HTTP/1.0 (RFC 9112 §6.1); its connection ends with the body.
    if (this.#req.httpVersion === '1.0') res.useChunkedEncodingByDefault = false;
    // The body that the client held back will not come, so what follows on its connection cannot be told apart.
    if (isHeldBack && !this.#req.complete) res.shouldKeepAlive = false;
    this.#isSized = fields.has('content-length');
    res.writeHead(status, phrase, lines);
    if (isBodiless(this.#req.method ?? 'GET', status)) res.end();
    else sendHead(res);
  }

  /** So much of its body is on its way. */
  passed(chunk: Buffer): void {
    this.#bodyBytes += chunk.length;
    this.#tap?.write(chunk);
  }

  /** All of its body is. */
  end(trailers: [string, string][] | undefined): void {
    this.#tap?.end();
    this.#tap = undefined;
    if (trailers !== undefined && this.#res.chunkedEncoding) this.#res.addTrailers(trailers);
  }

  /** It is under way and cannot be completed: its end must not look like one (RFC 9112 §8). */
  cut(): void {
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

  /** A reply that is made here. */
  write(reply: PassReply): void {
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

  #over(ending: PassEnd['ending']): void {
    if (ending === 'aborted') this.#ears.aborted();
    if (this.#isDone) return;
    this.#isDone = true;
    this.#tap?.fail();
    this.#tap = undefined;
    this.#ears.done({ ending, bodyBytes: this.#bodyBytes });
  }
}
