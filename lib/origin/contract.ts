/** What the engine needs of an origin: ask with GET, HEAD, or a POST that asks a question, get events, pause, abort. */
import type { OriginError } from '../base/errors.js';
import type { ReadBuffer } from '../base/read-buffer.js';
import type { Fields } from '../http/fields.js';

export interface OriginRequest {
  readonly method: 'GET' | 'HEAD' | 'POST';
  /** Origin-form: path and query as they came. */
  readonly target: string;
  /** Already without hop-by-hop fields, with Host, Via and the X-Forwarded fields. */
  readonly fields: Fields;
  /** Of a POST. It is one that may be repeated: who caches its answer has said that it changes nothing (RFC 9110 §9.2.2). */
  readonly content?: Buffer;
}

export interface OriginResponseHead {
  readonly status: number;
  readonly reasonPhrase: string;
  /** The version of the message, where it is older than 1.1. */
  readonly receivedVersion?: '1.0';
  /** As received: hop-by-hop fields are still in it. */
  readonly fields: Fields;
}

/**
 * Hears one exchange, in this order: inform*, head, data*, then exactly one of end and fail; or inform*, whole. fail may
 * come at any point before the end. Nothing is called from within fetch() itself, and nothing after abort().
 */
export interface OriginListener {
  /** An interim response, 1xx but 101 (RFC 9110 §15.2). */
  inform(status: number, fields: Fields): void;
  head(head: OriginResponseHead): void;
  /** Body bytes with transfer codings removed. The listener may keep the buffer; a small one
   * may be part of a larger that others are in too, so what is kept for long should be copied. `buffer`: that larger one, held
   * for these bytes; whoever lets it go has done with them. */
  data(chunk: Buffer, buffer?: ReadBuffer): void;
  /** The complete message was received (RFC 9112 §8). */
  end(trailers: Fields): void;
  fail(error: OriginError): void;
  /**
   * In the place of head, data and end where the whole answer is here at once, which small ones mostly are: its head, its
   * content (empty where it has none) and no trailers. Who leaves this out hears it in parts. The content is good until this
   * returns: it lies where the next answer is read, and who keeps it copies it to where it is to stay.
   */
  whole?(head: OriginResponseHead, content: Buffer): void;
}

export interface OriginExchange {
  /** Whether others wait for such a connection as this one has. */
  readonly isAwaited: boolean;
  pause(): void;
  resume(): void;
  /** Ends the exchange; its connection is closed where the answer was not complete. */
  abort(): void;
}

export interface OriginClient {
  fetch(request: OriginRequest, listener: OriginListener): OriginExchange;
  /** Whether the breaker lets requests through, for /readyz and for stale-while-offline decisions. */
  readonly reachable: boolean;
  /** Whether it is believed to be well: the breaker is closed. What is served stale while it is not goes by that. */
  readonly healthy: boolean;
  /** Open and busy connections, for metrics. */
  readonly stats: { readonly connected: number; readonly running: number; readonly queued: number };
  /** Takes nothing new, gives what runs or waits `graceMs` to finish (unless told otherwise: a moment), then cuts it off. */
  close(graceMs?: number): Promise<void>;
}
