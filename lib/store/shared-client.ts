/**
 * Clients of Redis or Valkey, on ioredis (imported here alone): of one server, of one behind Sentinels, or of a Cluster. It connects anew by
 * itself, repeats nothing, and keeps nothing for later.
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type * as IORedis from 'ioredis';
import type { Cluster, Redis, RedisOptions } from 'ioredis';
import {
  SHARED_CONNECT_TIMEOUT_MS,
  SHARED_RECONNECT_FIRST_MS,
  SHARED_RECONNECT_MAX_MS,
  SHARED_REDIRECTS_MAX,
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

export interface SharedClientOptions {
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

/** It connects when it is told to, and anew by itself. */
export type SharedClient = Redis | Cluster;

/** Waits longer from failure to failure, and differently in each process. */
export function reconnectMs(times: number, random: () => number): number {
  const fullMs = Math.min(SHARED_RECONNECT_FIRST_MS * 2 ** Math.min(times - 1, 16), SHARED_RECONNECT_MAX_MS);
  return fullMs * (0.5 + 0.5 * random());
}

/** What is told apart by its type alone, and has its default here. */
type ClientOptions = Omit<RedisOptions, 'replyMapping'> & {
  /** Ours: what is told by a connection on which AUTH is not wanted. */
  readonly unguarded?: () => void;
};

/** What makes clients, all alike. `unguarded` hears of each connection on which AUTH is not wanted. */
export function clientMaker(options: SharedClientOptions, unguarded: () => void): () => SharedClient {
  // Its files are read now, or connections could not be made anew where one has gone since.
  const tls = options.tls === undefined ? undefined : tlsOptions(options.tls);
  return () => makeClient(options, tls, unguarded);
}

function makeClient(options: SharedClientOptions, tls: RedisOptions['tls'], unguarded: () => void): SharedClient {
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
