/** Puts the parts together: the one place that knows them all. */
import { createLastRefreshes, type LastRefreshes } from './admin/last-refresh.js';
import { answerObjects, type ObjectSources } from './admin/objects.js';
import type { AdminReply } from './admin/problem.js';
import type { AdminSources } from './admin/routes.js';
import { type Admin, createAdmin } from './admin/server.js';
import type { TokenCheck } from './admin/token.js';
import { type Clock, systemClock } from './base/clock.js';
import { ConfigError, stackOf } from './base/errors.js';
import { MAX_FAILING_KEYS, MAX_MARKERS, ORIGIN_CLOSE_TIMEOUT_MS } from './base/limits.js';
import { SHARED_START_MS } from './base/shared-limits.js';
import { type Address, formatAddress } from './config/address.js';
import { dangersOf } from './config/dangers.js';
import type { Config } from './config/schema.js';
import { Engine } from './engine/engine.js';
import type { Leases } from './engine/leases-contract.js';
import type { Operations } from './engine/operations.js';
import { OriginPace } from './engine/refresh-pace.js';
import type { SharedLeases } from './engine/shared-leases.js';
import type { Front } from './front/contract.js';
import { createFront } from './front/front.js';
import type { Handle } from './front/read-into.js';
import { type AccessLog, createAccessLog } from './observe/access-log.js';
import { type Events, fanOut, SILENT } from './observe/events.js';
import type { FamilyReading } from './observe/families.js';
import type { LogDestination } from './observe/log-destination.js';
import { createMetrics, type GaugeReadings, type Metrics } from './observe/metrics.js';
import { tellingStates } from './observe/states.js';
import { ReplaceableOrigin } from './origin/replaceable.js';
import { newPseudonym } from './proxy/addresses.js';
import type { Part, PartLeases, PartOptions, ProxyOptions, Proxy as Running } from './proxy/contract.js';
import { readGauges } from './proxy/gauges.js';
import { haveNeeds, type Needs } from './proxy/needs.js';
import { noteNextStart } from './proxy/next-start.js';
import { tokenCheckFor } from './proxy/operators.js';
import { engineSettings, frontSettings, type Identity, logSettings, makeWays } from './proxy/pieces.js';
import { type Preparation, type ReloadOutcome, Reloads, type Source, toldOutcome } from './proxy/reload.js';
import { makeSharedLeases, needsNewTier, type SharedMember } from './proxy/shared.js';
import { openStores, type Stores } from './proxy/stores.js';
import { makeWarming } from './proxy/warm.js';
import { createFailures } from './store/failures.js';
import { createMarkers, type Markers } from './store/markers.js';
import { warmSettings } from './warm/settings.js';
import type { Warming } from './warm/warming.js';

export type { Part, PartOptions, Proxy, ProxyOptions } from './proxy/contract.js';
export type { Preparation, ReloadOutcome, Source } from './proxy/reload.js';

class ComposedProxy implements Running, Part {
  readonly #clock: Clock;
  readonly #version: string | undefined;
  readonly #pseudonym: string;
  readonly #isPart: boolean;
  readonly #member: SharedMember;
  readonly #logDestination: LogDestination | undefined;
  readonly #log: AccessLog;
  readonly #metrics: Metrics;
  readonly events: Events;
  readonly #stores: Stores;
  readonly #markers: Markers;
  readonly #origin: ReplaceableOrigin;
  readonly engine: Engine;
  readonly #partLeases: PartLeases | undefined;
  #shared: SharedLeases | undefined;
  readonly #front: Front;
  readonly #warming: Warming;
  readonly #reloads: Reloads;
  readonly #lastRefreshes: LastRefreshes;
  readonly #adminToken: string | undefined;
  readonly #startedAt: number;
  readonly leaving: Promise<void>;
  #leave: () => void = () => {};
  #tokenCheck: TokenCheck | undefined;
  #admin: Admin | undefined;
  #state: 'starting' | 'serving' | 'draining' | 'closed' = 'starting';

  constructor(config: Config, options: ProxyOptions, part?: PartOptions) {
    this.#pseudonym = part?.pseudonym ?? newPseudonym();
    this.#isPart = part !== undefined;
    this.#member = { machine: this.#pseudonym, member: part?.member ?? 0, isFirst: part?.isFirst ?? true };
    const clock = options.clock ?? systemClock();
    this.#clock = clock;
    this.#version = options.version;
    this.#startedAt = clock.now();
    this.#logDestination = options.logDestination;
    const destination = options.logDestination ?? process.stdout.fd;
    this.#log = createAccessLog({ ...logSettings(config, options.logDestination), destination, clock });
    this.#metrics = createMetrics({ clock, gauges: () => this.#readGauges(), version: options.version });
    this.#lastRefreshes = createLastRefreshes(clock);
    const told = fanOut([this.#metrics.events, this.#log]);
    const own = part === undefined ? told : tellingStates(told, part.noticed);
    const events = fanOut([own, this.#lastRefreshes.events, ...(options.events ?? [])]);
    this.leaving = new Promise((resolve) => {
      this.#leave = resolve;
    });
    this.#adminToken = options.adminToken;
    this.events = events;
    clock.faulted = (error) => {
      events.notice('error', 'internal', 'What was due at a time could not be done', { error: stackOf(error) });
    };
    this.#stores = openStores(config, clock, events, this.#isPart);
    this.#markers = createMarkers({ max: MAX_MARKERS, clock });
    this.#origin = new ReplaceableOrigin(makeWays(config, clock, events));
    const identity = this.#identity(config);
    this.#tokenCheck = identity.tokenCheck;
    this.#shared = makeSharedLeases(config, clock, events, this.#member);
    this.#partLeases = part?.leases;
    this.engine = new Engine({
      clock,
      events,
      store: this.#stores.store,
      origin: this.#origin,
      markers: this.#markers,
      pace: new OriginPace(),
      failures: createFailures({ max: MAX_FAILING_KEYS, clock, random: Math.random }),
      leases: this.#leases(),
      peers: this.#shared,
      siblings: part?.siblings,
      random: Math.random,
      live: engineSettings(config, identity),
    });
    this.#warming = makeWarming(this.engine, options.terminal);
    const { listen } = config;
    const { tunnel } = this.#origin;
    const front = { listen, isHanded: this.#isPart, handler: this.engine, tunnel, clock, events };
    this.#front = createFront({ ...front, ...frontSettings(config, identity) });
    this.#admin = this.#makeAdmin(config.admin.listen);
    this.#reloads = new Reloads({
      events,
      clock,
      first: { config, written: options.written, file: options.file },
      read: options.read,
      prepare: (next, before) => this.#prepare(next, before),
    });
  }

  get #config(): Config {
    return this.#reloads.current.config;
  }

  #identity(config: Config): Identity {
    // What is to be said of the token is said by one for all parts.
    const tokenCheck = tokenCheckFor(config, this.#adminToken, this.#isPart ? SILENT : this.events);
    return { via: config.name ?? this.#pseudonym, tokenCheck };
  }

  #makeAdmin(listen: Address | undefined): Admin | undefined {
    if (listen === undefined) return undefined;
    return createAdmin({ listen, sources: this.#adminSources(), clock: this.#clock, events: this.events });
  }

  get #isClosed(): boolean {
    return this.#state === 'closed';
  }

  async start(): Promise<{ listen: string; admin: string | undefined }> {
    const admin = await this.#admin?.start();
    try {
      // What others have purged while this one was away is on its disk still.
      await this.#shared?.open(this.engine, SHARED_START_MS);
      const listen = this.#isClosed ? '' : await this.#front.start();
      if (this.#isClosed) {
        await Promise.all([this.#front.close(), this.#admin?.close()]);
        throw new Error('closed while it started');
      }
      this.#state = 'serving';
      this.#warn(this.#config);
      if (!this.#isPart) this.begin();
      return { listen, admin: admin === undefined ? undefined : formatAddress(admin) };
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  begin(): void {
    this.#stores.start();
    this.#warming.configure(warmSettings(this.#config));
  }

  /** What is dangerous in a configuration is said each time that one comes into force. */
  #warn(config: Config): void {
    if (this.#isPart) return;
    for (const { code, path, sentence } of dangersOf(config)) {
      this.events.notice('warn', 'config-danger', `${path.map(String).join('.')}: ${sentence}.`, { danger: code });
    }
  }

  reload(): Promise<ReloadOutcome> {
    return this.#reloads.reload();
  }

  async prepare(next: Source): Promise<Preparation> {
    const preparation = await this.#prepare(next.config, this.#config);
    return {
      ...preparation,
      commit: () => {
        preparation.commit();
        this.#reloads.adopt(next);
      },
    };
  }

  async #prepare(next: Config, before: Config): Promise<Preparation> {
    if (this.#state !== 'serving') throw new ConfigError([`the proxy is ${this.#state}`]);
    const identity = this.#identity(next);
    const needs = await haveNeeds(next, before, {
      clock: this.#clock,
      events: this.events,
      front: this.#front,
      makeAdmin: (listen) => this.#makeAdmin(listen),
    });
    return {
      abandon: () => needs.leave(),
      commit: () => this.#adopt(next, before, identity, needs),
    };
  }

  /** The next configuration is in force. */
  #adopt(next: Config, before: Config, identity: Identity, { ways, admin, move }: Needs): void {
    this.#warn(next);
    if (ways !== undefined) this.#origin.replace(ways, ORIGIN_CLOSE_TIMEOUT_MS);
    this.#tokenCheck = identity.tokenCheck;
    move?.take();
    const isAdminGone = before.admin.listen !== undefined && next.admin.listen === undefined;
    if (admin !== undefined || isAdminGone) {
      void this.#admin?.close();
      this.#admin = admin;
    }
    this.engine.reconfigure(engineSettings(next, identity, this.engine.parts.live.rules));
    this.#front.reconfigure(frontSettings(next, identity));
    this.#log.reconfigure(logSettings(next, this.#logDestination));
    this.#warming.configure(warmSettings(next), next.origin.url.href !== before.origin.url.href);
    if (!this.#isPart) noteNextStart(this.events, before, next);
    if (needsNewTier(before, next)) this.#share(next);
    if (next.cache.memoryBytes !== before.cache.memoryBytes) this.#stores.store.resize(next.cache.memoryBytes);
  }

  /** Another shared tier, or none, from now on. */
  #share(config: Config): void {
    const before = this.#shared;
    this.#shared = makeSharedLeases(config, this.#clock, this.events, this.#member);
    this.engine.parts.leases = this.#leases();
    this.engine.parts.peers = this.#shared;
    before?.replacedBy(this.#shared);
    void this.#shared?.open(this.engine);
  }

  /** Those of the machines; where there are other parts, those among them, which take the former in their turn. */
  #leases(): Leases | undefined {
    if (this.#partLeases === undefined) return this.#shared;
    this.#partLeases.beyond = this.#shared;
    return this.#partLeases;
  }

  get connections(): number {
    return this.#front.connections;
  }

  take(handle: Handle, isMore: boolean): void {
    this.#front.take(handle, isMore);
  }

  objects(query: URLSearchParams): AdminReply {
    return answerObjects(this.#objectSources(), query);
  }

  warm(): number {
    return this.#warming.warmNow();
  }

  readings(): Promise<readonly FamilyReading[]> {
    return this.#metrics.read();
  }

  async drain(timeoutMs = this.#config.limits.drainMs): Promise<void> {
    this.#state = 'draining';
    this.#warming.stop();
    await this.#front.drain(timeoutMs);
    await this.#end(ORIGIN_CLOSE_TIMEOUT_MS);
  }

  close(): Promise<void> {
    return this.#end(0);
  }

  /** `graceMs`: what exchanges with the origin get to finish that no client waits for. */
  async #end(graceMs: number): Promise<void> {
    if (this.#isClosed) return;
    this.#state = 'closed';
    this.#warming.stop();
    await this.#front.close();
    await this.#admin?.close();
    this.engine.close();
    await this.#origin.tunnel.close();
    await this.#origin.close(graceMs);
    this.#shared?.close();
    await this.#stores.close();
    await this.#log.close();
  }

  get operations(): Operations {
    return this.engine.operations;
  }

  async settled(): Promise<void> {
    await this.#stores.store.settled();
  }

  purgeUrl(url: string): number | undefined {
    return this.engine.purging.purgeUrl(url);
  }

  #objectSources(): ObjectSources {
    const keysOf = (url: string): readonly string[] => this.engine.purging.keysOf(url);
    const explain: ObjectSources['explain'] = (request) => this.engine.explain(request);
    return { clock: this.#clock, store: this.#stores.store, lastRefreshes: this.#lastRefreshes, keysOf, explain };
  }

  /** What operators are told and may do. */
  #adminSources(): AdminSources {
    const [clock, events] = [this.#clock, this.events];
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
      token: () => this.#tokenCheck,
      objects: (query) => this.objects(query),
      operations: { clock, events, operations: this.operations },
      config: () => this.#reloads.shown,
      reload: async () => toldOutcome(await this.reload()),
      warm: () => this.warm(),
      drain: () => this.#leave(),
    };
  }

  #readGauges(): GaugeReadings {
    return readGauges({
      stores: this.#stores,
      engine: this.engine,
      origin: this.#origin,
      front: this.#front,
      markers: this.#markers,
      log: this.#log,
      shared: this.#shared,
    });
  }
}

/** A proxy for a configuration; it does nothing before start(). */
export function createProxy(config: Config, options: ProxyOptions = {}): Running {
  return new ComposedProxy(config, options);
}

/** A proxy that is one of several. */
export function createPart(config: Config, options: PartOptions): Part {
  return new ComposedProxy(config, options, options);
}
