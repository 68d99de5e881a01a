/** What is allowed in the options of warming and is hardly meant: each with its consequence. */
import { HOUR_MS, SECOND_MS } from '../base/units.js';
import type { Warning } from './dangers.js';
import type { ConfigSettings } from './schema.js';

/** From here on the first round is hardly of use to anybody. */
const SLOW_ROUND_MS = 24 * HOUR_MS;

export function lintWarm(settings: ConfigSettings): readonly Warning[] {
  const { warm } = settings;
  if (warm.sitemaps.length === 0) {
    if (warm.hosts.length === 0) return [];
    const sentence = 'nothing is warmed: warm.sitemaps names no sitemap';
    return [{ code: 'warm-idle', path: ['warm'], sentence }];
  }
  return [...atOrigin(settings), ...foreign(settings), ...slowRound(settings), ...keptAside(settings)];
}

function hostOf(url: string): string {
  return new URL(url).host;
}

/** Visitors name the public host, and the key is made with that. */
function atOrigin({ warm, origin }: ConfigSettings): Warning[] {
  const { url } = origin;
  return warm.sitemaps.flatMap((sitemap, index): Warning[] => {
    if (url === undefined || hostOf(sitemap) !== url.host || warm.hosts.length > 0) return [];
    const sentence = `this names the origin itself: pages that it lists under the host of visitors are refused, and those it lists under ${url.host} are stored for visitors who ask for ${url.host}. Name the host of visitors here, or in warm.hosts`;
    return [{ code: 'warm-at-origin', path: ['warm', 'sitemaps', index], sentence }];
  });
}

/** Nothing is fetched from elsewhere, so a host of somebody else is rather a mistake: one that is no sibling of any other. */
function foreign({ warm, origin }: ConfigSettings): Warning[] {
  const hosts = [...warm.sitemaps.map(hostOf), ...warm.hosts, ...(origin.host === undefined ? [] : [origin.host])];
  return warm.sitemaps.flatMap((sitemap, index): Warning[] => {
    const host = hostOf(sitemap);
    const others = hosts.filter((other) => other !== host);
    if (others.length === 0 || host === origin.url?.host || warm.hosts.includes(host)) return [];
    if (others.some((other) => domainOf(other) === domainOf(host))) return [];
    const sentence = `${host} is unlike every other host here: the request for it goes to the origin all the same, with Host: ${host}, and what it lists there is warmed. Nothing is ever fetched from elsewhere. Where it is meant, name it in warm.hosts as well`;
    return [{ code: 'warm-foreign-host', path: ['warm', 'sitemaps', index], sentence }];
  });
}

/** The last two labels, without the port: near enough for a warning. */
function domainOf(host: string): string {
  return host.replace(/:\d+$/, '').split('.').slice(-2).join('.').toLowerCase();
}

function slowRound({ warm }: ConfigSettings): Warning[] {
  const ms = Math.ceil(warm.maxUrls / warm.rate) * SECOND_MS;
  if (ms <= SLOW_ROUND_MS) return [];
  const sentence = `to fill ${warm.maxUrls} URLs (warm.max_urls) at ${warm.rate} a second takes ${Math.round(ms / HOUR_MS)} hours`;
  return [{ code: 'warm-slow', path: ['warm', 'rate'], sentence }];
}

/** The schemes of a sitemap and of visitors are two things where TLS ends before this proxy. */
function keptAside({ warm }: ConfigSettings): Warning[] {
  const https = warm.sitemaps.findIndex((sitemap) => sitemap.startsWith('https:'));
  if (https < 0 || warm.scheme !== 'listed') return [];
  const sentence =
    'what https URLs list is stored for visitors who came by https, which this proxy learns from X-Forwarded-Proto alone: where what ends TLS before it does not send that, say warm.scheme: http, or, where it sends Forwarded, have it send both';
  return [{ code: 'warm-scheme', path: ['warm', 'sitemaps', https], sentence }];
}
