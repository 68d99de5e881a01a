/**
 * Progress for a person at a terminal: one line that is written over and over. The cursor goes back to its beginning each
 * time, so that whatever else is written to the terminal takes its place.
 */
import type { Clock, Timer } from '../base/clock.js';
import { WARM_PROGRESS_MS } from '../base/warm-limits.js';

/** A terminal. */
export interface Terminal {
  write(text: string): void;
  readonly columns: number;
}

const CLEAR_TO_END = '\x1b[K';

export class ProgressLine {
  readonly #clock: Clock;
  readonly #terminal: Terminal;
  readonly #text: () => string;
  #timer: Timer | undefined;

  /** `text` is asked each time that the line is written. */
  constructor(clock: Clock, terminal: Terminal, text: () => string) {
    this.#clock = clock;
    this.#terminal = terminal;
    this.#text = text;
  }

  begin(): void {
    if (this.#timer !== undefined) return;
    this.#write();
    this.#timer = this.#clock.every(WARM_PROGRESS_MS, () => this.#write());
  }

  end(): void {
    if (this.#timer === undefined) return;
    this.#timer.cancel();
    this.#timer = undefined;
    this.#terminal.write(`\r${CLEAR_TO_END}`);
  }

  #write(): void {
    // In the last column the cursor would be on the next line.
    this.#terminal.write(`\r${this.#text().slice(0, Math.max(0, this.#terminal.columns - 1))}${CLEAR_TO_END}\r`);
  }
}
