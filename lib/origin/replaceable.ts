/**
 * The origin as its users know it, over whichever connections are in force: a reload may put another address, other
 * limits or another certificate in their place while requests run. What runs ends where it began.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { MAX_RETIRED_TUNNELS } from '../base/limits.js';
import type { OriginClient, OriginExchange, OriginListener, OriginRequest } from './contract.js';
import type { PassEnd, TunnelPlan } from './pass.js';
import type { Tunnel } from './tunnel.js';

/** The two ways to one origin. */
export interface OriginWays {
  readonly client: OriginClient;
  readonly tunnel: Tunnel;
}

export class ReplaceableOrigin implements OriginClient {
  #ways: OriginWays;
  /** Those that were replaced, until they are closed: the process ends when they have. */
  readonly #leaving = new Map<OriginClient, Promise<void>>();
  /** What may still run through them is nobody's to cut off before the end. The oldest go where a reload follows a reload. */
  readonly #retired: Tunnel[] = [];
  /** The pass lane. Apart from fetch(), because both have a close() of their own kind. */
  readonly tunnel: Tunnel;

  constructor(ways: OriginWays) {
    this.#ways = ways;
    this.tunnel = {
      web: (req: IncomingMessage, res: ServerResponse, plan: TunnelPlan, done: (end: PassEnd) => void) => {
        this.#ways.tunnel.web(req, res, plan, done);
      },
      upgrade: (req: IncomingMessage, socket: Socket, head: Buffer, plan: TunnelPlan, done: (end: PassEnd) => void) => {
        this.#ways.tunnel.upgrade(req, socket, head, plan, done);
      },
      retire: () => this.#ways.tunnel.retire(),
      close: async () => {
        await Promise.all([this.#ways.tunnel, ...this.#retired].map((tunnel) => tunnel.close()));
      },
    };
  }

  get healthy(): boolean {
    return this.#ways.client.healthy;
  }

  get reachable(): boolean {
    return this.#ways.client.reachable;
  }

  /** Of all that there are: what one that is leaving has is still open, runs and waits. */
  get stats(): OriginClient['stats'] {
    const all = { ...this.#ways.client.stats };
    for (const { stats } of this.#leaving.keys()) {
      all.connected += stats.connected;
      all.running += stats.running;
      all.queued += stats.queued;
    }
    return all;
  }

  fetch(request: OriginRequest, listener: OriginListener): OriginExchange {
    return this.#ways.client.fetch(request, listener);
  }

  /** Requests from now on go by `next`; those under way get `graceMs` to finish. Tunnels of an Upgrade stay until they end. */
  replace(next: OriginWays, graceMs: number): void {
    const { client, tunnel } = this.#ways;
    this.#ways = next;
    tunnel.retire();
    this.#retired.push(tunnel);
    if (this.#retired.length > MAX_RETIRED_TUNNELS) void this.#retired.shift()?.close();
    this.#leaving.set(
      client,
      client.close(graceMs).finally(() => this.#leaving.delete(client)),
    );
  }

  async close(graceMs?: number): Promise<void> {
    await Promise.all([this.#ways.client.close(graceMs), ...this.#leaving.values()]);
  }
}
