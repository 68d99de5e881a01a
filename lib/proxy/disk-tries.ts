/** A disk tier that cannot be had is tried again by the clock, until it can. */
import type { Clock, Timer } from '../base/clock.js';
import { DISK_RETRY_FIRST_MS, DISK_RETRY_MAX_MS, DISK_YOUNG_MS } from '../base/disk-limits.js';
import type { Events } from '../observe/events.js';
import { DiskTier } from '../store/disk.js';
import { leaveMark } from '../store/disk-marks.js';
import { DiskOpening, type OpenedDisk } from '../store/disk-open.js';
import { patientPort } from '../store/disk-patience.js';
import { markDamaged } from '../store/disk-place.js';
import { openThreadPort } from '../store/disk-port.js';

export interface DiskPlan {
  readonly path: string;
  readonly sizeBytes: number;
}

export class DiskTries {
  failures = 0;
  readonly #plan: DiskPlan;
  readonly #clock: Clock;
  readonly #events: Events;
  readonly #opening: DiskOpening;
  #timer: Timer | undefined;
  #retryMs = DISK_RETRY_FIRST_MS;
  #isOver = false;
  /** What tells those after this process that it died young, if it does. */
  #young: Timer | undefined;
  #growUp: () => void = () => {};

  constructor(plan: DiskPlan, clock: Clock, events: Events) {
    this.#plan = plan;
    this.#clock = clock;
    this.#events = events;
    this.#opening = new DiskOpening(plan.path, plan.sizeBytes);
  }

  /** Undefined where it cannot be had at once. */
  first(): DiskTier | undefined {
    try {
      const opened = this.#opening.tryNow();
      return opened === 'unsure' ? undefined : this.#tierOn(opened);
    } catch (error) {
      this.#failed(error);
      return undefined;
    }
  }

  /** Tries until it can be had: `adopt` has the tier from then on. */
  goOn(adopt: (tier: DiskTier) => void): void {
    this.#timer = this.#clock.after(this.failures === 0 ? 0 : this.#retryMs, () => {
      this.#opening.tryWithCare(this.#clock).then(
        (opened) => {
          if (this.#isOver) void opened.file.close();
          else adopt(this.#tierOn(opened));
        },
        (error) => {
          if (this.#isOver) return;
          if (this.failures > 0) this.#retryMs = Math.min(this.#retryMs * 2, DISK_RETRY_MAX_MS);
          this.#failed(error);
          this.goOn(adopt);
        },
      );
    });
  }

  /** The process ends well. */
  stop(): void {
    this.#isOver = true;
    this.#timer?.cancel();
    this.#young?.cancel();
    this.#growUp();
  }

  #beYoung(directory: string): void {
    try {
      this.#growUp = leaveMark(directory, 'young').done;
    } catch {
      // No room for it: then one death more is not counted.
      return;
    }
    this.#young = this.#clock.after(DISK_YOUNG_MS, this.#growUp);
  }

  #failed(error: unknown): void {
    if (this.failures++ > 0) return;
    const why = error instanceof Error ? error.message : String(error);
    const message = `The disk tier cannot be had (${why}): responses are stored in memory alone, and it is tried again.`;
    this.#events.notice('error', 'disk-unavailable', message);
  }

  #tierOn({ directory, file, remarks }: OpenedDisk): DiskTier {
    const { sizeBytes } = this.#plan;
    for (const { code, sentence } of remarks) this.#events.notice('warn', code, sentence);
    this.#beYoung(directory);
    const port = patientPort(openThreadPort({ directory, sizeBytes, inode: file.inode }), this.#clock);
    const onDamaged = (): void => markDamaged(directory);
    const about = { file, port, sizeBytes };
    const tier = new DiskTier({ ...about, clock: this.#clock, events: this.#events, onDamaged });
    tier.counts.openFailures = this.failures;
    return tier;
  }
}
