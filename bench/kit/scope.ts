/**
 * What a run has started or made, so that all of it is gone when the run ends, however it ends.
 * Processes are ended by their own id; folders are removed after the processes that use them.
 */
import { type ChildProcess, fork, type Serializable, spawn } from 'node:child_process';
import { closeSync, existsSync, mkdtempSync, openSync, rmSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

/** Output kept of each process, for the message when it fails. */
const KEPT_OUTPUT_BYTES = 64 * 1024;
/** Time that a process gets to end after SIGTERM, before SIGKILL. */
const STOP_TIMEOUT_MS = 5_000;
const READY_TIMEOUT_MS = 30_000;
const READY_POLL_MS = 25;
/** A file system in memory, on Linux. */
const MEMORY_DIR = '/dev/shm';

export interface Launch {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Runs it on this core alone, where taskset is there. */
  readonly core?: number | undefined;
  /** Where its stdout goes instead of being kept here. */
  readonly stdoutFile?: string | undefined;
  /** Whether it has a channel to be asked over: see `ask`. */
  readonly hasChannel?: boolean;
}

export class Running {
  readonly name: string;
  readonly pid: number;
  readonly #child: ChildProcess;
  #output = '';
  #ended: Promise<void>;
  #isRunning = true;

  constructor(name: string, child: ChildProcess) {
    if (child.pid === undefined) throw new Error(`${name} could not be started`);
    this.name = name;
    this.pid = child.pid;
    this.#child = child;
    const keep = (chunk: Buffer) => {
      this.#output = (this.#output + chunk.toString('utf8')).slice(-KEPT_OUTPUT_BYTES);
    };
    child.stdout?.on('data', keep);
    child.stderr?.on('data', keep);
    this.#ended = new Promise((resolve) => {
      child.once('exit', () => {
        this.#isRunning = false;
        resolve();
      });
    });
  }

  get isRunning(): boolean {
    return this.#isRunning;
  }

  /** What it wrote last, on both streams. */
  get output(): string {
    return this.#output;
  }

  get exitCode(): number | null {
    return this.#child.exitCode;
  }

  /** Resolves when it has ended by itself. */
  ended(): Promise<void> {
    return this.#ended;
  }

  /** Sends a message to a forked process and waits for its reply. */
  ask<Reply>(message: Serializable): Promise<Reply> {
    return new Promise((resolve, reject) => {
      const fail = () => reject(new Error(`${this.name} ended before it replied\n${this.#output}`));
      this.#child.once('exit', fail);
      this.#child.once('message', (reply) => {
        this.#child.off('exit', fail);
        resolve(reply as Reply);
      });
      this.#child.send(message);
    });
  }

  signal(signal: NodeJS.Signals): void {
    if (this.#isRunning) this.#child.kill(signal);
  }

  async stop(): Promise<void> {
    if (!this.#isRunning) return;
    this.#child.kill('SIGTERM');
    const abort = new AbortController();
    await Promise.race([
      this.#ended,
      pause(STOP_TIMEOUT_MS, undefined, { signal: abort.signal }).catch(() => undefined),
    ]);
    abort.abort();
    if (this.#isRunning) this.#child.kill('SIGKILL');
    await this.#ended;
  }

  /** For the exit hook, where nothing can be awaited. */
  kill(): void {
    if (this.#isRunning) this.#child.kill('SIGKILL');
  }
}

const ENDING = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** So that the exit hooks run. */
function exit(): void {
  process.exit(1);
}

export class Scope {
  readonly #running = new Set<Running>();
  readonly #folders = new Set<string>();
  readonly #onExit = () => this.#abandon();

  constructor() {
    process.once('exit', this.#onExit);
    for (const signal of ENDING) process.once(signal, exit);
  }

  /** Of its own, and in memory where the system has such a place and it is asked for. */
  folder(name: string, isInMemory = false): string {
    const dir = mkdtempSync(join(isInMemory && existsSync(MEMORY_DIR) ? MEMORY_DIR : tmpdir(), `patina-${name}-`));
    this.#folders.add(dir);
    return dir;
  }

  start(launch: Launch): Running {
    const pinned = launch.core !== undefined;
    const command = pinned ? 'taskset' : launch.command;
    const args = pinned ? ['-c', String(launch.core), launch.command, ...launch.args] : [...launch.args];
    const stdout = launch.stdoutFile === undefined ? 'pipe' : openSync(launch.stdoutFile, 'a');
    const child = spawn(command, args, {
      cwd: launch.cwd,
      env: { ...process.env, ...launch.env },
      stdio: ['ignore', stdout, 'pipe', launch.hasChannel === true ? 'ipc' : 'ignore'],
    });
    if (typeof stdout === 'number') closeSync(stdout);
    child.on('error', () => undefined);
    return this.#adopt(launch.name, child);
  }

  /** Starts a compiled module as a process of its own that can be asked. */
  fork(name: string, module: string, args: readonly string[], core?: number): Running {
    const child = fork(module, args, {
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      ...(core === undefined ? {} : { execPath: 'taskset', execArgv: ['-c', String(core), process.execPath] }),
    });
    return this.#adopt(name, child);
  }

  #adopt(name: string, child: ChildProcess): Running {
    const running = new Running(name, child);
    this.#running.add(running);
    return running;
  }

  async close(): Promise<void> {
    await Promise.all([...this.#running].map((running) => running.stop()));
    this.#running.clear();
    this.#abandon();
    process.off('exit', this.#onExit);
    for (const signal of ENDING) process.off(signal, exit);
  }

  #abandon(): void {
    for (const running of this.#running) running.kill();
    for (const dir of this.#folders) rmSync(dir, { recursive: true, force: true });
    this.#folders.clear();
  }
}

/** Runs `run` with a scope, and ends with its exit code; what it started is ended first. */
export async function withScope(run: (scope: Scope) => Promise<number>): Promise<void> {
  const scope = new Scope();
  try {
    process.exitCode = await run(scope);
  } catch (error) {
    console.error(error);
    process.exitCode = 1;
  } finally {
    await scope.close();
  }
}

/** A port of the loopback that was free a moment ago. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      const port = typeof address === 'object' && address !== null ? address.port : 0;
      server.close(() => resolve(port));
    });
  });
}

export function isOpen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

/** Waits until the process accepts on the port; fails with what it wrote where it ends first. */
export async function untilOpen(running: Running, port: number): Promise<void> {
  const giveUpAt = Date.now() + READY_TIMEOUT_MS;
  while (Date.now() < giveUpAt) {
    if (!running.isRunning) throw new Error(`${running.name} ended before it was ready\n${running.output}`);
    if (await isOpen(port)) return;
    await pause(READY_POLL_MS);
  }
  throw new Error(`${running.name} did not open port ${port} within ${READY_TIMEOUT_MS} ms\n${running.output}`);
}
