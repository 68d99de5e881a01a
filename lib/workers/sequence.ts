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
    // One by one: while what goes in steps is under way there may be more than a call takes arguments.
    let ended = this.#begun;
    for (const number of this.#running) if (number <= ended) ended = number - 1;
    return ended;
  }

  begin(number: number): void {
    this.#begun = Math.max(this.#begun, number);
    this.#running.add(number);
  }

  end(number: number): void {
    this.#running.delete(number);
  }
}
