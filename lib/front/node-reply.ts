/**
 * A reply by way of node:http's reply object: its head, and the body where that goes out in one write.
 * Implements RFC 9112 §6 (framing), §9.3 (persistence).
 */
import type { ServerResponse } from 'node:http';
import type { Payload, Reply } from '../engine/contract.js';
import { type HeadContext, headOf, isBodiless, isUnsized, NO_PAYLOAD } from './reply-head.js';

/** What the writer wants to know about the request, and of its connection. */
export interface ReplyContext extends HeadContext {
  readonly httpVersion: '1.0' | '1.1';
  /** Close the connection after this reply. */
  readonly isLast: boolean;
}

/**
 * What ServerResponse.writeHead() leaves behind in node:http, from version 0.x to this day: the head as text, and how
 * the message ends. Written directly, because writeHead() checks, lowers and matches each name and value anew: a
 * tenth of the cost of a hit (test/front/reply.test.ts fails where a version of Node takes this otherwise).
 */
interface HeadState {
  _header: string;
  /** Close the connection behind this message. */
  _last: boolean;
  _hasBody: boolean;
  _expect_continue: boolean;
  _sent100: boolean;
}

/** Whether 100 (Continue) was said (RFC 9110 §10.1.1): behind others it waits for the connection. */
export function wasToldToGoOn(res: ServerResponse): boolean {
  return (res as unknown as HeadState)._sent100 && res.socket !== null;
}

/**
 * Puts the head into `res`, to be sent with the first bytes of the body. Returns the payload that is to follow.
 * Throws UnwritableField before anything is changed.
 */
export function writeReplyHead(res: ServerResponse, reply: Reply, context: ReplyContext): Payload {
  const { status } = reply;
  const isBare = isBodiless(context.method, status);
  const payload = isBare ? NO_PAYLOAD : reply.payload;
  const isSized = !isUnsized(payload);
  const state = res as unknown as HeadState;
  const isLast =
    context.isLast ||
    !res.shouldKeepAlive ||
    // RFC 9112 §6.1: no chunked coding to HTTP/1.0; the end of the connection ends the body.
    (!isSized && context.httpVersion === '1.0') ||
    // RFC 9110 §10.1.1: a client that was not told to go on may send the body nevertheless, or the next request.
    (state._expect_continue && !state._sent100);
  let head = headOf(reply, payload, context);
  if (!isSized && context.httpVersion === '1.1') head += 'Transfer-Encoding: chunked\r\n';
  if (isLast) head += 'Connection: close\r\n';
  else if (context.httpVersion === '1.0') head += 'Connection: keep-alive\r\n';
  res.statusCode = status;
  res.chunkedEncoding = !isSized && context.httpVersion === '1.1';
  state._header = `${head}\r\n`;
  // It may be set already: a client that has ended its side gets this reply and no further one.
  if (isLast) state._last = true;
  if (isBare) state._hasBody = false;
  if (isBare && reply.payload.kind === 'reader') reply.payload.reader.close();
  return payload;
}

/** Ends the reply with a payload that isWrittenAtOnce(). One chunk goes out in one write with the head. */
export function writeAtOnce(res: ServerResponse, payload: Payload): void {
  if (payload.kind !== 'bytes' || payload.length === 0) {
    res.end();
    return;
  }
  const { chunks } = payload;
  const last = chunks.length - 1;
  // Node corks the socket at the first write and uncorks it at the end: one writev without a copy.
  for (let i = 0; i < last; i++) res.write(chunks[i]);
  res.end(chunks[last]);
}
