/**
 * Those who wait for a connection, in the order in which they came; any of them may leave. A list that they carry themselves, and
 * no Set: whoever has left it points to nobody (decisions/0032).
 */
export interface InLine<T> {
  isInLine: boolean;
  ahead: T | undefined;
  behind: T | undefined;
}

export class WaitingLine<T extends InLine<T>> {
  #first: T | undefined;
  #last: T | undefined;
  #count = 0;

  get count(): number {
    return this.#count;
  }

  /** Who came first. */
  get first(): T | undefined {
    return this.#first;
  }

  join(one: T): void {
    one.isInLine = true;
    one.ahead = this.#last;
    if (this.#last === undefined) this.#first = one;
    else this.#last.behind = one;
    this.#last = one;
    this.#count++;
  }

  /** Whoever is not in line may be told to leave too. */
  leave(one: T): void {
    if (!one.isInLine) return;
    const { ahead, behind } = one;
    if (ahead === undefined) this.#first = behind;
    else ahead.behind = behind;
    if (behind === undefined) this.#last = ahead;
    else behind.ahead = ahead;
    one.isInLine = false;
    one.ahead = undefined;
    one.behind = undefined;
    this.#count--;
  }
}
