/**
 * Waits so long for a job of the writer and no longer: a device that hangs, or a process that holds lmdb's lock and does nothing, is a
 * disk that cannot be written. The job may be done nevertheless, later: nothing new is sent before that is known.
 */
import type { Clock, Timer } from '../base/clock.js';
import { MAX_DISK_JOB_MS } from '../base/disk-limits.js';
import { SECOND_MS } from '../base/units.js';
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
      // First: where it throws there is no job, and nothing to wait for.
      const sent = this.#port.send(job);
      let timer: Timer;
      const wait = (leftMs: number): void => {
        timer = this.#clock.after(Math.min(leftMs, SECOND_MS), () => {
          if (leftMs > SECOND_MS) wait(leftMs - SECOND_MS);
          else {
            this.#isOverdue = true;
            reject(new DiskFailure(OVERDUE, SENTENCE, true));
          }
        });
      };
      // In short stretches: of the time in which the whole process stands still, the writer with it, no more than one of them counts.
      wait(MAX_DISK_JOB_MS);
      const over = (): void => {
        timer.cancel();
        this.#isOverdue = false;
      };
      sent.finally(over).then(resolve, reject);
    });
  }

  close(): Promise<void> {
    return this.#port.close();
  }
}

const OVERDUE = 'overdue';
const SENTENCE = `what is to be written has been under way for ${MAX_DISK_JOB_MS / 1000} s`;
