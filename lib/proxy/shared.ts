/** The tier that machines share, as the configuration has it. */
import type { Clock } from '../base/clock.js';
import { hasRedis, type RedisSettings } from '../config/redis-options.js';
import type { Config } from '../config/schema.js';
import { SharedLeases } from '../engine/shared-leases.js';
import type { Events } from '../observe/events.js';
import type { SharedReadings } from '../observe/shared-families.js';
import type { SharedClientOptions } from '../store/shared-client.js';
import { RedisTable } from '../store/shared-table.js';
import { SharedTier } from '../store/shared-tier.js';

/** Which of the processes of this machine this one is. */
export interface SharedMember {
  /** The name of the machine, which no other has. */
  readonly machine: string;
  /** Of this process; no other of the machine has or had it. */
  readonly member: number;
  /** Whether it is the one that does what is to be done once for all of them. */
  readonly isFirst: boolean;
}

/** Undefined where none is configured. */
export function makeSharedLeases(
  config: Config,
  clock: Clock,
  events: Events,
  of: SharedMember,
): SharedLeases | undefined {
  const { redis } = config.cache;
  if (!hasRedis(redis)) return undefined;
  return new SharedLeases(makeTier(redis, clock, of), clock, events, of.isFirst ? 'here' : 'elsewhere');
}

function makeTier(redis: RedisSettings, clock: Clock, { machine, member }: SharedMember): SharedTier {
  const { timeoutMs, leaseMs, maxBodyBytes } = redis;
  const table = new RedisTable(linkOptions(redis), redis.prefix);
  const nameOf = (number: number): string => `${machine}-${number}`;
  const process = { own: nameOf(member), of: nameOf, isHere: (name: string) => name.startsWith(`${machine}-`) };
  return new SharedTier({ table, clock, random: Math.random, timeoutMs, leaseMs, maxBodyBytes, process });
}

function linkOptions({ url, sentinel, cluster, tls, ...redis }: RedisSettings): SharedClientOptions {
  const { caFile, serverName, verify } = tls;
  const common = {
    username: redis.username ?? url?.username,
    password: redis.password ?? url?.password,
    tls: tls.on || url?.isSecure === true ? { caFile, serverName, verify } : undefined,
    random: Math.random,
  };
  if (cluster.length > 0) return { ...common, kind: 'cluster', nodes: cluster };
  if (sentinel.nodes.length > 0) {
    const { name: masterName, password: sentinelPassword, nodes } = sentinel;
    return { ...common, kind: 'sentinel', nodes, masterName, sentinelPassword };
  }
  return { ...common, kind: 'single', nodes: url === undefined ? [] : [url.address], database: url?.database };
}

/** Whether another tier is needed: a file with a password or certificates is read again each time. */
export function needsNewTier(before: Config, after: Config): boolean {
  const { redis } = after.cache;
  if (!hasRedis(redis)) return hasRedis(before.cache.redis);
  return redis.tls.caFile !== undefined || JSON.stringify(redis) !== JSON.stringify(before.cache.redis);
}

/** For the gauges. */
export function readShared(leases: SharedLeases | undefined): SharedReadings | undefined {
  if (leases === undefined) return undefined;
  const { tier } = leases;
  return {
    isUp: tier.isUp,
    running: tier.guard.running,
    waiting: leases.waitingCount,
    pendingWrites: tier.pending.writes,
    pendingBytes: tier.pending.bytes,
    pendingOperations: tier.pending.ops,
    clockOffsetMs: tier.clock.offsetMs,
    commands: tier.guard.counts,
    lookups: tier.counts,
    tombsDropped: tier.tombs.dropped,
    gaps: tier.log.gaps,
    overflows: tier.log.overflows,
  };
}
