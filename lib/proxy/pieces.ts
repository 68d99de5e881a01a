/** What each part of the proxy takes from the configuration, so that a start and a reload take the same. */
import { readFileSync } from 'node:fs';
import { isatty } from 'node:tty';
import type { TokenCheck } from '../admin/token.js';
import type { Clock } from '../base/clock.js';
import { makeRules, type Rules } from '../config/rules.js';
import type { Config } from '../config/schema.js';
import type { ExplainSettings } from '../engine/explaining.js';
import type { EngineSettings } from '../engine/parts.js';
import type { RefreshBudget } from '../engine/refresh-budget.js';
import type { FrontSettings } from '../front/contract.js';
import type { LogSettings } from '../observe/access-log.js';
import type { Events } from '../observe/events.js';
import type { LogDestination } from '../observe/log-destination.js';
import { guardOrigin } from '../origin/breaker.js';
import { createOriginClient } from '../origin/client.js';
import type { OriginWays } from '../origin/replaceable.js';
import { createTunnel } from '../origin/tunnel.js';
import { makeOperatorMethods } from './operators.js';

const STDOUT = 1;

/** What a configuration and this process make together. */
export interface Identity {
  /** Our name in Via, as the configuration has it or as this process was given one. */
  readonly via: string;
  /** Of the operators' token; undefined where there is none. */
  readonly tokenCheck: TokenCheck | undefined;
}

/** `before`: the rules in force, of which those that did not change go on. */
export function engineSettings(config: Config, { via, tokenCheck }: Identity, before?: Rules): EngineSettings {
  return {
    rules: makeRules(config, before),
    hygiene: { via, hostOverride: config.origin.host, forwardedFor: 'append' },
    limits: {
      waitersPerFill: config.limits.waiters,
      waitMs: config.limits.waitMs,
      targetBytes: config.limits.urlBytes,
    },
    explain: explainSettings(config),
    operators: makeOperatorMethods(config, tokenCheck),
    refresh: refreshBudget(config),
  };
}

/** Refreshes never take the last connection from clients. */
function refreshBudget({ origin }: Config): RefreshBudget {
  const { rate, concurrency } = origin.refresh;
  return { rate, concurrency: Math.min(concurrency, Math.max(1, origin.connections - 1)) };
}

/** Undefined where nothing is explained, so that requests pay nothing for it. */
function explainSettings({ explain, log }: Config): ExplainSettings | undefined {
  const isTraced = log.level === 'trace';
  const { header, secret = '' } = explain;
  return header === undefined && !isTraced ? undefined : { header: header?.toLowerCase(), secret, isTraced };
}

export function frontSettings({ limits, debugHeader, fastLane }: Config, { via }: Identity): FrontSettings {
  return {
    debugHeader,
    via: `1.1 ${via}`,
    fastLane: fastLane === 'on',
    limits: {
      targetBytes: limits.urlBytes,
      fieldsBytes: limits.headersBytes,
      fieldCount: limits.headerCount,
      headTimeoutMs: limits.headTimeoutMs,
      bodyIdleMs: limits.bodyIdleMs,
      replyIdleMs: limits.replyIdleMs,
      keepAliveMs: limits.keepAliveMs,
      connections: limits.connections,
    },
  };
}

/** `auto` is for people on a terminal, for machines elsewhere. */
export function logSettings({ log }: Config, destination: LogDestination = STDOUT): LogSettings {
  const isTerminal = destination === STDOUT && isatty(STDOUT);
  const format = log.access === 'auto' ? (isTerminal ? 'pretty' : 'json') : log.access;
  return { format, level: log.level, sample: log.sample };
}

/** Throws where a file of certificates cannot be read. */
export function makeWays({ origin }: Config, clock: Clock, events: Events): OriginWays {
  const { url, timeouts, connections, tls } = origin;
  const times = {
    connectTimeoutMs: timeouts.connectMs,
    headersTimeoutMs: timeouts.headersMs,
    idleTimeoutMs: timeouts.idleMs,
  };
  const ca = tls.caFile === undefined ? {} : { ca: readFileSync(tls.caFile, 'utf8') };
  const reach = { url, clock, events, connections, ...times, tls: { ...ca, rejectUnauthorized: tls.verify } };
  return {
    client: guardOrigin(createOriginClient(reach), { clock, events, random: Math.random }),
    tunnel: createTunnel(reach),
  };
}

/** Whether the ways to the origin must be made anew: its certificates are read again each time. */
export function needsNewWays(before: Config, after: Config): boolean {
  const reach = ({ origin: { url, timeouts, connections, tls } }: Config): string =>
    JSON.stringify([url.href, timeouts, connections, tls]);
  return after.origin.tls.caFile !== undefined || reach(before) !== reach(after);
}
