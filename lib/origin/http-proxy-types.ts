/** The part of http-proxy's interface that is used, typed by what it does with what it is given. */
import type { EventEmitter } from 'node:events';
import type { Agent, ClientRequest, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';

/**
 * Stands for the client's request: http-proxy reads these and listens for `aborted` and `error`. What it would copy,
 * rewrite or normalise of a real request (fields, path) is not in it, and is set on the ClientRequest instead.
 */
export interface Carrier extends EventEmitter {
  readonly method: string;
  readonly url: string;
  readonly httpVersion: string;
  readonly headers: Record<string, string>;
  readonly socket: { readonly destroyed: boolean };
}

export interface CallOptions {
  readonly target: { readonly protocol: 'http:'; readonly host: string; readonly port: number };
  readonly agent: Agent;
  /** Takes the url as it is. */
  readonly toProxy: true;
  /** Gets the request to the origin as soon as it exists, to send the body on it. */
  readonly buffer?: { pipe(request: ClientRequest): void };
}

export interface ProxyServer {
  web(carrier: Carrier, res: ServerResponse, options: CallOptions, failed: (error: Error) => void): void;
  ws(carrier: Carrier, client: Duplex, head: Buffer, options: CallOptions, failed: (error: Error) => void): void;
  on(event: 'proxyReqWs', run: (request: ClientRequest, carrier: Carrier) => void): void;
}
