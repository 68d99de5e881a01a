/** The connections to Redis or Valkey, on ioredis (imported here alone): one server, one behind Sentinels, or a Cluster. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type * as IORedis from 'ioredis';
import type { Cluster, Redis, RedisOptions } from 'ioredis';
import {
  SHARED_CONNECT_TIMEOUT_MS,
  SHARED_RECONNECT_FIRST_MS,
  SHARED_RECONNECT_MAX_MS,
  SHARED_REDIRECTS_MAX,
  SHARED_SCAN_COUNT,
} from '../base/shared-limits.js';

const require = createRequire(import.meta.url);

/** Read where there is a shared tier: it is a good part of a start. */
function ioredis(): typeof IORedis {
  const own = require('ioredis') as typeof IORedis;
  if (Object.hasOwn(own.AbstractConnector.prototype, 'stream')) return own;
  hearAllErrors(own.AbstractConnector);
  answerForDenials(own.Redis);
  return own;
}

/** A connection, as far as it is used here. */
interface Stream {
  on(event: 'error', run: () => void): unknown;
}

/** By the connector that opened each. */
const streams = new WeakMap<object, Stream>();

/**
 * ioredis hears the first error of a connection. One that is ended within its TLS handshake may have two, that of the certificate and that of
 * what the server says then, and the second would end the process: whatever opens a connection has somebody hear them all.
 */
function hearAllErrors({ prototype }: typeof IORedis.AbstractConnector): void {
  Object.defineProperty(prototype, 'stream', {
    get(this: object): Stream | undefined {
      return streams.get(this);
    },
    set(this: object, stream: Stream) {
      // The first one is told, and all of them end the connection.
      stream.on('error', () => {});
      streams.set(this, stream);
    },
  });
}

/** Answers to AUTH of a server that wants no password. */
const OPEN = /no password is set|without any password configured/;

/**
 * ioredis writes a line of its own to the console, for each connection, where INFO is denied or AUTH not wanted, and goes on. So that it
 * need not, it gets an answer in its place, and of AUTH we are told; and where AUTH is not understood, a failure that it tells us.
 */
function answerForDenials({ prototype }: Pick<typeof IORedis.Redis, 'prototype'>): void {
  const { sendCommand } = prototype;
  prototype.sendCommand = function (this: Redis, command, stream) {
    const { name, resolve, reject } = command;
    if (name === 'info' || name === 'auth') {
      command.reject = (error) => {
        const { message } = error;
        const isOpen = name === 'auth' && OPEN.test(message);
        if (isOpen) (this.options as ClientOptions).unguarded?.();
        if (isOpen || (name === 'info' && message.includes('NOPERM'))) resolve(Buffer.alloc(0));
        else if (message.includes('wrong number of arguments')) reject(new Error(OLD, { cause: error }));
        else reject(error);
      };
    }
    return sendCommand.call(this, command, stream);
  };
}

const OLD = 'it does not know users with names: Redis 6.2 or later is needed';

export interface SharedEndpoint {
  readonly host: string;
  readonly port: number;
}

export interface SharedLinkOptions {
  /** One server, or the settings that go with every node. */
  readonly kind: 'single' | 'sentinel' | 'cluster';
  /** The server, the Sentinels, or some nodes of the Cluster. */
  readonly nodes: readonly SharedEndpoint[];
  /** What the Sentinels call the master. */
  readonly masterName?: string | undefined;
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  readonly sentinelPassword?: string | undefined;
  readonly database?: number | undefined;
  readonly tls?: SharedTls | undefined;
  /** From 0 to below 1. */
  readonly random: () => number;
}

export interface SharedTls {
  readonly caFile?: string | undefined;
  readonly serverName?: string | undefined;
  readonly verify: boolean;
}

export type Reply = Buffer | number | null | readonly Reply[];
export type Argument = string | Buffer | number;

export interface LinkListener {
  message(bytes: Buffer): void;
  up(): void;
  down(reason: string): void;
  /** It wants no password, though it is given one. Told once, by whichever connection. */
  unguarded(): void;
}

/** A script, loaded where it is not known yet. */
export interface Script {
  readonly lua: string;
  readonly sha: string;
}

export function makeScript(lua: string): Script {
  return { lua, sha: createHash('sha1').update(lua).digest('hex') };
}

/** Waits longer from failure to failure, and differently in each process. */
export function reconnectMs(times: number, random: () => number): number {
  const fullMs = Math.min(SHARED_RECONNECT_FIRST_MS * 2 ** Math.min(times - 1, 16), SHARED_RECONNECT_MAX_MS);
  return fullMs * (0.5 + 0.5 * random());
}

export class SharedLink {
  readonly #make: () => Redis | Cluster;
  readonly #isCluster: boolean;
  readonly #channel: string;
  #client: Redis | Cluster;
  /** A connection that subscribes can do nothing else. A Cluster has one of its own within. */
  #subscriber: Redis | Cluster;
  #listener: LinkListener | undefined;
  #hasCommands = false;
  #hasMessages = false;
  #isUp = false;
  #isToldDown = false;
  #isClosed = false;
  #isToldUnguarded = false;

  constructor(options: SharedLinkOptions, channel: string) {
    // Its files are read now, or connections could not be made anew where one has gone since.
    const tls = options.tls === undefined ? undefined : tlsOptions(options.tls);
    this.#make = () => makeClient(options, tls, () => this.#tellUnguarded());
    this.#isCluster = options.kind === 'cluster';
    this.#channel = channel;
    this.#client = this.#make();
    this.#subscriber = this.#isCluster ? this.#client : this.#make();
  }

  open(listener: LinkListener): void {
    this.#listener = listener;
    this.#attach();
  }

  #attach(): void {
    const client = this.#client;
    const subscriber = this.#subscriber;
    const isCurrent = (): boolean => client === this.#client && !this.#isClosed;
    const lost = (what: string) => (): void => {
      if (isCurrent()) this.#lost(what);
    };
    client.on('ready', () => {
      if (!isCurrent()) return;
      this.#hasCommands = true;
      this.#tellUp();
    });
    client.on('close', lost('closed'));
    client.on('end', lost('ended'));
    const failed = (error: Error): void => {
      if (isCurrent()) this.#lost(reasonOf(error));
    };
    client.on('error', failed);
    // The connection is there, and of no use.
    const unheard = (error: Error): void => {
      if (isCurrent() && !this.#hasMessages) this.#tellDown(reasonOf(error));
    };
    subscriber.on('messageBuffer', (_channel: Buffer, bytes: Buffer) => {
      if (isCurrent()) this.#listener?.message(bytes);
    });
    subscriber.on('ready', () => {
      subscriber.subscribe(this.#channel).then(() => {
        if (!isCurrent()) return;
        this.#hasMessages = true;
        this.#tellUp();
      }, unheard);
    });
    if (subscriber !== client) {
      subscriber.on('close', lost('closed'));
      subscriber.on('error', failed);
      void subscriber.connect().catch(failed);
    }
    void client.connect().catch(failed);
  }

  #tellUnguarded(): void {
    if (!this.#isToldUnguarded) this.#listener?.unguarded();
    this.#isToldUnguarded = true;
  }

  #tellUp(): void {
    if (!this.#hasCommands || !this.#hasMessages || this.#isUp) return;
    this.#isUp = true;
    this.#isToldDown = false;
    this.#listener?.up();
  }

  #lost(reason: string): void {
    // A Cluster goes on with the nodes that are left; what cannot be had there fails by itself.
    if (this.#client.status === 'ready' && this.#subscriber.status === 'ready') return;
    if (this.#client.status !== 'ready') this.#hasCommands = false;
    if (this.#subscriber.status !== 'ready') this.#hasMessages = false;
    this.#tellDown(reason);
  }

  #tellDown(reason: string): void {
    this.#isUp = false;
    if (this.#isToldDown) return;
    this.#isToldDown = true;
    this.#listener?.down(reason);
  }

  async command(name: string, args: readonly Argument[]): Promise<Reply> {
    return (await this.#client.callBuffer(name, [...args])) as Reply;
  }

  /** What a node of a Cluster says of itself. */
  isOfOne(error: unknown): boolean {
    return this.#isCluster && error instanceof Error && error.name === 'ReplyError';
  }

  /** A script on one key. */
  async run(script: Script, key: string, args: readonly Argument[]): Promise<Reply> {
    try {
      return await this.command('EVALSHA', [script.sha, 1, key, ...args]);
    } catch (error) {
      if (!(error instanceof Error) || !error.message.startsWith('NOSCRIPT')) throw error;
      return this.command('EVAL', [script.lua, 1, key, ...args]);
    }
  }

  /** Some keys of one master after another. The cursor says which master, and where in it. */
  async scan(pattern: string, cursor: string | undefined): Promise<{ cursor: string | undefined; keys: string[] }> {
    const [at = '0', within = '0'] = (cursor ?? '0 0').split(' ');
    const masters = 'nodes' in this.#client ? this.#client.nodes('master') : [this.#client];
    const master = masters[Number(at)];
    if (master === undefined) return { cursor: undefined, keys: [] };
    const reply = (await master.callBuffer('SCAN', [within, 'MATCH', pattern, 'COUNT', SHARED_SCAN_COUNT])) as [
      Buffer,
      Buffer[],
    ];
    const next = reply[0].toString();
    const keys = reply[1].map(String);
    if (next !== '0') return { cursor: `${at} ${next}`, keys };
    return { cursor: Number(at) + 1 < masters.length ? `${Number(at) + 1} 0` : undefined, keys };
  }

  /** For connections that are open and give no answer. */
  reconnect(): void {
    if (this.#isClosed) return;
    const [client, subscriber] = [this.#client, this.#subscriber];
    this.#client = this.#make();
    this.#subscriber = this.#isCluster ? this.#client : this.#make();
    this.#hasCommands = false;
    this.#hasMessages = false;
    this.#isUp = false;
    client.disconnect();
    if (subscriber !== client) subscriber.disconnect();
    this.#attach();
  }

  close(): void {
    this.#isClosed = true;
    this.#client.disconnect();
    if (this.#subscriber !== this.#client) this.#subscriber.disconnect();
  }
}

/** Of ioredis when what it reads is nothing that a Redis says. */
const ALIEN = /^(Unknown RESP type|Protocol error)/;

function reasonOf({ message }: Error): string {
  if (!ALIEN.test(message)) return message;
  return 'what answers there does not speak the protocol of Redis: another service, or TLS where none is configured (or the other way round)';
}

/** What is told apart by its type alone, and has its default here. */
type ClientOptions = Omit<RedisOptions, 'replyMapping'> & {
  /** Ours: what is told by a connection on which AUTH is not wanted. */
  readonly unguarded?: () => void;
};

function makeClient(options: SharedLinkOptions, tls: RedisOptions['tls'], unguarded: () => void): Redis | Cluster {
  const { nodes, random } = options;
  const retryStrategy = (times: number): number => reconnectMs(times, random);
  const common: ClientOptions = {
    ...(options.username === undefined ? {} : { username: options.username }),
    ...(options.password === undefined ? {} : { password: options.password }),
    ...(tls === undefined ? {} : { tls }),
    connectTimeout: SHARED_CONNECT_TIMEOUT_MS,
    // What was asked before the connection broke is of no use after it.
    autoResendUnfulfilledCommands: false,
    autoResubscribe: false,
    maxRetriesPerRequest: 0,
    protocol: 2,
    connectionName: 'patina',
    unguarded,
  };
  if (options.kind === 'cluster') {
    return new (ioredis().Cluster)(
      nodes.map(({ host, port }) => ({ host, port })),
      {
        redisOptions: common,
        clusterRetryStrategy: retryStrategy,
        clusterNodeRetryStrategy: retryStrategy,
        enableOfflineQueue: false,
        maxRedirections: SHARED_REDIRECTS_MAX,
        lazyConnect: true,
      },
    );
  }
  const single: ClientOptions = { ...common, retryStrategy, enableOfflineQueue: false, lazyConnect: true };
  if (options.database !== undefined) single.db = options.database;
  if (options.kind === 'sentinel') {
    return new (ioredis().Redis)({
      ...single,
      sentinels: nodes.map(({ host, port }) => ({ host, port })),
      name: options.masterName ?? '',
      sentinelRetryStrategy: retryStrategy,
      ...(options.sentinelPassword === undefined ? {} : { sentinelPassword: options.sentinelPassword }),
      ...(tls === undefined ? {} : { sentinelTLS: tls, enableTLSForSentinelMode: true }),
    });
  }
  const [node] = nodes;
  if (node === undefined) throw new Error('a server has an address');
  return new (ioredis().Redis)({ ...single, host: node.host, port: node.port });
}

function tlsOptions({ caFile, serverName, verify }: SharedTls): NonNullable<RedisOptions['tls']> {
  return {
    ...(caFile === undefined ? {} : { ca: readFileSync(caFile, 'utf8') }),
    ...(serverName === undefined ? {} : { servername: serverName }),
    rejectUnauthorized: verify,
  };
}
