/** What warming takes from the configuration. */
import type { Config } from '../config/schema.js';
import { keyOfUrl, splitUrl } from '../policy/key.js';
import type { WarmSettings } from './contract.js';

export function warmSettings({ warm, cache }: Config): WarmSettings {
  const sitemaps = warm.sitemaps.flatMap((url) => keyOfUrl(url) ?? []);
  const own = sitemaps.flatMap((url) => splitUrl(url)?.host ?? []);
  return {
    sitemaps,
    hosts: new Set([...own, ...warm.hosts]),
    scheme: warm.scheme,
    everyMs: warm.everyMs,
    jitter: warm.jitter,
    rate: warm.rate,
    concurrency: warm.concurrency,
    vanished: warm.vanished,
    maxUrls: warm.maxUrls,
    hasDisk: cache.disk.path !== undefined,
    fields: warm.headers,
  };
}

/** Whether two settings say the same. */
export function isSame(one: WarmSettings, other: WarmSettings): boolean {
  const said = ({ hosts, ...rest }: WarmSettings): string => JSON.stringify([[...hosts].sort(), rest]);
  return said(one) === said(other);
}

/** Whether the same would be read of a sitemap under both. */
export function isReadAlike(one: WarmSettings, other: WarmSettings): boolean {
  const said = ({ hosts, scheme }: WarmSettings): string => JSON.stringify([[...hosts].sort(), scheme]);
  return said(one) === said(other);
}
