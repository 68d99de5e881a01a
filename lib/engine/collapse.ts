/** The fills in flight, by primary key: who may join which (design, section 3). */
import { MAX_FILLS } from '../base/limits.js';
import type { Fields } from '../http/fields.js';
import { isSelectedBy, selectionOf } from '../policy/vary.js';
import type { Fill } from './fill.js';

export class CollapseTable {
  readonly #fills = new Map<string, Fill[]>();
  #count = 0;

  /** Fills in flight that others may join. */
  get count(): number {
    return this.#count;
  }

  /** Requests that wait on any fill. */
  get waiterCount(): number {
    let sum = 0;
    for (const fills of this.#fills.values()) for (const fill of fills) sum += fill.waiterCount;
    return sum;
  }

  get isFull(): boolean {
    return this.#count >= MAX_FILLS;
  }

  /**
   * The fill that will answer a request with these fields too. Once its head is known its own selection decides;
   * before that the selecting fields of what is stored foretell it, and where nothing is stored, hope does:
   * a waiter that turns out to be another variant looks up again.
   */
  find(key: string, requestFields: Fields): Fill | undefined {
    const fills = this.#fills.get(key);
    if (fills === undefined) return undefined;
    for (const fill of fills) if (answers(fill, requestFields)) return fill;
    return undefined;
  }

  add(key: string, fill: Fill): void {
    const fills = this.#fills.get(key);
    if (fills === undefined) this.#fills.set(key, [fill]);
    else fills.push(fill);
    this.#count++;
  }

  remove(key: string, fill: Fill): void {
    const fills = this.#fills.get(key);
    const at = fills?.indexOf(fill) ?? -1;
    if (fills === undefined || at < 0) return;
    fills.splice(at, 1);
    if (fills.length === 0) this.#fills.delete(key);
    this.#count--;
  }

  /** All fills of a key, for purges and updates. */
  of(key: string): readonly Fill[] {
    return this.#fills.get(key) ?? [];
  }
}

function answers(fill: Fill, requestFields: Fields): boolean {
  if (fill.response !== undefined) return isSelectedBy(fill.response.selection, requestFields);
  const known = fill.spec.basis ?? fill.spec.candidates[0];
  if (known === undefined || known.selection.names.length === 0) return true;
  return isSelectedBy(selectionOf(known.selection.names, fill.spec.request.fields), requestFields);
}
