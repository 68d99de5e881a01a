/**
 * Which operations of operators have begun here, and up to which all have ended. They are numbered by the primary process,
 * so that two workers can tell whether one still has what the other has taken out already.
 */
export class Sequence {
  #begun: number;
  readonly #running = new Set<number>();

  /** `before`: those that were over when this process began. */
  constructor(before: number) {
    this.#begun = before;
  }

  get begun(): number {
    return this.#begun;
  }

  get ended(): number {
    return this.#running.size === 0 ? this.#begun : Math.min(...this.#running) - 1;
  }

  begin(number: number): void {
    this.#begun = Math.max(this.#begun, number);
    this.#running.add(number);
  }

  end(number: number): void {
    this.#running.delete(number);
  }
}
