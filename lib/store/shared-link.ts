/**
 * The link to the tier that machines share: one connection for commands and one for messages, up while both are of use. It is told once
 * when that changes, and why.
 */
import { createHash } from 'node:crypto';
import { SHARED_SCAN_COUNT } from '../base/shared-limits.js';
import { clientMaker, type SharedClient, type SharedClientOptions } from './shared-client.js';

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

export class SharedLink {
  readonly #make: () => SharedClient;
  readonly #isCluster: boolean;
  readonly #channel: string;
  #client: SharedClient;
  /** A connection that subscribes can do nothing else. A Cluster has one of its own within. */
  #subscriber: SharedClient;
  #listener: LinkListener | undefined;
  #hasCommands = false;
  #hasMessages = false;
  #isUp = false;
  #isToldDown = false;
  #isClosed = false;
  #isToldUnguarded = false;

  constructor(options: SharedClientOptions, channel: string) {
    this.#make = clientMaker(options, () => this.#tellUnguarded());
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
