/**
 * The pass lane: requests that are not answered from the store go to the origin and back, bodies of any size streamed
 * both ways, Upgrade included. Implements RFC 9110 §6.5, §7.6.2 (as any proxy of one origin), §7.8, §10.1.1, §15.2
 * and RFC 9112 §6-9.
 */
import { EventEmitter } from 'node:events';
import type { ClientRequest, IncomingMessage, ServerResponse } from 'node:http';
import type { LookupFunction, Socket } from 'node:net';
import type { Clock } from '../base/clock.js';
import { OriginError } from '../base/errors.js';
import { MAX_ORIGIN_QUEUE, TUNNEL_IDLE_TIMEOUT_MS } from '../base/limits.js';
import { Dialler, type TlsSettings } from './dial.js';
import { createProxyServer } from './http-proxy.js';
import type { CallOptions, Carrier } from './http-proxy-types.js';
import { PassAgent, type PassEnd, type TunnelPlan } from './pass.js';
import { UpgradePass } from './pass-upgrade.js';
import { type PassRoute, type PassTimes, WebPass } from './pass-web.js';

export interface TunnelOptions {
  readonly url: URL;
  readonly clock: Clock;
  /** Connections at once; tunnels beyond an Upgrade are not counted. */
  readonly connections: number;
  readonly connectTimeoutMs: number;
  /** From the last byte of the request to the head of the answer. */
  readonly headersTimeoutMs: number;
  /** Between two bytes of a body, and after one end of a tunnel has ended. */
  readonly idleTimeoutMs: number;
  /** Between two bytes of a tunnel, whichever way. */
  readonly tunnelIdleTimeoutMs?: number;
  /** Requests that may wait for a connection. */
  readonly maxQueue?: number;
  readonly tls?: TlsSettings | undefined;
  readonly lookup?: LookupFunction | undefined;
}

export interface Tunnel {
  /** Answers `res` with what the origin says to `req`. `done` is called once, when the reply is over. */
  web(req: IncomingMessage, res: ServerResponse, plan: TunnelPlan, done: (end: PassEnd) => void): void;
  /** The same for a request that node:http gave away as an upgrade: by a tunnel, or by the reply to a refusal. */
  upgrade(req: IncomingMessage, socket: Socket, head: Buffer, plan: TunnelPlan, done: (end: PassEnd) => void): void;
  /** Closes idle connections, and each other one once what runs on it has ended. */
  retire(): void;
  /** Cuts off what still runs. */
  close(): Promise<void>;
}

function makeCarrier(method: string): Carrier {
  return Object.assign(new EventEmitter(), {
    method,
    url: '/',
    httpVersion: '1.1',
    // The rules of http-proxy let no other upgrade by; the real one is set on the request.
    headers: { upgrade: 'websocket' },
    socket: { destroyed: false },
  });
}

class HttpProxyTunnel implements Tunnel {
  readonly #options: TunnelOptions;
  readonly #times: PassTimes;
  readonly #proxy = createProxyServer({});
  readonly #target: CallOptions['target'];
  readonly #pooled: PassAgent;
  /** Each request on a connection of its own: upgrades, and the repeat after a pooled one had died. */
  readonly #single: PassAgent;
  readonly #upgrades = new WeakMap<Carrier, UpgradePass>();
  #runningCount = 0;

  constructor(options: TunnelOptions) {
    const { clock, connections, headersTimeoutMs, idleTimeoutMs } = options;
    const dialler = new Dialler(options);
    this.#options = options;
    const tunnelIdleTimeoutMs = options.tunnelIdleTimeoutMs ?? TUNNEL_IDLE_TIMEOUT_MS;
    this.#times = { clock, headersTimeoutMs, idleTimeoutMs, tunnelIdleTimeoutMs };
    this.#target = { protocol: 'http:', host: dialler.host, port: dialler.port };
    this.#pooled = new PassAgent(dialler, clock, { keepAlive: true, maxSockets: connections });
    this.#single = new PassAgent(dialler, clock, { keepAlive: false, maxSockets: connections });
    this.#proxy.on('proxyReqWs', (request, carrier) => this.#upgrades.get(carrier)?.prepare(request));
  }

  #overfull(): OriginError | undefined {
    const max = this.#options.maxQueue ?? MAX_ORIGIN_QUEUE;
    if (this.#runningCount < this.#options.connections + max) return undefined;
    return new OriginError('origin-queue-full', `${max} requests wait for the origin already`);
  }

  web(req: IncomingMessage, res: ServerResponse, plan: TunnelPlan, done: (end: PassEnd) => void): void {
    const overfull = this.#overfull();
    this.#runningCount++;
    const ended = (end: PassEnd): void => {
      this.#runningCount--;
      done(end);
    };
    const route: PassRoute = (isFresh, begin, failed) => {
      const agent = isFresh ? this.#single : this.#pooled;
      const buffer = { pipe: (request: ClientRequest) => begin(request) };
      const options: CallOptions = { target: this.#target, agent, toProxy: true, buffer };
      this.#proxy.web(makeCarrier(req.method ?? 'GET'), res, options, failed);
    };
    const pass = new WebPass(req, res, plan, this.#times, route, ended);
    if (overfull === undefined) pass.start();
    else pass.refuse(overfull);
  }

  upgrade(req: IncomingMessage, socket: Socket, head: Buffer, plan: TunnelPlan, done: (end: PassEnd) => void): void {
    const overfull = this.#overfull();
    this.#runningCount++;
    const pass = new UpgradePass(req, socket, head, plan, this.#times, {
      established: () => this.#runningCount--,
      ended: (end, wasEstablished) => {
        if (!wasEstablished) this.#runningCount--;
        done(end);
      },
    });
    if (overfull !== undefined) {
      pass.fail(overfull);
      return;
    }
    const carrier = makeCarrier('GET');
    this.#upgrades.set(carrier, pass);
    const options: CallOptions = { target: this.#target, agent: this.#single, toProxy: true };
    this.#proxy.ws(carrier, pass.clientSide, Buffer.alloc(0), options, (error) => pass.failed(error));
  }

  retire(): void {
    this.#pooled.maxFreeSockets = 0;
    for (const sockets of Object.values(this.#pooled.freeSockets)) for (const socket of sockets ?? []) socket.destroy();
  }

  close(): Promise<void> {
    this.#pooled.destroy();
    this.#single.destroy();
    return Promise.resolve();
  }
}

export type { PassEnd, PassReply, TunnelPlan } from './pass.js';

export function createTunnel(options: TunnelOptions): Tunnel {
  return new HttpProxyTunnel(options);
}
