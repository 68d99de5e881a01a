/** The only door to prom-client: puts families of samples, and its own process metrics, into the exposition format. */
import { createRequire } from 'node:module';
import type * as PromClient from 'prom-client';
import type { Family, FamilyReading, Together } from './families.js';
import type { Sample } from './tallies.js';

// As what it is, CommonJS, it is read in less time.
const { collectDefaultMetrics, Registry } = createRequire(import.meta.url)('prom-client') as typeof PromClient;

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

/** Renders and reads families, after the metrics of the process itself (CPU, memory, event loop lag, garbage collection). */
export interface Expositor {
  render(): Promise<Exposition>;
  read(): Promise<readonly FamilyReading[]>;
}

export function createExposition(families: readonly Family[]): Expositor {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const own = new Set(families.map(({ name }) => name));
  register(registry, families);
  return {
    render: async () => ({ contentType: registry.contentType, body: await registry.metrics() }),
    read: async () => {
      const process = await registry.getMetricsAsJSON();
      return [
        ...process.filter(({ name }) => !own.has(name)).map((metric) => readingOf(metric as unknown as ProcessMetric)),
        ...families.map(({ samples, ...family }) => ({ ...family, samples: samples() })),
      ];
    },
  };
}

/** Readings of several processes put together, in the exposition format. */
export async function renderReadings(readings: readonly FamilyReading[]): Promise<Exposition> {
  const registry = new Registry();
  register(
    registry,
    readings.map((reading) => ({ ...reading, samples: () => reading.samples })),
  );
  return { contentType: registry.contentType, body: await registry.metrics() };
}

function register(registry: PromClient.Registry, families: readonly Family[]): void {
  // The registry asks a metric for `get` alone, but its types name its four classes.
  for (const family of families) registry.registerMetric(entryOf(family) as unknown as PromClient.Metric);
}

/** What the registry gives of a metric of the process. */
interface ProcessMetric {
  readonly name: string;
  readonly help: string;
  readonly type: Family['type'];
  /** `omit`: it says nothing of several processes. */
  readonly aggregator?: Together | 'omit';
  readonly values: readonly { value: number; labels: Record<string, string>; metricName?: string }[];
}

function readingOf({ name, help, type, aggregator, values }: ProcessMetric): FamilyReading {
  const samples = values.map(({ value, labels, metricName }): Sample => {
    const part = metricName?.startsWith(`${name}_`) === true ? metricName.slice(name.length + 1) : undefined;
    const isPart = part === 'bucket' || part === 'sum' || part === 'count';
    return isPart ? { labels, value, part } : { labels, value };
  });
  return { name, help, type, together: aggregator === 'omit' ? 'first' : (aggregator ?? 'sum'), samples };
}
