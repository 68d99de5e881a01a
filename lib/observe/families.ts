/** Metrics under their names: where their samples come from, and what the words around them are. */
import type { Histograms, Sample, Tally } from './tallies.js';

export type Together = 'sum' | 'first' | 'min' | 'max' | 'average';

/** One metric as Prometheus names it: its samples are read when somebody scrapes, never before. */
export interface Family {
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  /** What the values of several processes make together; `sum` unless set. */
  readonly together?: Together | undefined;
  samples(): readonly Sample[];
}

export function counter(name: string, help: string, tally: Tally): Family {
  return { name, help, type: 'counter', samples: () => tally.samples() };
}

export function histogram(name: string, help: string, histograms: Histograms): Family {
  return { name, help, type: 'histogram', samples: () => histograms.samples() };
}

export function single(name: string, type: 'counter' | 'gauge', help: string, value: () => number | undefined): Family {
  const samples = (): Sample[] => {
    const now = value();
    return now === undefined ? [] : [{ labels: {}, value: now }];
  };
  return { name, help, type, samples };
}

/** A family as it was read at one moment: what another process can be told of it. */
export interface FamilyReading extends Omit<Family, 'samples'> {
  readonly samples: readonly Sample[];
}
