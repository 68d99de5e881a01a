/**
 * A worker: one part of the proxy, that does what the primary process says. Clients' connections come from there, leases
 * are taken there, and what operators want comes from there.
 */
import type { Clock, Timer } from '../base/clock.js';
import { MAX_EARLY_MESSAGES, WORKER_BEAT_MS, WORKER_OPERATION_TIMEOUT_MS } from '../base/worker-limits.js';
import type { Siblings } from '../engine/siblings-contract.js';
import type { Handle } from '../front/read-into.js';
import type { Notice } from '../observe/states.js';
import { createPart, type Part, type Preparation } from '../proxy.js';
import { Channel, type SendMessage } from './channel.js';
import { WorkerLeases } from './leases.js';
import {
  type Beginning,
  type BoundAddress,
  readToWorker,
  type ToPrimary,
  type ToWorker,
  type WireSource,
} from './messages.js';
import { relay } from './relay-client.js';
import { RelayServer } from './relay-server.js';
import { Sequence } from './sequence.js';
import { type Place, sourceOf } from './share.js';
import { WorkerTasks } from './worker-tasks.js';

export interface WorkerWorld {
  readonly clock: Clock;
  /** From now on `clock` is not behind this. */
  keepUpWith(now: number): void;
  readonly adminToken: string | undefined;
  readonly send: SendMessage;
  /** Ends this process. */
  end(exitCode: number): void;
}

/** The parts of a worker that serves. */
interface Serving {
  readonly part: Part;
  readonly relays: RelayServer;
  readonly sequence: Sequence;
  readonly tasks: WorkerTasks;
  readonly beats: Timer;
  readonly place: Place;
}

/** A connection that the primary process gives. */
type Given = Extract<ToWorker, { readonly kind: 'connection' }>;

export class Worker {
  readonly #world: WorkerWorld;
  readonly #channel: Channel<ToPrimary>;
  #serving: Serving | undefined;
  /** It hears what others have stored before it serves: what it finds on disk may be older. */
  #leases: WorkerLeases | undefined;
  /** What it was told while it began. */
  readonly #early: ToWorker[] = [];
  /** A configuration that is had, and not in force yet. */
  #prepared: Preparation | undefined;

  constructor(world: WorkerWorld) {
    this.#world = world;
    this.#channel = new Channel<ToPrimary>({
      clock: world.clock,
      send: world.send,
      // Who cannot be told anything cannot be told that either: what is asked there is done without.
      congested: () => {},
      answering: (name, asked) => this.#answer(name, asked),
    });
  }

  /** Says that it listens. */
  greet(): void {
    this.#channel.tell({ kind: 'hello' });
  }

  /** A message from the primary process, with a connection or without. */
  heard(value: unknown, handle: Handle | undefined): void {
    const message = readToWorker(value);
    if (message === undefined || this.#channel.heard(message)) return;
    if (message.kind === 'connection') this.#connected(message, handle);
    else if (this.#leases?.heard(message) !== true) this.#told(message);
  }

  #connected({ connection, isMore }: Given, handle: Handle | undefined): void {
    const part = this.#serving?.part;
    // Without a handle it could not be received.
    const count = (part?.connections ?? 0) + (handle === undefined ? 0 : 1);
    this.#channel.tell({ kind: 'took', connection, connections: count });
    if (handle === undefined) return;
    if (part === undefined) handle.close();
    else part.take(handle, isMore);
  }

  #told(message: ToWorker): void {
    const serving = this.#serving;
    if (serving === undefined) {
      // It has nothing yet, but for the disk.
      if (this.#leases !== undefined) this.#early.push(message);
      if (this.#early.length > MAX_EARLY_MESSAGES) this.#world.end(1);
      return;
    }
    if (message.kind === 'serve') serving.part.begin();
    if (message.kind === 'pushFail') serving.tasks.pushFail(message.push);
    if (message.kind === 'invalidate') serving.tasks.invalidate(message.keys, message.sequence);
  }

  async #answer(name: string, asked: object): Promise<unknown> {
    switch (name) {
      case 'begin':
        return { problems: await this.#begin(asked as Beginning) };
      case 'prepare':
        await this.#prepare(asked as { source: WireSource; address: BoundAddress });
        return { problems: [] };
      case 'commit':
        this.#prepared?.commit();
        this.#prepared = undefined;
        return null;
      case 'abandon':
        await this.#prepared?.abandon();
        this.#prepared = undefined;
        return null;
      case 'drain':
        await this.#serving?.part.drain((asked as { timeoutMs: number }).timeoutMs);
        return this.#end();
      case 'close':
        await this.#serving?.part.close();
        return this.#end();
      default:
        if (this.#serving === undefined) throw new Error(`${name}: this worker does not serve yet`);
        return this.#serving.tasks.answer(name, asked);
    }
  }

  /** Rejects with a ConfigError where it cannot. */
  async #begin({ source, address, relayPath, now, ...beginning }: Beginning): Promise<string[]> {
    const { clock, adminToken } = this.#world;
    this.#world.keepUpWith(now);
    const { member, count, isFirst, pseudonym, version } = beginning;
    const place = { count, isFirst };
    const first = sourceOf(source, place, address);
    const sequence = new Sequence(beginning.sequence);
    const leases = new WorkerLeases({
      clock,
      tell: (message) => this.#channel.tell(message),
      relay: (path, ask) => relay(path, ask, clock),
      sequence,
    });
    this.#leases = leases;
    const { config, written, file } = first;
    const common = { clock, version, written, file, adminToken, pseudonym, member, isFirst };
    const noticed = (notice: Notice): boolean =>
      this.#channel.tell({ kind: 'noticed', ...notice, fields: notice.fields ?? {} });
    const part = createPart(config, { ...common, leases, siblings: this.#siblings(), noticed });
    leases.open(part.engine);
    const relays = new RelayServer((ask) => leases.give(ask));
    await relays.open(relayPath);
    await part.start();
    const beats = clock.every(WORKER_BEAT_MS, () => {
      this.#channel.tell({ kind: 'beat', connections: part.connections });
    });
    const tasks = new WorkerTasks({ part, clock, sequence, tell: (message) => this.#channel.tell(message) });
    this.#serving = { part, relays, sequence, tasks, beats, place };
    for (const message of this.#early.splice(0)) this.#told(message);
    return [];
  }

  #siblings(): Siblings {
    const ask = this.#channel;
    return {
      operations: {
        purge: async (target) =>
          (await ask.ask('operateAll', { operation: 'purge', target }, WORKER_OPERATION_TIMEOUT_MS)) ?? undefined,
        refresh: async (target) => (await ask.ask('refreshAll', { target }, WORKER_OPERATION_TIMEOUT_MS)) ?? undefined,
      },
      expire: async (target) =>
        (await ask.ask('operateAll', { operation: 'expire', target }, WORKER_OPERATION_TIMEOUT_MS)) ?? undefined,
      invalidated: (url) => void this.#channel.tell({ kind: 'invalidated', keys: [url] }),
    };
  }

  async #prepare({ source, address }: { source: WireSource; address: BoundAddress }): Promise<void> {
    const serving = this.#serving;
    if (serving === undefined) throw new Error('this worker does not serve yet');
    await this.#prepared?.abandon();
    this.#prepared = undefined;
    this.#prepared = await serving.part.prepare(sourceOf(source, serving.place, address));
  }

  #end(): null {
    this.#serving?.beats.cancel();
    this.#serving?.relays.close();
    // Once the answer is on its way.
    setImmediate(() => this.#world.end(0));
    return null;
  }
}
