/**
 * Waits so long for a job of the writer and no longer: a device that hangs, or a process that holds lmdb's lock and does nothing, is a
 * disk that cannot be written. The job may be done nevertheless, later: nothing new is sent before that is known.
 */
import type { Clock } from '../base/clock.js';
import { MAX_DISK_JOB_MS } from '../base/disk-limits.js';
import { DiskFailure, type DiskJob, type DiskPort, type DiskReport } from './disk-contract.js';

export function patientPort(port: DiskPort, clock: Clock): DiskPort {
  return new PatientPort(port, clock);
}

class PatientPort implements DiskPort {
  readonly #port: DiskPort;
  readonly #clock: Clock;
  /** It has been waited for in vain. */
  #isOverdue = false;

  constructor(port: DiskPort, clock: Clock) {
    this.#port = port;
    this.#clock = clock;
  }

  send(job: DiskJob): Promise<DiskReport> {
    if (this.#isOverdue) return Promise.reject(new DiskFailure(OVERDUE, `${SENTENCE}, and it still is`));
    return new Promise((resolve, reject) => {
      const timer = this.#clock.after(MAX_DISK_JOB_MS, () => {
        this.#isOverdue = true;
        reject(new DiskFailure(OVERDUE, SENTENCE, true));
      });
      const over = (): void => {
        timer.cancel();
        this.#isOverdue = false;
      };
      this.#port.send(job).finally(over).then(resolve, reject);
    });
  }

  close(): Promise<void> {
    return this.#port.close();
  }
}

const OVERDUE = 'overdue';
const SENTENCE = `what is to be written has been under way for ${MAX_DISK_JOB_MS / 1000} s`;
