/**
 * A redis-server of a test's own: on a free port of the loopback, in a folder of its own, nothing kept on disk.
 *
 *   const redis = await startRedis(t);
 *   redis.stop('SIGKILL'); await redis.start();       // the same port, with nothing in it
 *
 * Where there is no redis-server the tests that need one are skipped, and say so (skipWithoutRedis).
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { createInterface } from 'node:readline';
import { Redis } from 'ioredis';
import type { Test } from 'tap';
import { SHARED_CLOCK_MARGIN_MS } from '../../lib/base/shared-limits.js';

/** Where a program of this name is. */
export function programPath(name: string): string | undefined {
  return (process.env['PATH'] ?? '')
    .split(delimiter)
    .map((folder) => join(folder, name))
    .find((path) => existsSync(path));
}

/** Options of a test that needs a redis-server: it is skipped, with a reason that cannot be overlooked, where there is none. */
export function needsRedis(name = 'redis-server'): { skip: string | false } {
  if (programPath(name) !== undefined) return { skip: false };
  const reason = `NO ${name} ON THIS MACHINE: the shared tier is not tested against a real server (apt-get install redis-server)`;
  console.error(`# SKIPPED: ${reason}`);
  return { skip: reason };
}

/** A port that is free now. */
export async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as AddressInfo;
  probe.close();
  await once(probe, 'close');
  return port;
}

/** Waits until what was done before counts as older on all machines: their clocks may differ a little. */
export async function surelyOlder(): Promise<void> {
  const until = performance.now() + 3 * SHARED_CLOCK_MARGIN_MS;
  await eventually(() => performance.now() > until, 'it is older');
}

/** Waits until `holds`, turning the event loop meanwhile. */
export async function eventually(
  holds: () => boolean | Promise<boolean>,
  what: string,
  withinMs = 10_000,
): Promise<void> {
  const until = performance.now() + withinMs;
  while (!(await holds())) {
    if (performance.now() > until) throw new Error(`not within ${withinMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

export class RedisServer {
  readonly port: number;
  readonly #folder = mkdtempSync(join(tmpdir(), 'patina-redis-'));
  readonly #settings: readonly string[];
  readonly #file: string | undefined;
  #child: ChildProcess | undefined;
  #client: Redis | undefined;
  readonly #listening: Redis[] = [];

  /** `file`: a conf file, which comes before the settings; a Sentinel writes to it. */
  constructor(port: number, settings: readonly string[], file?: string) {
    this.port = port;
    this.#settings = settings;
    this.#file = file;
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  get folder(): string {
    return this.#folder;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  async start(): Promise<void> {
    const fixed = ['--port', String(this.port), '--bind', '127.0.0.1', '--dir', this.#folder, '--save', ''];
    const program = programPath('redis-server');
    if (program === undefined) throw new Error('there is no redis-server');
    const before = this.#file === undefined ? [] : [this.#file];
    const child = spawn(program, [...before, ...fixed, ...this.#settings], { stdio: ['ignore', 'pipe', 'inherit'] });
    this.#child = child;
    for await (const line of createInterface({ input: child.stdout })) {
      if (/Ready to accept connections|Sentinel ID is/.test(line)) break;
    }
    child.stdout.resume();
    if (child.exitCode !== null) throw new Error(`redis-server ended with ${child.exitCode}`);
  }

  /** Ends it, and waits until it is gone. */
  async stop(signal: 'SIGKILL' | 'SIGTERM' = 'SIGTERM'): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined || child.exitCode !== null) return;
    child.kill('SIGCONT');
    child.kill(signal);
    await once(child, 'exit');
  }

  /** It hangs: connections stay, and nothing is answered. */
  hang(): void {
    this.#child?.kill('SIGSTOP');
  }

  wake(): void {
    this.#child?.kill('SIGCONT');
  }

  /** A client of the test's own. */
  get client(): Redis {
    if (this.#client === undefined) {
      this.#client = new Redis({ port: this.port, host: '127.0.0.1', retryStrategy: () => 50 });
      // While the server is stopped; what is asked then waits.
      this.#client.on('error', () => {});
    }
    return this.#client;
  }

  /** All that is published on a channel from now on, as it comes: each who listens there gets the same, in one order. */
  async listen(channel: string): Promise<readonly Buffer[]> {
    const client = this.client.duplicate();
    this.#listening.push(client);
    client.on('error', () => {});
    const heard: Buffer[] = [];
    client.on('messageBuffer', (_channel, message) => heard.push(message as Buffer));
    await client.subscribe(channel);
    return heard;
  }

  async close(): Promise<void> {
    this.#client?.disconnect();
    for (const client of this.#listening) client.disconnect();
    await this.stop('SIGKILL');
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** A server that is closed when the test ends. */
export async function startRedis(t: Test, settings: readonly string[] = []): Promise<RedisServer> {
  const server = new RedisServer(await freePort(), settings);
  t.teardown(() => server.close());
  await server.start();
  return server;
}
