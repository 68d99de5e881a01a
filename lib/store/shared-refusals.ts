/**
 * Whether the tier that machines share, while it is there, refuses a part of what it is asked. One of several servers may be
 * full, read-only or gone: the others answer, so that the whole never counts as gone, and yet somebody should know.
 */
import { SHARED_FAILURES, SHARED_LOG_EVERY_MS, SHARED_QUIET_MS, SHARED_REFUSING_LOOKS } from '../base/shared-limits.js';

export class SharedRefusals {
  readonly #changed: (isRefusing: boolean, reason: string) => void;
  #isRefusing = false;
  #reason = '';
  /** Since the last look, and since all was quiet. */
  #fresh = 0;
  #count = 0;
  #looks = 0;
  #quietMs = 0;

  constructor(changed: (isRefusing: boolean, reason: string) => void) {
    this.#changed = changed;
  }

  note(reason: string): void {
    this.#fresh++;
    this.#reason = reason;
  }

  /** Every SHARED_LOG_EVERY_MS, while the tier is there. */
  look(): void {
    if (this.#fresh === 0) {
      this.#quietMs += SHARED_LOG_EVERY_MS;
      if (this.#quietMs >= SHARED_QUIET_MS) this.forget();
      return;
    }
    this.#count += this.#fresh;
    this.#looks++;
    this.#fresh = 0;
    this.#quietMs = 0;
    if (this.#isRefusing || this.#count < SHARED_FAILURES || this.#looks < SHARED_REFUSING_LOOKS) return;
    this.#isRefusing = true;
    this.#changed(true, this.#reason);
  }

  /** All is quiet, or the whole tier is gone, which says more. */
  forget(): void {
    this.#fresh = 0;
    this.#count = 0;
    this.#looks = 0;
    this.#quietMs = 0;
    if (!this.#isRefusing) return;
    this.#isRefusing = false;
    this.#changed(false, this.#reason);
  }
}
