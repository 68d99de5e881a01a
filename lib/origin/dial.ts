/** Opens connections to the origin, plain or TLS, within a time limit, and says how far one came. Every dial looks the name up anew. */
import { connect as connectTcp, isIP, type LookupFunction, type Socket, type TcpNetConnectOpts } from 'node:net';
import { connect as connectTls, type ConnectionOptions as TlsOptions } from 'node:tls';
import type { Clock } from '../base/clock.js';
import { OriginError } from '../base/errors.js';
import { ORIGIN_LARGE_READ_BYTES } from '../base/limits.js';
import { connectFailure, type DialPhase } from './failure.js';
import { type OnRead, ReadAhead } from './read-ahead.js';

export interface TlsSettings {
  /** PEM certificates to trust instead of the built-in ones. */
  readonly ca?: string | readonly string[];
  /** Refuse an origin whose certificate does not hold. True unless told otherwise. */
  readonly rejectUnauthorized?: boolean;
  /** The name to ask for and to check; the host of the URL unless told otherwise. */
  readonly servername?: string;
  /** Client certificate and key, PEM. */
  readonly cert?: string;
  readonly key?: string;
}

export interface DialOptions {
  readonly url: URL;
  readonly clock: Clock;
  readonly connectTimeoutMs: number;
  readonly tls?: TlsSettings | undefined;
  /** Name resolution, in the form of dns.lookup. */
  readonly lookup?: LookupFunction | undefined;
}

/** Idle time after which TCP itself asks whether the other side is still there. */
const TCP_KEEP_ALIVE_MS = 60_000;
/** Bytes that a socket reads ahead: as many as one read takes at most. */
const READ_AHEAD = { highWaterMark: ORIGIN_LARGE_READ_BYTES };

const phases = new WeakMap<Socket, DialPhase>();

/** How far a dialled socket came; `ready` for any other. */
export function phaseOf(socket: Socket): DialPhase {
  return phases.get(socket) ?? 'ready';
}

const cutSockets = new WeakSet<Socket>();

/**
 * Whether a dialled socket that told an ordinary end was reset in truth: where a reset comes together with bytes, both
 * are read at once, and node reports the reset as the end of the stream. Within a body that ends with its connection
 * that is the difference between a part and the whole (RFC 9112 §8).
 */
export function wasCut(socket: Socket): boolean {
  return cutSockets.has(socket);
}

export class Dialler {
  readonly #options: DialOptions;
  /** TLS session to resume: saves a round trip of the handshake. */
  #session: Buffer | undefined;
  readonly host: string;
  readonly port: number;
  readonly isSecure: boolean;

  constructor(options: DialOptions) {
    this.#options = options;
    this.isSecure = options.url.protocol === 'https:';
    // URL keeps the brackets of an IPv6 literal, sockets want it without.
    this.host = options.url.hostname.replace(/^\[(.*)\]$/, '$1');
    this.port = options.url.port === '' ? (this.isSecure ? 443 : 80) : Number(options.url.port);
  }

  /**
   * Starts a connection. `done` is called once, with a failure or with none. The socket also emits `error` where it
   * fails; the listener for that is in place. `reads`: takes the bytes of a plain connection, which then emits no `data`.
   */
  dial(done: (failure: OriginError | undefined, socket: Socket) => void, reads?: OnRead): Socket {
    const { clock, connectTimeoutMs } = this.#options;
    const socket = this.#open(reads);
    phases.set(socket, 'connecting');
    const timer = clock.after(connectTimeoutMs, () =>
      socket.destroy(
        new OriginError('origin-connect-timeout', `no connection to the origin within ${connectTimeoutMs} ms`),
      ),
    );
    let isDone = false;
    const settle = (failure: OriginError | undefined): void => {
      if (isDone) return;
      isDone = true;
      timer.cancel();
      done(failure, socket);
    };
    socket.once('connect', () => {
      if (this.isSecure) phases.set(socket, 'securing');
      else phases.set(socket, 'ready');
      if (!this.isSecure) settle(undefined);
    });
    socket.once('secureConnect', () => {
      phases.set(socket, 'ready');
      settle(undefined);
    });
    socket.on('error', (error) => settle(connectFailure(error, phaseOf(socket))));
    // A socket that only ended still has a peer; one that was reset has none. Asked for the first time here, or an
    // answer from before would be repeated.
    socket.once('end', () => {
      if (socket.remoteAddress === undefined) cutSockets.add(socket);
    });
    socket.once('close', () => settle(connectFailure(new Error('closed while connecting'), phaseOf(socket))));
    return socket;
  }

  #open(reads: OnRead | undefined): Socket {
    const { lookup } = this.#options;
    const target = {
      host: this.host,
      port: this.port,
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: TCP_KEEP_ALIVE_MS,
      ...(lookup === undefined ? undefined : { lookup }),
    };
    if (!this.isSecure) {
      if (reads !== undefined) return connectTcp({ ...target, onread: reads } as TcpNetConnectOpts);
      const onread = new ReadAhead();
      // A plain option of node:net, whose type speaks of TLS and other kinds too.
      const socket = connectTcp({ ...target, ...READ_AHEAD, onread } as TcpNetConnectOpts);
      onread.socket = socket;
      return socket;
    }
    const socket = connectTls({ ...target, ...this.#tlsOptions() } as TlsOptions);
    socket.on('session', (session) => {
      this.#session = session;
    });
    return socket;
  }

  #tlsOptions(): TlsOptions {
    const { ca, rejectUnauthorized, servername, cert, key } = this.#options.tls ?? {};
    // A server name must be a name (RFC 6066 §3); for an address, the certificate is checked against the address.
    const name = servername ?? (isIP(this.host) === 0 ? this.host : undefined);
    return {
      ALPNProtocols: ['http/1.1'],
      rejectUnauthorized: rejectUnauthorized ?? true,
      ...(name === undefined ? undefined : { servername: name }),
      ...(ca === undefined ? undefined : { ca: typeof ca === 'string' ? ca : [...ca] }),
      ...(cert === undefined ? undefined : { cert }),
      ...(key === undefined ? undefined : { key }),
      ...(this.#session === undefined ? undefined : { session: this.#session }),
    };
  }
}
