/**
 * One Upgrade through the pass lane: the origin's 101 opens a tunnel of bytes, anything else is passed back as the
 * reply and closes the connection. Implements RFC 9110 §7.8, §15.2.2 and RFC 9112 §9.6.
 */

import type { ClientRequest, IncomingMessage, InformationEvent } from 'node:http';
import type { Socket } from 'node:net';
import { OriginError } from '../base/errors.js';
import {
  LINGER_MS,
  MAX_INTERIM_RESPONSES,
  MAX_ORIGIN_QUEUE_WAIT_MS,
  MAX_RESPONSE_FIELDS_BYTES,
} from '../base/limits.js';
import type { Fields } from '../http/fields.js';
import { isBodiless, readFields, readReason } from './answer-head.js';
import { ClientSide } from './client-side.js';
import { cutOff } from './cut-off.js';
import { Deadline } from './deadline.js';
import { exchangeFailure, malformed } from './failure.js';
import {
  brokeOff,
  interimBytes,
  judgeHead,
  oldVersionOf,
  originForm,
  type PassEnd,
  type PassReply,
  payloadBytes,
  replyLines,
  setHead,
  type TunnelPlan,
} from './pass.js';
import type { PassTimes } from './pass-web.js';

export interface UpgradeListener {
  /** The tunnel stands, and no longer counts as a request. */
  established(): void;
  ended(end: PassEnd, wasEstablished: boolean): void;
}

export class UpgradePass {
  readonly clientSide: ClientSide;
  readonly #req: IncomingMessage;
  readonly #socket: Socket;
  readonly #head: Buffer;
  readonly #plan: TunnelPlan;
  readonly #times: PassTimes;
  readonly #listener: UpgradeListener;
  readonly #deadline: Deadline;
  #request: ClientRequest | undefined;
  #originSocket: Socket | undefined;
  #phase: 'connection' | 'head' | 'body' | 'tunnel' | 'half' | 'over' = 'connection';
  #interimCount = 0;
  #bodyBytes = 0;
  #isEstablished = false;
  #isBroken = false;
  #isEnded = false;

  constructor(
    req: IncomingMessage,
    socket: Socket,
    head: Buffer,
    plan: TunnelPlan,
    times: PassTimes,
    listener: UpgradeListener,
  ) {
    this.#req = req;
    this.#socket = socket;
    this.#head = head;
    this.#plan = plan;
    this.#times = times;
    this.#listener = listener;
    this.clientSide = new ClientSide(socket);
    this.#deadline = new Deadline(times.clock, MAX_ORIGIN_QUEUE_WAIT_MS, () => this.#expired());
    socket.on('error', () => this.#break());
    socket.once('close', () => this.#clientClosed());
  }

  /** Called with the request to the origin before anything is sent, and before http-proxy listens to it. */
  prepare(request: ClientRequest): void {
    this.#request = request;
    Object.assign(request, { maxHeaderSize: MAX_RESPONSE_FIELDS_BYTES });
    request.once('socket', () => {
      if (this.#phase !== 'connection') return;
      this.#phase = 'head';
      this.#deadline.restart(this.#times.headersTimeoutMs);
    });
    request.on('information', (interim) => this.#hearInterim(request, interim));
    request.once('upgrade', (answer, socket, head) => this.#hearUpgrade(request, answer, socket as Socket, head));
    request.once('response', (answer) => this.#hearRefusal(request, answer));
    try {
      setHead(request, {
        method: this.#req.method ?? 'GET',
        target: originForm(this.#req),
        fields: this.#plan.requestFields,
        framing: 'none',
        upgrade: this.#req.headers.upgrade ?? '',
      });
    } catch (error) {
      request.destroy();
      this.fail(exchangeFailure(error, 'none'));
    }
  }

  #hearInterim(request: ClientRequest, interim: InformationEvent): void {
    const fields = readFields(interim.rawHeaders);
    this.#interimCount++;
    if (fields === undefined || interim.statusCode === 101 || this.#interimCount > MAX_INTERIM_RESPONSES) {
      request.destroy();
      this.fail(malformed('an interim response that cannot be passed on'));
      return;
    }
    this.#deadline.touch();
    if (interim.statusCode === 100 || !this.#socket.writable) return;
    this.#socket.write(interimBytes(interim.statusCode, readReason(interim.statusMessage), fields));
  }

  #hearUpgrade(request: ClientRequest, answer: IncomingMessage, originSocket: Socket, head: Buffer): void {
    const fields = judgeHead(answer);
    this.#originSocket = originSocket;
    originSocket.on('error', () => this.#break());
    originSocket.once('close', () => this.#originClosed());
    if (typeof fields === 'string' || answer.statusCode !== 101) {
      originSocket.destroy();
      request.destroy();
      this.fail(malformed(typeof fields === 'string' ? fields : 'an upgrade with another status than 101'));
      return;
    }
    if (this.#phase === 'over') {
      originSocket.destroy();
      return;
    }
    this.#phase = 'tunnel';
    this.#isEstablished = true;
    this.#deadline.restart(this.#times.tunnelIdleTimeoutMs);
    const reply = this.#plan.upgraded(fields);
    const lines = replyLines(101, reply.fields.without('upgrade'));
    lines.push('Connection', 'Upgrade', 'Upgrade', fields.get('upgrade') ?? this.#req.headers.upgrade ?? '');
    this.#writeHead(101, readReason(answer.statusMessage), lines);
    this.#bodyBytes += head.length;
    this.clientSide.moved = (bytes) => {
      this.#bodyBytes += bytes;
      this.#deadline.touch();
    };
    this.clientSide.open(this.#head);
    originSocket.once('end', () => this.#half());
    if (this.#socket.readableEnded) this.#half();
    else this.#socket.once('end', () => this.#half());
    this.#listener.established();
  }

  /** One side has said all; the other gets a moment to do so too. */
  #half(): void {
    if (this.#phase !== 'tunnel') return;
    this.#phase = 'half';
    this.#deadline.restart(this.#times.idleTimeoutMs);
  }

  /**
   * The origin answers like to any request: the reply is passed back and ends the connection. http-proxy writes it
   * too, undelimited, but to a side that is not open.
   */
  #hearRefusal(request: ClientRequest, answer: IncomingMessage): void {
    const fields = answer.statusCode === 101 ? 'a 101 without an upgrade' : judgeHead(answer);
    if (typeof fields === 'string') {
      request.destroy();
      this.fail(malformed(fields));
      return;
    }
    if (this.#phase === 'over') return;
    this.#phase = 'body';
    this.#deadline.restart(this.#times.idleTimeoutMs);
    const status = answer.statusCode ?? 502;
    const phrase = readReason(answer.statusMessage);
    // Ends with the connection where it has no length: there is no chunked coding at hand here (RFC 9112 §6.3).
    this.#writeHead(status, phrase, [
      ...replyLines(status, this.#plan.respond(status, phrase, fields, oldVersionOf(answer)).fields),
      'Connection',
      'close',
    ]);
    this.#pumpBody(request, answer, isBodiless(this.#req.method ?? 'GET', status));
  }

  #pumpBody(request: ClientRequest, answer: IncomingMessage, isBare: boolean): void {
    const socket = this.#socket;
    const cut = (): void => {
      request.destroy();
      if (this.#phase === 'body') cutOff(socket);
    };
    answer.on('data', (chunk: Buffer) => {
      this.#deadline.touch();
      if (isBare) return;
      this.#bodyBytes += chunk.length;
      if (!socket.write(chunk)) answer.pause();
    });
    socket.on('drain', () => answer.resume());
    answer.once('end', () => {
      if (brokeOff(answer)) {
        cut();
        return;
      }
      this.#farewell(Buffer.alloc(0));
    });
    answer.on('error', cut);
    answer.once('close', () => {
      if (!answer.complete) cut();
    });
  }

  #writeHead(status: number, phrase: string, lines: readonly string[]): void {
    let head = `HTTP/1.1 ${status} ${phrase}\r\n`;
    for (let i = 0; i < lines.length; i += 2) head += `${lines[i]}: ${lines[i + 1]}\r\n`;
    this.#socket.write(Buffer.from(`${head}\r\n`, 'latin1'));
  }

  /** http-proxy's word for any error of the request or of the origin's end of the tunnel. */
  failed(error: Error): void {
    if (this.#phase === 'connection' || this.#phase === 'head') this.fail(exchangeFailure(error, 'none'));
    else if (this.#phase !== 'over') this.#break();
  }

  /** Replies in the place of the origin. */
  fail(error: OriginError): void {
    if (this.#phase !== 'connection' && this.#phase !== 'head') return;
    this.#phase = 'over';
    this.#deadline.stop();
    const socket = this.#socket;
    if (!socket.writable) {
      socket.destroy();
      return;
    }
    const reply: PassReply = this.#plan.failed(error);
    const bytes = payloadBytes(reply);
    const fields: Fields = reply.fields.without('content-length');
    const lines = [...replyLines(reply.status, fields), 'Content-Length', String(bytes.length), 'Connection', 'close'];
    this.#writeHead(reply.status, reply.reasonPhrase, lines);
    this.#bodyBytes = bytes.length;
    this.#farewell(bytes);
  }

  /** Ends this side behind a reply that opens no tunnel. Once it is out, the client is read on for a moment, not for ever. */
  #farewell(last: Buffer): void {
    const socket = this.#socket;
    this.#phase = 'over';
    this.#deadline.stop();
    socket.once('finish', () => {
      if (!socket.destroyed) this.#deadline.restart(LINGER_MS);
    });
    socket.end(last);
    socket.resume();
  }

  #expired(): void {
    if (this.#phase === 'over') {
      this.#socket.destroy();
      return;
    }
    if (this.#phase === 'tunnel' || this.#phase === 'half') {
      this.#break();
      return;
    }
    if (this.#phase === 'body') {
      // Where it is the client that takes nothing, its own limit applies, upstairs.
      if (this.#socket.writableNeedDrain) this.#deadline.restart();
      else this.#break();
      return;
    }
    const error =
      this.#phase === 'connection'
        ? new OriginError('origin-queue-full', 'no connection to the origin became free in time')
        : new OriginError('origin-headers-timeout', 'the origin did not answer the upgrade in time');
    this.#request?.destroy(error);
    this.fail(error);
  }

  /** Cuts both ends: neither may take what came for all there was. */
  #break(): void {
    this.#isBroken = true;
    this.#phase = 'over';
    this.#deadline.stop();
    this.#request?.destroy();
    if (this.#originSocket !== undefined) cutOff(this.#originSocket);
    cutOff(this.#socket);
  }

  #originClosed(): void {
    if (this.#isEnded || !this.#isEstablished) return;
    // It ended cleanly: the pipe ends the client's side behind the last byte. Else there is no such end.
    if (this.#originSocket?.readableEnded !== true) this.#break();
    else this.#half();
  }

  #clientClosed(): void {
    const isWhole = this.#isEstablished
      ? this.#socket.readableEnded && !this.#isBroken
      : this.#phase === 'over' && !this.#isBroken && this.#socket.writableFinished;
    this.#deadline.stop();
    this.#phase = 'over';
    this.#request?.destroy();
    // Also where it had our end already and waits for nothing more than its own.
    if (this.#originSocket !== undefined && !isWhole) cutOff(this.#originSocket);
    this.#originSocket?.destroy();
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#listener.ended({ ending: isWhole ? 'finished' : 'aborted', bodyBytes: this.#bodyBytes }, this.#isEstablished);
  }
}
