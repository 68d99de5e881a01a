/**
 * Which stored responses carry a tag. Its memory is charged with the responses (object/stored), and a head of bounded
 * size bounds the tags of one, so the index as a whole stays within the budget.
 */

const NONE: ReadonlySet<number> = new Set();

export class TagIndex {
  readonly #slots = new Map<string, Set<number>>();

  /** Tags that something stored carries. */
  get size(): number {
    return this.#slots.size;
  }

  of(tag: string): ReadonlySet<number> {
    return this.#slots.get(tag) ?? NONE;
  }

  add(tags: readonly string[] | undefined, slot: number): void {
    if (tags === undefined) return;
    for (const tag of tags) {
      const slots = this.#slots.get(tag);
      if (slots === undefined) this.#slots.set(tag, new Set([slot]));
      else slots.add(slot);
    }
  }

  delete(tags: readonly string[] | undefined, slot: number): void {
    if (tags === undefined) return;
    for (const tag of tags) {
      const slots = this.#slots.get(tag);
      if (slots?.delete(slot) === true && slots.size === 0) this.#slots.delete(tag);
    }
  }
}
