/** What one worker gets of a configuration that is about all of them. */
import { readConfig } from '../config/load.js';
import { type Config, hasOrigin, withOrigin } from '../config/schema.js';
import type { Source } from '../proxy.js';
import type { BoundAddress, WireSource } from './messages.js';

/** What tells one worker from the others. */
export interface Place {
  readonly count: number;
  readonly isFirst: boolean;
}

/** The share of one of `count` workers, which has no listener of its own. The first one warms for all. */
export function shareOf(config: Config, { count, isFirst }: Place, { host, port }: BoundAddress): Config {
  const part = (whole: number): number => Math.max(1, Math.ceil(whole / count));
  const { admin, cache, limits, origin, warm } = config;
  const { refresh } = origin;
  return {
    ...config,
    listen: { host, port },
    admin: { ...admin, listen: undefined },
    cache: { ...cache, memoryBytes: memoryShare(cache.memoryBytes, count) },
    origin: {
      ...origin,
      connections: part(origin.connections),
      refresh: { ...refresh, rate: part(refresh.rate), concurrency: part(refresh.concurrency) },
    },
    limits: { ...limits, connections: part(limits.connections) },
    warm: isFirst ? warm : { ...warm, sitemaps: [] },
  };
}

/** Together they never have more than the whole. */
export function memoryShare(bytes: number, count: number): number {
  return Math.floor(bytes / count);
}

/** The configuration of a worker from what the primary process read. Throws a ConfigError. */
export function sourceOf(
  { written, file, originUrl, access }: WireSource,
  place: Place,
  address: BoundAddress,
): Source {
  const settings = readConfig(written, file);
  // The demo origin is not in the file; the primary process has started it.
  const config = hasOrigin(settings) ? settings : withOrigin(settings, new URL(originUrl));
  return { config: shareOf({ ...config, log: { ...config.log, access } }, place, address), written, file };
}
