/**
 * The way to the thread that writes for the disk tier. It is started with the first job, since a start has more pressing
 * things to do, and one that died anew with the next.
 */
import { Worker } from 'node:worker_threads';
import { whileThreadStarts } from '../base/collector.js';
import { DISK_THREAD_HEAP } from '../base/disk-limits.js';
import { DiskFailure, type DiskJob, type DiskPort, type DiskReport } from './disk-contract.js';
import { DiskGate, guardExit } from './disk-gate.js';
import type { FromThread, ThreadOrder, ThreadStart, ToThread } from './disk-thread.js';

interface Waiting {
  resolve(report: DiskReport): void;
  reject(failure: DiskFailure): void;
}

export function openThreadPort(order: ThreadOrder): DiskPort {
  return new ThreadPort(order);
}

class ThreadPort implements DiskPort {
  readonly #order: ThreadOrder;
  #worker: Worker | undefined;
  #waiting: Waiting | undefined;
  #isClosing = false;

  constructor(order: ThreadOrder) {
    this.#order = order;
  }

  send(job: DiskJob): Promise<DiskReport> {
    this.#worker ??= this.#start();
    const worker = this.#worker;
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
      // While there is something to be written the process does not end by itself.
      worker.ref();
      // The orders stand in memory that both have: nothing of them is copied.
      worker.postMessage(job satisfies ToThread);
    });
  }

  #start(): Worker {
    const gate = new DiskGate();
    const unguard = guardExit(gate);
    const hasStarted = whileThreadStarts();
    let worker: Worker;
    try {
      worker = new Worker(new URL('./disk-thread.js', import.meta.url), {
        workerData: { ...this.#order, gate: gate.shared } satisfies ThreadStart,
        resourceLimits: DISK_THREAD_HEAP,
      });
    } catch (error) {
      // There is to be no thread, as where the system has none left: it is tried again, as often as the disk is.
      unguard();
      hasStarted();
      throw error;
    }
    worker.unref();
    worker.once('online', hasStarted);
    const over = (message: string): void => {
      // It fails and then ends: what waits by then may be for the next one.
      if (this.#worker !== worker) return;
      this.#worker = undefined;
      this.#settle()?.reject(new DiskFailure('thread', message));
    };
    worker.on('message', (said: FromThread) => {
      if (said === 'closed') {
        void worker.terminate();
        return;
      }
      // A job may have been under way when the end began, which is waited for as well.
      if (!this.#isClosing) worker.unref();
      if (said.report !== undefined) this.#settle()?.resolve(said.report);
      else this.#settle()?.reject(new DiskFailure(said.failure.code, said.failure.message));
    });
    worker.on('error', (error) => over(String(error)));
    worker.on('exit', () => {
      unguard();
      hasStarted();
      over('the thread that writes has ended');
    });
    return worker;
  }

  #settle(): Waiting | undefined {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    return waiting;
  }

  close(): Promise<void> {
    const worker = this.#worker;
    this.#isClosing = true;
    if (worker === undefined) return Promise.resolve();
    return new Promise((resolve) => {
      worker.ref();
      worker.once('exit', () => resolve());
      worker.postMessage('close' satisfies ToThread);
    });
  }
}
