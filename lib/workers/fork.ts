/** The only door to node:cluster: starts worker processes, and is the line to each. */
import cluster, { type Worker as ClusterWorker } from 'node:cluster';
import type { Socket } from 'node:net';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import type { Clock } from '../base/clock.js';
import { markingFlags } from '../base/collector.js';
import { LAST_WORDS_MS } from '../base/worker-limits.js';
import type { Handle } from '../front/read-into.js';
import type { SendMessage } from './channel.js';

/** How a child process ended. */
export interface ChildEnd {
  readonly exitCode: number | null;
  readonly signal: string | null;
}

export interface ChildListener {
  message(value: unknown): void;
  /** The process is gone, and all that it said was heard. Once. */
  gone(end: ChildEnd): void;
}

/** A child process, as the supervisor sees it. */
export interface Child {
  /** Never used twice. */
  readonly id: number;
  readonly pid: number | undefined;
  /** What it writes to its stdout. */
  readonly output: Readable | undefined;
  readonly send: SendMessage;
  /** Gives it a connection, which stays open here as well until closed. */
  give(message: object, handle: Handle): void;
  kill(): void;
}

export type Fork = (listener: ChildListener) => Child;

const WORKER_MAIN = fileURLToPath(new URL('./worker-main.js', import.meta.url));

/** `count`: of workers that answer at a time. */
export function makeFork(clock: Clock, count: number): Fork {
  return (listener) => forkWorker(listener, clock, count);
}

function forkWorker(listener: ChildListener, clock: Clock, count: number): Child {
  cluster.setupPrimary({
    exec: WORKER_MAIN,
    args: [],
    execArgv: [...process.execArgv, ...markingFlags(count)],
    serialization: 'advanced',
    // Lines of several processes in one pipe tear each other: what a worker writes goes through the primary process.
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
  });
  const worker = cluster.fork();
  hear(worker, listener, clock);
  return {
    id: worker.id,
    pid: worker.process.pid,
    output: worker.process.stdout ?? undefined,
    send: (message, done) => {
      if (worker.isConnected()) worker.process.send(message, done);
      else done(new Error('the worker is gone'));
    },
    give: (message, handle) => {
      // As node:cluster itself gives them: a socket at each end, made to be emptied, would cost more than the way.
      if (worker.isConnected()) worker.process.send(message, handle as unknown as Socket, undefined, () => {});
    },
    kill: () => void worker.process.kill('SIGKILL'),
  };
}

function hear(worker: ClusterWorker, listener: ChildListener, clock: Clock): void {
  let end: ChildEnd | undefined;
  let hasLeft = false;
  const tell = (): void => {
    // The last messages may be read after the exit is known.
    if (end === undefined || !hasLeft) return;
    const known = end;
    end = undefined;
    listener.gone(known);
  };
  worker.on('message', (value: unknown) => listener.message(value));
  worker.on('disconnect', () => {
    hasLeft = true;
    tell();
  });
  worker.on('exit', (exitCode: number | null, signal: string | null) => {
    end = { exitCode, signal };
    tell();
    // With a connection on its way that it never took, Node waits for its word for ever, and does not say that it left.
    clock.after(LAST_WORDS_MS, () => {
      hasLeft = true;
      tell();
    });
  });
  worker.on('error', (error: NodeJS.ErrnoException) => {
    // It could not be started at all, and nothing else will be heard of it.
    if (worker.process.pid !== undefined) return;
    hasLeft = true;
    end = { exitCode: null, signal: error.code ?? null };
    tell();
  });
}
