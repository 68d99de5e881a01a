/**
 * The keys that unusual forwarding fields made of a target (policy/key): a purge or a change of the target must reach what
 * is stored under each of them (RFC 9111 §4.4).
 */
export class Aliases {
  readonly #max: number;
  readonly #maxBytes: number;
  /** From alias to target, in the order in which they were last noted. */
  readonly #targets = new Map<string, string>();
  readonly #byTarget = new Map<string, Set<string>>();
  #bytes = 0;

  constructor(max: number, maxBytes: number) {
    this.#max = max;
    this.#maxBytes = maxBytes;
  }

  /** Notes an alias. Returns those that had to be forgotten for it, the oldest first. */
  note(target: string, alias: string): readonly string[] {
    if (this.#targets.delete(alias)) {
      this.#targets.set(alias, target);
      return [];
    }
    this.#targets.set(alias, target);
    this.#bytes += alias.length;
    const aliases = this.#byTarget.get(target);
    if (aliases === undefined) this.#byTarget.set(target, new Set([alias]));
    else aliases.add(alias);
    const forgotten: string[] = [];
    for (const [oldest, its] of this.#targets) {
      if (this.#targets.size <= this.#max && this.#bytes <= this.#maxBytes) break;
      this.#forget(oldest, its);
      forgotten.push(oldest);
    }
    return forgotten;
  }

  of(target: string): readonly string[] {
    return [...(this.#byTarget.get(target) ?? [])];
  }

  #forget(alias: string, target: string): void {
    this.#targets.delete(alias);
    this.#bytes -= alias.length;
    const aliases = this.#byTarget.get(target);
    aliases?.delete(alias);
    if (aliases?.size === 0) this.#byTarget.delete(target);
  }
}
