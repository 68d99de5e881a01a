/** What is allowed in a configuration and is hardly meant: each with its consequence. One small function for each kind. */
import { usableCores } from '../base/cores.js';
import { formatDuration, formatSize } from '../base/units.js';
import { SMALL_WORKER_BYTES } from '../base/worker-limits.js';
import { dangersOf, type Warning } from './dangers.js';
import { hasRedis } from './redis-options.js';
import { idleBudget, pointlessAhead } from './refresh-lint.js';
import type { HealthSetting, StatusSetting } from './rule.js';
import type { RuleSettings } from './rule-options.js';
import type { ConfigSettings } from './schema.js';
import { contradiction, isShadowedBy, type Placed, placedRules } from './shadow.js';
import { nearest } from './suggest.js';
import { lintWarm } from './warm-lint.js';

export type { Warning } from './dangers.js';

type Path = readonly (string | number)[];
type Said = Partial<Omit<RuleSettings, 'name' | 'match' | 'rules'>>;

/** From here on what is kept in memory is mostly gone before its time: evicted, or lost at a restart. */
const LONG_KEEP_MS = 30 * 24 * 3_600_000;

const DEFAULT_PREFIX = 'patina:';
const DEFAULT_DISK_BYTES = 4 * 1024 ** 3;

/** Every warning about a configuration that is valid, in the order of its parts. */
export function lint(settings: ConfigSettings): readonly Warning[] {
  const placed = placedRules(settings.rules);
  const everywhere: [Said, Path][] = [
    [settings.defaults, ['defaults']],
    ...placed.map(({ rule, path }): [Said, Path] => [rule, path]),
  ];
  return [
    ...dangersOf(settings),
    ...idleBudget(settings),
    ...workerWarnings(settings),
    ...smallDisk(settings),
    ...tiersWithoutPlace(settings),
    ...placed.flatMap((rule, index) => neverChosen(rule, placed.slice(0, index))),
    ...everywhere.flatMap(([said, path]) => [
      ...shortGrace(said, path, settings),
      ...longKeep(said, path, settings),
      ...idleTtl(said, path, settings.defaults),
      ...pointlessAhead(said, path, settings),
    ]),
    ...placed.flatMap(unknownMethods),
    ...placed.flatMap(uncachedMethods),
    ...lintWarm(settings),
    ...defaultPrefix(settings),
  ];
}

/** `cores`: on which this process may run. */
export function workerWarnings({ workers, cache }: ConfigSettings, cores = usableCores()): Warning[] {
  const warnings: Warning[] = [];
  const path = ['workers'];
  if (workers > cores) {
    const sentence = `${workers} workers on ${cores === 1 ? 'one processor' : `${cores} processors`}: more than one for each makes all slower, and each has less memory`;
    warnings.push({ code: 'more-workers-than-cores', path, sentence });
  }
  const shareBytes = Math.floor(cache.memoryBytes / workers);
  if (workers > 1 && shareBytes < SMALL_WORKER_BYTES) {
    const sentence = `each of ${workers} workers has ${formatSize(shareBytes)} of memory (cache.memory divided): nothing larger than half of that is stored`;
    warnings.push({ code: 'small-workers', path, sentence });
  }
  return warnings;
}

/** Nearly all that is in memory is on disk too. */
function smallDisk({ cache: { disk, memoryBytes } }: ConfigSettings): Warning[] {
  if (disk.path === undefined || disk.sizeBytes >= memoryBytes) return [];
  const sentence = `the disk tier (${formatSize(disk.sizeBytes)}) is smaller than memory (${formatSize(memoryBytes)}): what is used is evicted from it, and does not survive a restart`;
  return [{ code: 'small-disk', path: ['cache', 'disk', 'size'], sentence }];
}

/** What is said of a tier that is off, because nothing says where it is. */
function tiersWithoutPlace({ cache: { disk, redis } }: ConfigSettings): Warning[] {
  const warnings: Warning[] = [];
  if (disk.path === undefined && disk.sizeBytes !== DEFAULT_DISK_BYTES) {
    const sentence = 'there is no disk tier: it is switched on by its path, cache.disk.path';
    warnings.push({ code: 'no-disk-path', path: ['cache', 'disk', 'size'], sentence });
  }
  const { username, password, tls, prefix } = redis;
  const isMeant = username !== undefined || password !== undefined || tls.on || prefix !== DEFAULT_PREFIX;
  if (isMeant && !hasRedis(redis)) {
    const sentence = 'nothing is shared: the tier is switched on by one of cache.redis.url, sentinel and cluster';
    warnings.push({ code: 'no-redis-address', path: ['cache', 'redis'], sentence });
  }
  return warnings;
}

function neverChosen(placed: Placed, earlier: readonly Placed[]): Warning[] {
  const path = [...placed.path, 'match'];
  const impossible = contradiction(placed);
  if (impossible !== undefined)
    return [{ code: 'never-matches', path, sentence: `this rule can never match: ${impossible}` }];
  const shadow = earlier.find((one) => isShadowedBy(placed, one));
  if (shadow === undefined) return [];
  const { name } = shadow.rule;
  const isMutual = isShadowedBy(shadow, placed);
  if (isMutual && differs(placed.rule, shadow.rule)) {
    const sentence = `rule ${name} before it matches the same and says something else: only that one ever counts`;
    return [{ code: 'disagrees', path, sentence }];
  }
  return [
    { code: 'shadowed', path, sentence: `this rule never counts: rule ${name} before it takes all that it matches` },
  ];
}

function differs(one: RuleSettings, other: RuleSettings): boolean {
  const said = ({ name: _, match: __, rules: ___, ...settings }: RuleSettings): string => JSON.stringify(settings);
  return said(one) !== said(other);
}

/** The duration of a setting where it is the same for all statuses and in good and bad times. */
function plainMs(setting: HealthSetting | StatusSetting | undefined): number | undefined {
  return setting?.kind === 'fixed' ? setting.ms : undefined;
}

/** A refresh may take as long as the origin is waited for; grace that ends before has clients wait for the rest. */
function shortGrace({ grace }: Said, path: Path, { origin }: ConfigSettings): Warning[] {
  const ms = plainMs(grace?.kind === 'by-health' ? grace.healthy : grace);
  const { headersMs } = origin.timeouts;
  if (ms === undefined || ms === 0 || ms >= headersMs) return [];
  const sentence = `a refresh may take ${formatDuration(headersMs)} (origin.timeouts.headers), and grace ends after ${formatDuration(ms)}: while the origin is slow, clients wait for it`;
  return [{ code: 'short-grace', path: [...path, 'grace'], sentence }];
}

function longKeep({ keep }: Said, path: Path, { cache }: ConfigSettings): Warning[] {
  const ms = plainMs(keep);
  if (ms === undefined || ms <= LONG_KEEP_MS || cache.disk.path !== undefined) return [];
  const sentence = `${formatDuration(ms)} is longer than memory lasts: what nobody asks for is evicted when it is full, and all is lost at a restart`;
  return [{ code: 'long-keep', path: [...path, 'keep'], sentence }];
}

function idleTtl({ ttl, maxStalenessMs }: Said, path: Path, defaults: ConfigSettings['defaults']): Warning[] {
  const ceilingMs = maxStalenessMs ?? defaults.maxStalenessMs;
  const ms = plainMs(ttl ?? (maxStalenessMs === undefined ? undefined : defaults.ttl));
  if (ms === undefined || ms <= ceilingMs) return [];
  const sentence = `nothing older than ${formatDuration(ceilingMs)} is served (max_staleness), so a ttl of ${formatDuration(ms)} never lasts`;
  return [{ code: 'ttl-past-ceiling', path: [...path, ttl === undefined ? 'max_staleness' : 'ttl'], sentence }];
}

/** Two sites in one Redis whose keys are the same would get each other's pages. */
function defaultPrefix({ cache, origin }: ConfigSettings): Warning[] {
  if (!hasRedis(cache.redis) || cache.redis.prefix !== DEFAULT_PREFIX || origin.host === undefined) return [];
  const sentence = `this proxy asks its origin for another host than its clients do, and the prefix is the one that every other site has too: give it one of its own`;
  return [{ code: 'shared-prefix', path: ['cache', 'redis', 'prefix'], sentence }];
}

/** Methods of requests that come as far as the rules: those of RFC 9110 and the registry that the HTTP parser knows, and PURGE. */
const KNOWN_METHODS: readonly string[] = [
  'GET HEAD POST PUT DELETE PATCH OPTIONS TRACE QUERY SEARCH REPORT PURGE COPY LOCK MKCOL MOVE PROPFIND PROPPATCH UNLOCK BIND',
  'REBIND UNBIND ACL MKACTIVITY CHECKOUT MERGE MKCALENDAR LINK UNLINK NOTIFY SUBSCRIBE UNSUBSCRIBE M-SEARCH',
].flatMap((line) => line.split(' '));

/** Any token is a method (RFC 9110 §9.1), and those that are not known here are answered with 501 (RFC 9110 §9.1, §15.6.2). */
function unknownMethods({ rule, path }: Placed): Warning[] {
  return (rule.match.methods ?? []).flatMap((method): Warning[] => {
    if (KNOWN_METHODS.includes(method)) return [];
    const meant = nearest(method, KNOWN_METHODS);
    const hint = meant === undefined ? '' : `: did you mean ${meant}?`;
    const sentence = `requests with ${method} are answered with 501 and come to no rule${hint}`;
    return [{ code: 'unknown-method', path: [...path, 'match', 'methods'], sentence }];
  });
}

function uncachedMethods({ rule, path }: Placed): Warning[] {
  const methods = rule.match.methods?.filter((method) => KNOWN_METHODS.includes(method));
  if (
    methods === undefined ||
    methods.length === 0 ||
    methods.some((method) => method === 'GET' || method === 'HEAD' || method === 'POST')
  )
    return [];
  const sentence = `requests with ${methods.join(', ')} always go past the cache: of this rule only what it does to fields counts`;
  return [{ code: 'uncached-methods', path: [...path, 'match', 'methods'], sentence }];
}
