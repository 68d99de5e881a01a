/**
 * Keeps the tier that machines share from being felt when it is slow or gone: each wait has a limit, failures in a row
 * make it count as gone, and then nobody waits for it at all until a try in the background has succeeded.
 */
import type { Clock, Timer } from '../base/clock.js';
import {
  MAX_SHARED_COMMANDS,
  SHARED_BACKGROUND_TIMEOUT_MS,
  SHARED_FAILURES,
  SHARED_HUNG_PROBES,
  SHARED_LINK_TIMEOUT_MS,
  SHARED_PROBE_FIRST_MS,
  SHARED_PROBE_MAX_MS,
} from '../base/shared-limits.js';
import { SharedRefusals } from './shared-refusals.js';

export interface GuardOptions {
  readonly clock: Clock;
  /** From 0 to below 1. */
  readonly random: () => number;
  /** Longest wait for an answer that a client waits for. */
  readonly timeoutMs: number;
  /** What has to succeed before it counts as back: it learns what was missed, and that it can be written to. */
  readonly probe: () => Promise<void>;
  /** Connections are open, and the tier cannot be used by them. */
  readonly hung: () => void;
  /** Whether a failure tells of one server among several: the others make up for it. */
  readonly isOfOne: (error: unknown) => boolean;
  readonly changed: (isUp: boolean, reason: string) => void;
  /** It is there, and refuses a part of what it is asked; or does so no more. */
  readonly refusing: (isRefusing: boolean, reason: string) => void;
}

export type GuardCount = 'answered' | 'failed' | 'late' | 'refused';

/** What a command gave; undefined: as if the tier were not there. */
export type Given<T> = { readonly value: T } | undefined;

class LateError extends Error {
  override readonly name = 'LateError';
}

export class SharedGuard {
  readonly counts: Record<GuardCount, number> = { answered: 0, failed: 0, late: 0, refused: 0 };
  readonly #options: GuardOptions;
  #isUp = false;
  /** Its state was told at least once. */
  #isKnown = false;
  #isLinked = false;
  #isClosed = false;
  #failures = 0;
  #running = 0;
  #probes = 0;
  #failedProbes = 0;
  #isProbing = false;
  #timer: Timer | undefined;
  /** While there are no connections: until when they may be in coming. */
  #linking: Timer | undefined;
  /** Why the last command failed. */
  #problem = '';
  readonly #refusals: SharedRefusals;

  constructor(options: GuardOptions) {
    this.#options = options;
    this.#refusals = new SharedRefusals(options.refusing);
  }

  get isUp(): boolean {
    return this.#isUp;
  }

  get running(): number {
    return this.#running;
  }

  /** Connections are being made: that is told of where it takes long, and begun anew where it does not end. */
  link(): void {
    let lateCount = 0;
    this.#linking?.cancel();
    this.#linking = this.#options.clock.every(SHARED_LINK_TIMEOUT_MS, () => {
      this.#tell(false, `no answer within ${SHARED_LINK_TIMEOUT_MS} ms`);
      if (++lateCount % SHARED_HUNG_PROBES === 0) this.#options.hung();
    });
  }

  /** The connections are there: it may be used once the probe has succeeded. */
  linked(): void {
    this.#isLinked = true;
    this.#linking?.cancel();
    this.#probes = 0;
    void this.#probe();
  }

  unlinked(reason: string): void {
    this.#isLinked = false;
    this.#leave(reason);
    if (!this.#isClosed) this.link();
  }

  /** Runs a command that somebody waits for. Never rejects. */
  run<T>(work: () => Promise<T>): Promise<Given<T>> {
    return this.#run(work, this.#options.timeoutMs);
  }

  /** Runs one that nobody waits for. */
  background<T>(work: () => Promise<T>): Promise<Given<T>> {
    return this.#run(work, Math.max(SHARED_BACKGROUND_TIMEOUT_MS, this.#options.timeoutMs));
  }

  /** Runs one whose failure says by itself that the tier is gone: nothing else may be asked of it for long. */
  async heartbeat(work: () => Promise<void>): Promise<void> {
    const given = await this.background(work);
    if (given === undefined && this.#isUp) this.#leave(this.#problem);
    if (this.#isUp) this.#refusals.look();
  }

  async #run<T>(work: () => Promise<T>, timeoutMs: number): Promise<Given<T>> {
    if (!this.#isUp || this.#running >= MAX_SHARED_COMMANDS) {
      this.counts.refused++;
      return undefined;
    }
    try {
      const value = await this.#limited(work, timeoutMs);
      this.counts.answered++;
      this.#failures = 0;
      return { value };
    } catch (error) {
      this.counts[error instanceof LateError ? 'late' : 'failed']++;
      if (!this.#options.isOfOne(error)) this.#failures++;
      this.#problem = error instanceof Error ? error.message : String(error);
      // Of a thousand answers one is late where all is well.
      if (!(error instanceof LateError)) this.#refusals.note(this.#problem);
      if (this.#failures >= SHARED_FAILURES) this.#leave(this.#problem);
      return undefined;
    }
  }

  #limited<T>(work: () => Promise<T>, timeoutMs: number): Promise<T> {
    const { clock } = this.#options;
    this.#running++;
    return new Promise<T>((resolve, reject) => {
      const late = (): void => reject(new LateError(`no answer within ${timeoutMs} ms`));
      // Where this process was late itself, the answer may lie unread: it gets one more turn.
      let timer = clock.after(timeoutMs, () => {
        timer = clock.after(0, late);
      });
      const over = (): void => {
        timer.cancel();
        this.#running--;
      };
      // What breaks before there is anything to wait for has failed like any other.
      const begun = async (): Promise<T> => work();
      begun().then(
        (value) => {
          over();
          resolve(value);
        },
        (error: unknown) => {
          over();
          reject(error);
        },
      );
    });
  }

  #leave(reason: string): void {
    this.#failures = 0;
    this.#tell(false, reason);
    this.#probes = 0;
    this.#schedule();
  }

  /** One line for each change of state, and for the first one. */
  #tell(isUp: boolean, reason: string): void {
    if (this.#isClosed || (this.#isKnown && this.#isUp === isUp)) return;
    this.#isKnown = true;
    this.#isUp = isUp;
    if (!isUp) this.#refusals.forget();
    this.#options.changed(isUp, reason);
  }

  #schedule(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    if (this.#isClosed || !this.#isLinked) return;
    const fullMs = Math.min(SHARED_PROBE_FIRST_MS * 2 ** Math.min(this.#probes, 16), SHARED_PROBE_MAX_MS);
    const ms = fullMs * (0.5 + 0.5 * this.#options.random());
    this.#timer = this.#options.clock.after(ms, () => void this.#probe());
  }

  async #probe(): Promise<void> {
    if (this.#isProbing || this.#isUp || this.#isClosed || !this.#isLinked) return;
    this.#isProbing = true;
    this.#probes++;
    try {
      await this.#limited(this.#options.probe, SHARED_BACKGROUND_TIMEOUT_MS);
      this.#failedProbes = 0;
      this.#isProbing = false;
      this.#failures = 0;
      if (this.#isLinked && !this.#isClosed) this.#tell(true, '');
    } catch (error) {
      this.#isProbing = false;
      this.#tell(false, error instanceof Error ? error.message : String(error));
      this.#schedule();
      // It may hang; or be what a name led to before a failover, and does no more.
      if (++this.#failedProbes >= SHARED_HUNG_PROBES) {
        this.#failedProbes = 0;
        this.#isLinked = false;
        this.#options.hung();
        this.link();
      }
    }
  }

  close(): void {
    this.#isClosed = true;
    this.#isUp = false;
    this.#timer?.cancel();
    this.#linking?.cancel();
  }
}
