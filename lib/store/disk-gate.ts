/**
 * Between a thread that writes and the end of the process. A thread that is ended in the middle of a transaction is cleaned
 * up by LMDB under a lock which that very thread still holds, and then the process neither ends nor does anything. So the
 * end waits until the transaction is over, and has no other begin.
 */
import { DISK_EXIT_WAIT_MS } from '../base/disk-limits.js';

const IDLE = 0;
const BUSY = 1;
/** Busy, and shut once that is over. */
const LAST = 2;
const SHUT = 3;

/** Opened by those that write; shut by the end of the process. */
export class DiskGate {
  /** To be given to the thread. */
  readonly shared: SharedArrayBuffer;
  readonly #state: Int32Array;

  constructor(shared = new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT)) {
    this.shared = shared;
    this.#state = new Int32Array(shared);
  }

  /** Whether what is to be done may begin; then leave() has to follow. */
  enter(): boolean {
    return Atomics.compareExchange(this.#state, 0, IDLE, BUSY) === IDLE;
  }

  leave(): void {
    Atomics.compareExchange(this.#state, 0, BUSY, IDLE);
    Atomics.compareExchange(this.#state, 0, LAST, SHUT);
    Atomics.notify(this.#state, 0);
  }

  /** Lets nothing more begin. Waits for what runs; returns whether that is over in time. */
  shut(waitMs: number): boolean {
    if (Atomics.compareExchange(this.#state, 0, IDLE, SHUT) === IDLE) return true;
    // What has been left in between is idle now, or has been entered anew.
    if (Atomics.compareExchange(this.#state, 0, BUSY, LAST) === IDLE) return this.shut(waitMs);
    return Atomics.wait(this.#state, 0, LAST, waitMs) !== 'timed-out';
  }
}

/** Of threads that run. */
const gates = new Set<DiskGate>();

/** From now until the returned function is called the end of the process waits for what goes on behind this gate. */
export function guardExit(gate: DiskGate): () => void {
  if (gates.size === 0) process.on('exit', shutAll);
  gates.add(gate);
  return () => {
    gates.delete(gate);
    if (gates.size === 0) process.off('exit', shutAll);
  };
}

function shutAll(): void {
  for (const gate of gates) {
    // To end by a signal is as good for what is on disk, and better than not to end.
    if (!gate.shut(DISK_EXIT_WAIT_MS)) process.kill(process.pid, 'SIGKILL');
  }
}
