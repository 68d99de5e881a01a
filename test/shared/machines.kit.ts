/**
 * Machines that share a Redis: whole proxies in one process, each with a memory of its own, before one scripted origin and a
 * real redis-server.
 *
 *   const { here, there } = await openMachines(t, () => ({ fields: LIVING, body: 'hello' }));
 */
import type { Test } from 'tap';
import { metric, type OpenProxy, openProxy, TOKEN } from '../kit/proxy-kit.js';
import { eventually, type RedisServer, startRedis } from '../kit/redis-server.js';
import type { Answer, RecordedRequest } from '../kit/scripted-origin.js';
import { type Hearing, listenIn } from './hearing.kit.js';

export const LIVING = ['Cache-Control', 'max-age=60, stale-while-revalidate=60', 'ETag', '"1"'];

export interface Machines {
  readonly redis: RedisServer;
  readonly hearing: Hearing;
  readonly here: OpenProxy;
  readonly there: OpenProxy;
  readonly all: readonly OpenProxy[];
}

export async function openMachines(
  t: Test,
  respond: (request: RecordedRequest) => Answer | Promise<Answer>,
  conf: Readonly<Record<string, unknown>> = {},
  settings: Readonly<Record<string, unknown>> = {},
): Promise<Machines> {
  return openMachinesAt(await startRedis(t), t, respond, conf, settings);
}

/** The same, before a server that is there already. */
export async function openMachinesAt(
  redis: RedisServer,
  t: Test,
  respond: (request: RecordedRequest) => Answer | Promise<Answer>,
  conf: Readonly<Record<string, unknown>> = {},
  settings: Readonly<Record<string, unknown>> = {},
): Promise<Machines> {
  const cache = { memory: '16MB', redis: { url: redis.url, timeout: '500ms', ...settings } };
  const hearing = await listenIn(redis);
  const here = await openProxy(t, { token: TOKEN, conf: { cache, ...conf } });
  here.origin.respond(respond);
  const there = await openProxy(t, { token: TOKEN, conf: { cache, ...conf }, url: here.origin.url });
  const all = [here, there];
  await eventually(() => all.every(({ notices }) => notices.includes('shared-up')), 'both are connected');
  return { redis, hearing, here, there, all };
}

/** Waits until a machine has heard so many messages, as a Hearing counts them. */
export function heard(house: OpenProxy, count: number): Promise<void> {
  return eventually(async () => (await ownMetric(house, 'patina_shared_messages_total')) >= count, 'it is heard');
}

export async function ownMetric(house: OpenProxy, name: string): Promise<number> {
  return metric(await house.metrics(), name) ?? 0;
}
