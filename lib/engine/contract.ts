/** The engine's two neighbours upstairs, as it sees them: a request record and a reply sink. No socket, no node:http. */

import type { Fields } from '../http/fields.js';
import type { ByteRange, RangeSpec } from '../http/ranges.js';
import type { BodyReader } from '../object/body.js';
import type { Taken } from '../object/taken.js';
import type { Outcome } from '../observe/events.js';
import type { MemorySight } from '../store/contract.js';

/** The content of a request, whole. */
export interface Content {
  readonly bytes: Buffer;
  /** The same for all contents that mean the same. */
  readonly digest: string;
}

export interface ClientRequest {
  readonly method: string;
  /** Origin-form: path and query as received; an absolute-form target was already reduced (RFC 9112 §3.2.2). */
  readonly target: string;
  readonly scheme: 'http' | 'https';
  /** The Host that counts (RFC 9112 §3.2), in lower case, as it goes into the key. */
  readonly host: string;
  readonly fields: Fields;
  readonly httpVersion: '1.0' | '1.1';
  readonly remoteAddress: string;
  /** Content-Length above 0, or Transfer-Encoding. */
  readonly hasBody: boolean;
  /** A Connection: upgrade request (RFC 9110 §7.8). */
  readonly isUpgrade: boolean;
  /** Clock.now at the start of the request. */
  readonly startedAt: number;
  /** All of its content, where it is a POST that its rule caches and has been read. */
  readonly content?: Content | undefined;
  /** The request as it came, where its rule has changed its fields since. */
  readonly received?: ClientRequest | undefined;
}

/** What the log and the metrics are told about a reply. */
export interface ReplyNote {
  readonly outcome: Outcome;
  /** Reason code, the same as the `detail` of the reply's Cache-Status. */
  readonly reason: string;
  readonly rule: string;
  readonly ageSec: number | undefined;
  readonly collapsed: boolean;
}

/** Who has the trailers of a body (RFC 9110 §6.5) when all of it is here. */
export interface TrailerSource {
  readonly trailers: Fields;
}

/** The body of a reply: none, bytes that are all here, or a reader to follow. */
export type Payload =
  | { readonly kind: 'none' }
  | {
      readonly kind: 'bytes';
      readonly chunks: readonly Buffer[];
      readonly length: number;
      /** Whose bytes they are: to be told for how long a client takes them. */
      readonly taken?: Taken | undefined;
    }
  | {
      readonly kind: 'reader';
      readonly reader: BodyReader;
      /** Undefined: not known yet, so chunked to an HTTP/1.1 client, and closed at the end to an HTTP/1.0 one. */
      readonly length: number | undefined;
      /** Asked once the last byte was read. */
      readonly trailers?: TrailerSource | undefined;
      /** As above. */
      readonly taken?: Taken | undefined;
    };

export interface Reply {
  readonly status: number;
  readonly reasonPhrase: string;
  /**
   * Complete and in order but for framing: the writer adds Content-Length or Transfer-Encoding from the payload,
   * and Connection. Content-Length is in it only where there is no payload (HEAD, 304).
   */
  readonly fields: Fields;
  readonly payload: Payload;
  readonly note: ReplyNote;
  /** Close the connection after this reply. */
  readonly close?: boolean;
}

/** Sees the body of a passed answer go by. One of end and fail is called, once. */
export interface BodyTap {
  write(chunk: Buffer): void;
  end(): void;
  fail(): void;
}

/** How a request is to go through the pass lane. */
export interface PassPlan {
  /** Request fields for the origin: hop-by-hop fields gone; Host, Via and X-Forwarded fields in. */
  readonly requestFields: Fields;
  /** Called with the head of the origin's answer; returns the reply to send around its body. Not called for 101. */
  respond(
    status: number,
    reasonPhrase: string,
    fields: Fields,
    receivedVersion?: '1.0',
  ): { readonly fields: Fields; readonly note: ReplyNote; readonly tap?: BodyTap | undefined };
  /** Fields of a 101 for the client. */
  upgraded(fields: Fields): { fields: Fields; note: ReplyNote };
  /** The exchange with the origin failed before a head: the reply to send instead. */
  failed(error: unknown): Reply;
}

export interface ReplySink {
  /** Passes an interim response on (RFC 9110 §15.2); ignored for HTTP/1.0 clients and after reply(). */
  inform(status: number, fields: Fields): void;
  /** Sends the reply. Called once at most. Does nothing once the client has left, but closes the reader. */
  reply(reply: Reply): void;
  /**
   * Reads the content of the request: all of it, or undefined where it is more than `maxBytes`; then none of it is lost,
   * and pass() sends it on. `done` is not called where the client leaves before that.
   */
  takeContent(maxBytes: number, done: (content: Buffer | undefined) => void): void;
  /** Gives the request to the pass lane. Instead of reply(). */
  pass(plan: PassPlan): void;
  /** Calls `run` once if the client leaves before the reply has been sent whole. One listener. */
  onGone(run: () => void): void;
  /** A broken invariant ends this request and no other: with an error where the reply has not begun, else cut off. Does not throw. */
  faulted(error: unknown): void;
}

/** The reply, for this moment, to every request like the one that it was asked for. */
export interface ReadyReply {
  /** Made where it is asked for: who has the bytes needs it no more. */
  readonly reply: Reply;
  readonly status: number;
  readonly note: ReplyNote;
  /** What its Age and the ttl of its Cache-Status say. */
  readonly ageSec: number;
  readonly ttlSec: number;
  /** Whether nothing but these two changes with time. */
  readonly isSteady: boolean;
  /** The same as bytes, where they may go out as they are stored; good until anything else is asked for. */
  readonly asStored?: BytesAsStored | undefined;
  /** The same as its parts, where it is not kept, and answers a GET; good until anything else is asked for. */
  readonly held?: BytesHeld | undefined;
  /** Asked for often: it is worth to keep it as bytes. */
  readonly isKept: boolean;
  /** Where it is stale and nobody else has it freshened: to be called with the request once it is answered. */
  readonly refresh: ((asked: ClientRequest) => void) | undefined;
  /** For whoever writes it: the same as bytes, of this second or, where it is steady, of one before. */
  written: unknown;
}

/** The parts of a reply in their order, behind the version and the status. */
export interface BytesAsStored {
  readonly bytes: Buffer;
  /** The reason phrase and the field lines that are stored, with the ends of their lines. */
  readonly headFrom: number;
  readonly headUntil: number;
  /** What comes behind them, and Content-Length. */
  readonly ageSec: number;
  readonly ttlSec: number;
  readonly lines: HitLines;
  readonly bodyFrom: number;
  readonly bodyBytes: number;
}

/** The parts of a reply to GET, as they lie in memory. Content-Length comes behind them. */
export interface BytesHeld {
  readonly sight: MemorySight;
  /** The part of the body that goes out, with Content-Range before Content-Length; undefined: all of it. */
  readonly part: ByteRange | undefined;
  readonly status: number;
  readonly reasonPhrase: string;
  /** How much of the body goes out. */
  readonly bodyBytes: number;
  readonly ageSec: number;
  readonly ttlSec: number;
  readonly lines: HitLines;
}

/** What a hit says behind the fields that are stored: Age, and the values of Via and of Cache-Status around its ttl. The same object says the same. */
export interface HitLines {
  readonly via: string;
  readonly beforeTtl: string;
  readonly behindTtl: string;
}

/** A Range of one range alone (RFC 9110 §14.2). */
export interface PartAsked {
  readonly spec: RangeSpec;
  /** The fields of the request that say so: Range, and If-Range where it has that. */
  readonly fields: Fields;
}

export interface RequestHandler {
  handle(request: ClientRequest, sink: ReplySink): void;
  /**
   * What handle() would reply, at once, to an HTTP/1.1 GET or HEAD without a body whose fields say nothing to a cache but
   * `condition`, the value of If-None-Match, and `part`; undefined where it would do anything else, and nothing has happened then.
   */
  readonly ready?: FindReady | undefined;
  /** Whether REFRESH, which has no meaning of its own in HTTP, is for handle() to answer. */
  readonly takesRefresh?: boolean | undefined;
}

export type FindReady = (
  isHead: boolean,
  host: string,
  target: string,
  condition: string | undefined,
  now: number,
  part?: PartAsked | undefined,
) => ReadyReply | undefined;
