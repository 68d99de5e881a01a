/**
 * Counts and histograms in flat typed arrays: what an event on the path of every hit may cost is an index and an
 * addition. Labels are put into words only when somebody reads.
 */
import assert from 'node:assert/strict';

/** One value of a metric, as a reader gets it. */
export interface Sample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
  /** For histograms: which of its series this belongs to. */
  readonly part?: 'bucket' | 'sum' | 'count';
}

/** The values that a label may have. */
export interface LabelSet {
  readonly name: string;
  readonly values: readonly string[];
}

/** What stands for every value that a set does not know. */
export const OTHER = 'other';

/** A label with a fixed list of values. Where the list has `other`, that is what an unknown value counts as. */
export class ClosedSet implements LabelSet {
  readonly name: string;
  readonly values: readonly string[];
  readonly #indexes = new Map<string, number>();
  readonly #other: number | undefined;
  #lastValue: string | undefined;
  #lastIndex = 0;

  constructor(name: string, values: readonly string[]) {
    this.name = name;
    this.values = values;
    for (const [index, value] of values.entries()) this.#indexes.set(value, index);
    this.#other = this.#indexes.get(OTHER);
  }

  indexOf(value: string): number {
    // Neighbouring events mostly have the same value, and comparing it with itself is cheaper than a hash.
    if (value === this.#lastValue) return this.#lastIndex;
    const index = this.#indexes.get(value) ?? this.#other;
    assert(index !== undefined, `${this.name} has no value ${value}`);
    this.#lastValue = value;
    this.#lastIndex = index;
    return index;
  }
}

/** A label whose values are met as they come, up to `max` of them; those that come later are `other`. */
export class BoundedSet implements LabelSet {
  readonly name: string;
  readonly #values: string[] = [OTHER];
  readonly #indexes = new Map<string, number>();
  readonly #max: number;
  #lastValue = OTHER;
  #lastIndex = 0;

  constructor(name: string, max: number) {
    this.name = name;
    this.#max = max;
  }

  get values(): readonly string[] {
    return this.#values;
  }

  indexOf(value: string): number {
    // As in a ClosedSet.
    if (value === this.#lastValue) return this.#lastIndex;
    let index = this.#indexes.get(value);
    if (index === undefined) {
      if (this.#values.length > this.#max) return 0;
      index = value === OTHER ? 0 : this.#values.push(value) - 1;
      this.#indexes.set(value, index);
    }
    this.#lastValue = value;
    this.#lastIndex = index;
    return index;
  }
}

/** The labels of row `row` in the product of `sets`, the last set turning fastest. */
function labelsOf(sets: readonly LabelSet[], row: number): Record<string, string> {
  const labels: Record<string, string> = {};
  let rest = row;
  for (const set of sets.toReversed()) {
    const size = set.values.length;
    labels[set.name] = set.values[rest % size] ?? OTHER;
    rest = Math.floor(rest / size);
  }
  return labels;
}

/** Counts by the product of up to a few labels. Only the first label may be a BoundedSet: its rows grow. */
export class Tally {
  readonly #sets: readonly LabelSet[];
  readonly #stride: number;
  readonly #showZeros: boolean;
  #counts: Float64Array;

  /** `showZeros` for small products: a counter that exists before its first event gives rates that miss nothing. */
  constructor(sets: readonly LabelSet[], showZeros: boolean) {
    this.#sets = sets;
    this.#stride = sets.slice(1).reduce((size, set) => size * set.values.length, 1);
    this.#showZeros = showZeros;
    this.#counts = new Float64Array(this.#stride * (sets[0]?.values.length ?? 1));
  }

  /** Adds to the row `first` x stride + `rest`; `rest` is the caller's index into the product of the other labels. */
  add(first: number, rest: number, by: number): void {
    const row = first * this.#stride + rest;
    if (row >= this.#counts.length) this.#grow(row);
    this.#counts[row] = (this.#counts[row] as number) + by;
  }

  #grow(row: number): void {
    const grown = new Float64Array(
      Math.max((Math.floor(row / this.#stride) + 1) * this.#stride, this.#counts.length * 2),
    );
    grown.set(this.#counts);
    this.#counts = grown;
  }

  samples(): Sample[] {
    const samples: Sample[] = [];
    const rows = this.#stride * (this.#sets[0]?.values.length ?? 1);
    for (let row = 0; row < rows; row++) {
      const value = this.#counts[row] ?? 0;
      if (value !== 0 || this.#showZeros) samples.push({ labels: labelsOf(this.#sets, row), value });
    }
    return samples;
  }
}

/** Histograms by one label, with bounds in ascending order; each bound belongs to its own bucket (le). */
export class Histograms {
  readonly #set: LabelSet;
  readonly #bounds: Float64Array;
  readonly #width: number;
  readonly #counts: Float64Array;
  readonly #sums: Float64Array;

  constructor(set: LabelSet, bounds: readonly number[]) {
    this.#set = set;
    this.#bounds = Float64Array.from(bounds);
    this.#width = bounds.length + 1;
    this.#counts = new Float64Array(this.#width * set.values.length);
    this.#sums = new Float64Array(set.values.length);
  }

  observe(index: number, value: number): void {
    // A clock that disagrees with itself must not turn the sum of a counter into NaN or make it fall.
    const sane = Number.isNaN(value) ? 0 : Math.max(value, 0);
    const bounds = this.#bounds;
    let bucket = 0;
    // From the smallest on: on the hot path nearly all values are in the first few buckets.
    while (bucket < bounds.length && sane > (bounds[bucket] as number)) bucket++;
    const at = index * this.#width + bucket;
    this.#counts[at] = (this.#counts[at] as number) + 1;
    this.#sums[index] = (this.#sums[index] as number) + sane;
  }

  samples(): Sample[] {
    const samples: Sample[] = [];
    for (const [index, value] of this.#set.values.entries()) {
      let count = 0;
      const buckets: Sample[] = [];
      for (let bucket = 0; bucket < this.#width; bucket++) {
        count += this.#counts[index * this.#width + bucket] as number;
        const le = bucket < this.#bounds.length ? String(this.#bounds[bucket]) : '+Inf';
        buckets.push({ labels: { le, [this.#set.name]: value }, value: count, part: 'bucket' });
      }
      if (count === 0) continue;
      const labels = { [this.#set.name]: value };
      samples.push(...buckets);
      samples.push(
        { labels, value: this.#sums[index] as number, part: 'sum' },
        { labels, value: count, part: 'count' },
      );
    }
    return samples;
  }
}
