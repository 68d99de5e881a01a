/** What a front is made of, and what can be done with it. */
import type { Clock } from '../base/clock.js';
import {
  BODY_IDLE_TIMEOUT_MS,
  KEEP_ALIVE_TIMEOUT_MS,
  MAX_CONNECTIONS,
  MAX_REQUEST_FIELD_COUNT,
  MAX_REQUEST_FIELDS_BYTES,
  MAX_TARGET_BYTES,
  REPLY_IDLE_TIMEOUT_MS,
  REQUEST_HEAD_TIMEOUT_MS,
} from '../base/limits.js';
import type { RequestHandler } from '../engine/contract.js';
import type { Events } from '../observe/events.js';
import type { ClientConnection } from './connection.js';
import type { Exchange } from './exchange.js';
import type { IntakeLimits } from './intake.js';
import type { Tunnel } from './pass-lane.js';
import type { Handle } from './read-into.js';
import type { RefusalStyle } from './refusal.js';

export interface FrontLimits extends IntakeLimits {
  /** Time for a client to send a request head; beyond: 408. */
  readonly headTimeoutMs: number;
  /** Time without a byte of a request body; beyond: 408, or the end of the connection where an answer has begun. */
  readonly bodyIdleMs: number;
  /** Time that a client may take no byte of a reply; beyond: the end of the connection. */
  readonly replyIdleMs: number;
  /** Time that an idle connection stays open. */
  readonly keepAliveMs: number;
  /** Client connections at once; beyond: 503. */
  readonly connections: number;
}

export const DEFAULT_LIMITS: FrontLimits = {
  targetBytes: MAX_TARGET_BYTES,
  fieldsBytes: MAX_REQUEST_FIELDS_BYTES,
  fieldCount: MAX_REQUEST_FIELD_COUNT,
  headTimeoutMs: REQUEST_HEAD_TIMEOUT_MS,
  bodyIdleMs: BODY_IDLE_TIMEOUT_MS,
  replyIdleMs: REPLY_IDLE_TIMEOUT_MS,
  keepAliveMs: KEEP_ALIVE_TIMEOUT_MS,
  connections: MAX_CONNECTIONS,
};

export interface FrontOptions {
  /** Where clients connect. Port 0 takes a free one. */
  readonly listen: { readonly host: string; readonly port: number };
  /** Somebody else listens there and gives the connections to take(). */
  readonly isHanded?: boolean | undefined;
  readonly handler: RequestHandler;
  readonly tunnel: Tunnel;
  readonly clock: Clock;
  readonly events: Events;
  /** What is not given has the default of base/limits. */
  readonly limits?: Partial<FrontLimits> | undefined;
  /** Name of a response header that says the outcome in one word. */
  readonly debugHeader?: string | undefined;
  /** Our member of Via on the replies that the front makes itself, such as `1.1 patina-1`. */
  readonly via?: string | undefined;
  /** The host of HTTP/1.0 requests that name none: default, the address that they came to. */
  readonly defaultHost?: string | undefined;
  /** Whether plain requests are read without node:http. Default: yes. */
  readonly fastLane?: boolean | undefined;
}

/** What a reload may change of a front while requests run. */
export interface FrontSettings {
  readonly limits: Partial<FrontLimits>;
  readonly debugHeader: string | undefined;
  readonly via: string | undefined;
  /** Holds for connections that come after it. */
  readonly fastLane: boolean;
}

export interface Front {
  /** Listens. Resolves with the address, `HOST:PORT`; rejects with Node's error where that cannot be had. */
  start(): Promise<string>;
  /**
   * Stops accepting and closes idle connections; what runs finishes, with Connection: close. Resolves once all are
   * closed, or after `timeoutMs` when those that are left were cut off.
   */
  drain(timeoutMs: number): Promise<void>;
  /** Cuts everything off. */
  close(): Promise<void>;
  /** Holds for the next request of each connection. */
  reconfigure(settings: FrontSettings): void;
  /**
   * Listens at another address as well, which becomes the only one once `take` of the result is called; `leave` gives it
   * up again. Where only the host of it is another, the old address is given up first: call nothing that may fail
   * after it. Whom the kernel has accepted at an address that is given up is let in before it is closed. Connections stay. Rejects with Node's error where the address cannot be had.
   */
  moveTo(listen: FrontOptions['listen']): Promise<Move>;
  /** A connection that another process accepted, and of which nothing was read. `isMore`: it has another one, most likely for here. */
  take(handle: Handle, isMore: boolean): void;
  /** Client connections that are open. */
  readonly connections: number;
  /** Of these, those that the fast lane reads. */
  readonly fastConnections: number;
}

/** An address that is listened at and not yet the only one. */
export interface Move {
  /** `HOST:PORT`. */
  readonly address: string;
  take(): void;
  /** Gives it up; where the old one had to go first, that is taken again. */
  leave(): Promise<void>;
}

/** What all connections of one front share. */
export interface Lane {
  readonly handler: RequestHandler;
  readonly tunnel: Tunnel;
  readonly clock: Clock;
  /** What the wall clock is ahead of clock.now(): read once a sweep, for what is told of a hit is worth no more. */
  readonly wallLead: number;
  readonly events: Events;
  readonly limits: FrontLimits;
  readonly debugHeader: string | undefined;
  readonly style: RefusalStyle;
  readonly isDraining: boolean;
  /** Runs a later step of the engine for a request; what it throws ends that request and no other. */
  attempt(exchange: Exchange, run: () => void): void;
  /** The same of what has been thrown. */
  faulted(exchange: Exchange, error: unknown): void;
  /** Nothing more is said on it: its last bytes go out, and then the client's end is waited for. */
  ends(connection: ClientConnection): void;
  /** Gives a request to the engine. */
  hand(connection: ClientConnection, exchange: Exchange): void;
}
