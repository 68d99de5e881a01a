/**
 * The primary process of several workers: one proxy to all who look at it. It listens, supervises, keeps the leases, and
 * is the operator's door; clients are served by the workers (decisions/0020).
 */

import type { AdminSources } from '../admin/routes.js';
import { type Admin, createAdmin } from '../admin/server.js';
import type { TokenCheck } from '../admin/token.js';
import type { Clock } from '../base/clock.js';
import { ConfigError, stackOf } from '../base/errors.js';
import { WORKER_ANSWER_TIMEOUT_MS } from '../base/worker-limits.js';
import { type Address, formatAddress } from '../config/address.js';
import { dangersOf } from '../config/dangers.js';
import type { Config } from '../config/schema.js';
import { type AccessLog, createAccessLog } from '../observe/access-log.js';
import { type Events, fanOut } from '../observe/events.js';
import type { LogDestination } from '../observe/log-destination.js';
import { createMetrics, type Metrics, NO_GAUGES } from '../observe/metrics.js';
import { type Exposition, renderReadings } from '../observe/prometheus.js';
import { bound, isMoved, newPseudonym } from '../proxy/addresses.js';
import { noteNextStart } from '../proxy/next-start.js';
import { tokenCheckFor } from '../proxy/operators.js';
import { logSettings } from '../proxy/pieces.js';
import { Reloads, toldOutcome } from '../proxy/reload.js';
import type { Preparation, ReloadOutcome, Source } from '../proxy.js';
import { warmSettings } from '../warm/settings.js';
import { Crew } from './crew.js';
import type { Fork } from './fork.js';
import type { NewAddress } from './listening.js';
import type { WireSource } from './messages.js';
import { LastReadings } from './metrics.js';
import { answerWholeObjects } from './objects.js';
import { ownReadings } from './own-metrics.js';

export interface WholeOptions {
  readonly clock: Clock;
  readonly version: string;
  readonly adminToken: string | undefined;
  readonly read: () => Source;
  readonly fork: Fork;
  /** Where the log goes; default: stdout. */
  readonly logDestination?: LogDestination | undefined;
}

export class WholeProxy {
  /** Resolves when an operator asks that it ends. Rejects where no worker stays alive. */
  readonly leaving: Promise<void>;
  readonly #options: WholeOptions;
  readonly #clock: Clock;
  readonly #log: AccessLog;
  readonly #metrics: Metrics;
  readonly #events: Events;
  readonly #reloads: Reloads;
  readonly #crew: Crew;
  readonly #readings = new LastReadings();
  readonly #startedAt: number;
  #tokenCheck: TokenCheck | undefined;
  #admin: Admin | undefined;
  #leave: () => void = () => {};
  #fail: (error: Error) => void = () => {};
  #state: 'starting' | 'serving' | 'draining' | 'closed' = 'starting';

  constructor(first: Source, options: WholeOptions) {
    const { clock, version } = options;
    this.#options = options;
    this.#clock = clock;
    this.#startedAt = clock.now();
    const destination = options.logDestination ?? process.stdout.fd;
    this.#log = createAccessLog({ ...logSettings(first.config, options.logDestination), destination, clock });
    this.#metrics = createMetrics({ clock, version, gauges: () => NO_GAUGES });
    this.#events = fanOut([this.#metrics.events, this.#log]);
    clock.faulted = (error) => {
      this.#events.notice('error', 'internal', 'What was due at a time could not be done', { error: stackOf(error) });
    };
    this.leaving = new Promise((resolve, reject) => {
      this.#leave = resolve;
      this.#fail = reject;
    });
    // Who waits for it hears of it; nobody may be waiting yet.
    this.leaving.catch(() => {});
    this.#tokenCheck = tokenCheckFor(first.config, options.adminToken, this.#events);
    this.#crew = new Crew({
      clock,
      events: this.#events,
      fork: options.fork,
      output: this.#log,
      count: first.config.workers,
      version,
      pseudonym: newPseudonym(),
      source: () => this.#wire(this.#reloads.current),
      connectionLimit: () => this.#config.limits.connections,
      gone: (worker) => this.#readings.retire(worker),
      failed: (error) => this.#fail(error),
    });
    this.#admin = this.#makeAdmin(first.config.admin.listen);
    this.#reloads = new Reloads({
      events: this.#events,
      clock,
      first,
      read: options.read,
      prepare: (next, before, source) => this.#prepare(next, before, source),
    });
  }

  get #config(): Config {
    return this.#reloads.current.config;
  }

  /** What workers are told of a configuration. */
  #wire({ config, written, file }: Source): WireSource {
    const access = logSettings(config, this.#options.logDestination).format;
    return { written, file, originUrl: config.origin.url.href, access };
  }

  #makeAdmin(listen: Address | undefined): Admin | undefined {
    if (listen === undefined) return undefined;
    return createAdmin({ listen, sources: this.#adminSources(), clock: this.#clock, events: this.#events });
  }

  get #isClosed(): boolean {
    return this.#state === 'closed';
  }

  async start(): Promise<{ listen: string; admin: string | undefined }> {
    try {
      const admin = await this.#admin?.start();
      if (this.#isClosed) await this.#admin?.close();
      await this.#crew.start(this.#config.listen);
      this.#state = 'serving';
      this.#warn(this.#config);
      return {
        listen: formatAddress(this.#crew.address),
        admin: admin === undefined ? undefined : formatAddress(admin),
      };
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  #warn(config: Config): void {
    for (const { code, path, sentence } of dangersOf(config)) {
      this.#events.notice('warn', 'config-danger', `${path.map(String).join('.')}: ${sentence}.`, { danger: code });
    }
  }

  reload(): Promise<ReloadOutcome> {
    return this.#reloads.reload();
  }

  /** Has all that the new configuration needs, here and in every worker, or nothing. */
  async #prepare(next: Config, before: Config, source: Source): Promise<Preparation> {
    if (this.#state !== 'serving') throw new ConfigError([`the proxy is ${this.#state}`]);
    const tokenCheck = tokenCheckFor(next, this.#options.adminToken, this.#events);
    const leaves = before.admin.listen !== undefined && next.admin.listen === undefined;
    const comes = isMoved(before.admin.listen, next.admin.listen) ? this.#makeAdmin(next.admin.listen) : undefined;
    let move: NewAddress | undefined;
    const abandon = async (): Promise<void> => {
      void comes?.close();
      await move?.leave();
    };
    try {
      if (comes !== undefined) await bound('admin.listen', next.admin.listen, comes.start());
      if (isMoved(before.listen, next.listen)) {
        move = await bound('listen', next.listen, this.#crew.listening.moveTo(next.listen));
      }
      await this.#crew.prepare(this.#wire(source), move?.address ?? this.#crew.address);
    } catch (error) {
      await abandon();
      throw error;
    }
    return {
      abandon: async () => {
        this.#crew.abandon();
        await abandon();
      },
      commit: () => {
        this.#warn(next);
        this.#tokenCheck = tokenCheck;
        move?.take();
        if (comes !== undefined || leaves) {
          void this.#admin?.close();
          this.#admin = comes;
        }
        this.#log.reconfigure(logSettings(next, this.#options.logDestination));
        this.#crew.commit();
        noteNextStart(this.#events, before, next);
      },
    };
  }

  /** What operators are told and may do. */
  #adminSources(): AdminSources {
    const [clock, events, crew] = [this.#clock, this.#events, this.#crew];
    return {
      health: () => ({
        version: this.#options.version,
        uptimeSec: Math.floor((clock.now() - this.#startedAt) / 1000),
        workers: crew.told,
      }),
      ready: () => this.#readiness(),
      metrics: () => this.#exposition(),
      token: () => this.#tokenCheck,
      objects: (query) => answerWholeObjects(crew.serving, query),
      operations: { clock, events, operations: crew.operations },
      config: () => this.#reloads.shown,
      reload: async () => toldOutcome(await this.reload()),
      drain: () => this.#leave(),
      warm: () => {
        crew.warm();
        return warmSettings(this.#config).sitemaps.length;
      },
    };
  }

  /** One worker that serves is enough: the port answers. How many do is told by /healthz and the metrics. */
  #readiness(): { ready: boolean; reasons: readonly string[] } {
    const reasons: string[] = this.#state === 'serving' ? [] : [this.#state];
    if (reasons.length === 0 && this.#crew.serving.length === 0) reasons.push('no worker serves');
    return { ready: reasons.length === 0, reasons };
  }

  async #exposition(): Promise<Exposition> {
    await Promise.all(
      this.#crew.serving.map(async (member) => {
        // Where it died it has been retired, and where it hangs what it said last stands.
        const asked = member.channel.ask('readings', {}, WORKER_ANSWER_TIMEOUT_MS);
        const readings = await asked.catch(() => undefined);
        if (this.#crew.memberOf(member.id) !== undefined) this.#readings.note(member.id, readings);
      }),
    );
    const own = [...(await this.#metrics.read()), ...ownReadings(this.#crew)];
    return renderReadings(this.#readings.all(own));
  }

  async drain(): Promise<void> {
    this.#state = 'draining';
    await this.#crew.drain(this.#config.limits.drainMs);
    await this.close();
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#state = 'closed';
    await this.#crew.close();
    await this.#admin?.close();
    await this.#log.close();
  }
}
