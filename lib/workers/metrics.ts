/** The metrics of several processes as those of one: counters and histograms added up, over the deaths of workers too. */
import type { FamilyReading, Together } from '../observe/families.js';
import type { Sample } from '../observe/tallies.js';

type Readings = readonly FamilyReading[];

function sampleName({ labels, part }: Sample): string {
  const names = Object.keys(labels).sort();
  return `${part ?? ''}|${names.map((name) => `${name}=${JSON.stringify(labels[name])}`).join()}`;
}

function together(how: Together, values: readonly number[]): number {
  switch (how) {
    case 'sum':
      return values.reduce((sum, value) => sum + value, 0);
    case 'first':
      return values[0] ?? 0;
    case 'min':
      return Math.min(...values);
    case 'max':
      return Math.max(...values);
    case 'average':
      return values.reduce((sum, value) => sum + value, 0) / values.length;
  }
}

/** Several readings of one family as one. Samples stay in the order in which they are first met. */
function mergeFamily(family: FamilyReading, readings: Readings): FamilyReading {
  const met = new Map<string, { sample: Sample; values: number[] }>();
  for (const { samples } of readings) {
    for (const sample of samples) {
      const name = sampleName(sample);
      const known = met.get(name);
      if (known === undefined) met.set(name, { sample, values: [sample.value] });
      else known.values.push(sample.value);
    }
  }
  const how = family.together ?? 'sum';
  const samples = [...met.values()].map(({ sample, values }) => ({ ...sample, value: together(how, values) }));
  return { ...family, samples };
}

/** The readings of each process, put together family by family. */
export function mergeReadings(all: readonly Readings[]): Readings {
  const byName = new Map<string, FamilyReading[]>();
  for (const reading of all.flat()) {
    const known = byName.get(reading.name);
    if (known === undefined) byName.set(reading.name, [reading]);
    else known.push(reading);
  }
  return [...byName.values()].map((readings) => mergeFamily(readings[0] as FamilyReading, readings));
}

/** What only grows, and so must not shrink when its process dies. */
function isLasting({ type, together: how }: FamilyReading): boolean {
  return type !== 'gauge' && (how === undefined || how === 'sum');
}

/** Keeps what each worker said last, and of those that died what they had counted by then. */
export class LastReadings {
  readonly #last = new Map<number, Readings>();
  #retired: Readings = [];

  /** Undefined: it does not answer now, and what it said last stands. */
  note(worker: number, readings: Readings | undefined): void {
    if (readings !== undefined) this.#last.set(worker, readings);
  }

  /** Its gauges end with it; what it counted up to when it was last asked was seen, and stays. */
  retire(worker: number): void {
    const counted = (this.#last.get(worker) ?? []).filter(isLasting);
    this.#last.delete(worker);
    this.#retired = mergeReadings([this.#retired, counted]);
  }

  /** Of all workers, beside those of this process. */
  all(own: Readings): Readings {
    return mergeReadings([own, ...this.#last.values(), this.#retired]);
  }
}
