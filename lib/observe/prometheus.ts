/** The only door to prom-client: puts families of samples, and its own process metrics, into the exposition format. */
import { collectDefaultMetrics, type Metric, Registry } from 'prom-client';
import type { Family } from './families.js';

export interface Exposition {
  readonly contentType: string;
  readonly body: string;
}

/** What the registry calls on a metric; its own classes keep their values in maps keyed by joined strings. */
interface RegistryEntry {
  readonly name: string;
  readonly help: string;
  readonly type: Family['type'];
  get(): Promise<{
    name: string;
    help: string;
    type: Family['type'];
    values: { value: number; labels: Record<string, string>; metricName?: string }[];
  }>;
}

function entryOf(family: Family): RegistryEntry {
  const { name, help, type } = family;
  return {
    name,
    help,
    type,
    get: async () => ({
      name,
      help,
      type,
      values: family.samples().map(({ labels, value, part }) => ({
        value,
        labels: { ...labels },
        ...(part === undefined ? {} : { metricName: `${name}_${part}` }),
      })),
    }),
  };
}

/** A renderer of `families` after the metrics of the process itself (CPU, memory, event loop lag, garbage collection). */
export function createExposition(families: readonly Family[]): () => Promise<Exposition> {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  // The registry asks a metric for `get` alone, but its types name its four classes.
  for (const family of families) registry.registerMetric(entryOf(family) as unknown as Metric);
  return async () => ({ contentType: registry.contentType, body: await registry.metrics() });
}
