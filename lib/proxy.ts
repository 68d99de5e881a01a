/** Puts the parts together: the one place that knows them all. */
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { isatty } from 'node:tty';
import type { AdminSources } from './admin/routes.js';
import { createAdmin } from './admin/server.js';
import { type Clock, systemClock } from './base/clock.js';
import { MAX_FAILING_KEYS, MAX_MARKERS, ORIGIN_CLOSE_TIMEOUT_MS } from './base/limits.js';
import { formatAddress } from './config/address.js';
import { makeRules } from './config/rules.js';
import type { Config } from './config/schema.js';
import { Engine } from './engine/engine.js';
import type { EngineSettings } from './engine/parts.js';
import { createFront, type Front } from './front/full-lane.js';
import { type AccessLog, createAccessLog } from './observe/access-log.js';
import { type Events, fanOut } from './observe/events.js';
import type { LogDestination } from './observe/line-sink.js';
import { createMetrics, type GaugeReadings, type Metrics } from './observe/metrics.js';
import { guardOrigin } from './origin/breaker.js';
import { createOriginClient } from './origin/client.js';
import type { OriginClient } from './origin/contract.js';
import { createTunnel, type Tunnel } from './origin/tunnel.js';
import { makePseudonym } from './policy/hygiene.js';
import type { Store } from './store/contract.js';
import { createFailures } from './store/failures.js';
import { createMarkers, type Markers } from './store/markers.js';
import { createMemoryStore } from './store/memory.js';

export interface ProxyOptions {
  readonly clock?: Clock | undefined;
  /** Further listeners to what happens. */
  readonly events?: readonly Events[] | undefined;
  /** Where the access log goes: a descriptor, a path or a stream; default: stdout. */
  readonly logDestination?: LogDestination | undefined;
  readonly version?: string | undefined;
}

export interface Proxy {
  /** Listens. Resolves with the addresses, `HOST:PORT`; rejects where one cannot be had. */
  start(): Promise<{ readonly listen: string; readonly admin: string | undefined }>;
  /** Stops accepting, lets running requests finish within the limit of the configuration, then closes all. */
  drain(): Promise<void>;
  /** Cuts everything off. */
  close(): Promise<void>;
  /** Takes out all that is stored for a URL, fills in flight included. Undefined where it is no URL. */
  purgeUrl(url: string): number | undefined;
}

class ComposedProxy implements Proxy {
  readonly #config: Config;
  readonly #clock: Clock;
  readonly #version: string | undefined;
  readonly #log: AccessLog;
  readonly #metrics: Metrics;
  readonly #store: Store;
  readonly #markers: Markers;
  readonly #origin: OriginClient;
  readonly #tunnel: Tunnel;
  readonly #engine: Engine;
  readonly #front: Front;
  readonly #admin: ReturnType<typeof createAdmin> | undefined;
  readonly #startedAt: number;
  #state: 'starting' | 'serving' | 'draining' | 'closed' = 'starting';

  constructor(config: Config, options: ProxyOptions) {
    const clock = options.clock ?? systemClock();
    this.#config = config;
    this.#clock = clock;
    this.#version = options.version;
    this.#startedAt = clock.now();
    this.#log = makeLog(config, clock, options.logDestination);
    this.#metrics = createMetrics({ clock, gauges: () => this.#readGauges(), version: options.version });
    const events = fanOut([this.#metrics.events, this.#log, ...(options.events ?? [])]);
    this.#store = createMemoryStore({ budgetBytes: config.cache.memoryBytes, clock, events });
    this.#markers = createMarkers({ max: MAX_MARKERS, clock });
    const { url, timeouts, connections, tls } = config.origin;
    const times = {
      connectTimeoutMs: timeouts.connectMs,
      headersTimeoutMs: timeouts.headersMs,
      idleTimeoutMs: timeouts.idleMs,
    };
    const ca = tls.caFile === undefined ? {} : { ca: readFileSync(tls.caFile, 'utf8') };
    const reach = { url, clock, events, connections, ...times, tls: { ...ca, rejectUnauthorized: tls.verify } };
    this.#origin = guardOrigin(createOriginClient(reach), { clock, events, random: Math.random });
    this.#tunnel = createTunnel(reach);
    const via = config.name ?? makePseudonym('patina', randomBytes(4).toString('hex'));
    this.#engine = new Engine({
      clock,
      events,
      store: this.#store,
      origin: this.#origin,
      markers: this.#markers,
      failures: createFailures({ max: MAX_FAILING_KEYS, clock, random: Math.random }),
      live: engineSettings(config, via),
    });
    const { limits } = config;
    this.#front = createFront({
      listen: config.listen,
      handler: this.#engine,
      tunnel: this.#tunnel,
      clock,
      events,
      debugHeader: config.debugHeader,
      via: `1.1 ${via}`,
      limits: {
        targetBytes: limits.urlBytes,
        fieldsBytes: limits.headersBytes,
        fieldCount: limits.headerCount,
        headTimeoutMs: limits.headTimeoutMs,
        bodyIdleMs: limits.bodyIdleMs,
        replyIdleMs: limits.replyIdleMs,
        keepAliveMs: limits.keepAliveMs,
        connections: limits.connections,
      },
    });
    const address = config.admin.listen;
    this.#admin =
      address === undefined
        ? undefined
        : createAdmin({ listen: address, sources: this.#adminSources(), clock, events });
  }

  async start(): Promise<{ listen: string; admin: string | undefined }> {
    const admin = await this.#admin?.start();
    try {
      const listen = await this.#front.start();
      this.#state = 'serving';
      return { listen, admin: admin === undefined ? undefined : formatAddress(admin) };
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  async drain(): Promise<void> {
    this.#state = 'draining';
    await this.#front.drain(this.#config.limits.drainMs);
    await this.#end(ORIGIN_CLOSE_TIMEOUT_MS);
  }

  close(): Promise<void> {
    return this.#end(0);
  }

  /** `graceMs`: what exchanges with the origin get to finish that no client waits for. */
  async #end(graceMs: number): Promise<void> {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    await this.#front.close();
    await this.#admin?.close();
    await this.#tunnel.close();
    await this.#origin.close(graceMs);
    this.#store.close();
    await this.#log.close();
  }

  purgeUrl(url: string): number | undefined {
    return this.#engine.purgeUrl(url);
  }

  #adminSources(): AdminSources {
    return {
      health: () => ({
        version: this.#version,
        uptimeSec: Math.floor((this.#clock.now() - this.#startedAt) / 1000),
      }),
      ready: () => {
        const reasons: string[] = this.#state === 'serving' ? [] : [this.#state];
        return { ready: reasons.length === 0, reasons };
      },
      metrics: () => this.#metrics.render(),
    };
  }

  #readGauges(): GaugeReadings {
    const { objects, bytes, reservedBytes, budgetBytes } = this.#store.stats;
    const { fills, waiters } = this.#engine.stats;
    const { connected, running, queued } = this.#origin.stats;
    return {
      objects,
      bytes,
      reservedBytes,
      budgetBytes,
      fills,
      waiters,
      clientConnections: this.#front.connections,
      originConnected: connected,
      originRunning: running,
      originQueued: queued,
      markers: this.#markers.size,
      logLinesDropped: this.#log.stats.droppedLines,
    };
  }
}

/** What the engine takes from the configuration. */
function engineSettings(config: Config, via: string): EngineSettings {
  return {
    rules: makeRules(config),
    hygiene: { via, hostOverride: config.origin.host, forwardedFor: 'append' },
    limits: { waitersPerFill: config.limits.waiters, waitMs: config.limits.waitMs },
  };
}

const STDOUT = 1;

/** `auto` is for people on a terminal, for machines elsewhere. */
function makeLog(config: Config, clock: Clock, destination: LogDestination = STDOUT): AccessLog {
  const { access, level } = config.log;
  const isTerminal = destination === STDOUT && isatty(STDOUT);
  const format = access === 'auto' ? (isTerminal ? 'pretty' : 'json') : access;
  return createAccessLog({ format, destination, clock, level });
}

/** A proxy for a configuration; it does nothing before start(). */
export function createProxy(config: Config, options: ProxyOptions = {}): Proxy {
  return new ComposedProxy(config, options);
}
