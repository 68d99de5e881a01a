/**
 * The whole proxy, as createProxy makes it, in front of a scripted origin: real sockets on free ports, the access log
 * off, and what it tells its listeners kept for the test.
 *
 *   const house = await openProxy(t, { conf: { defaults: { ttl: '10s' } } });   // conf: as in the conf file
 *   house.origin.respond(() => ({ body: 'hello' }));
 *   const response = await house.get('/a', 'Range: bytes=0-1');                 // on a connection of its own
 *   t.equal(house.metric(await house.metrics(), 'patina_objects'), 1);
 *
 * With a FakeClock every timer of the proxy is the test's. Everything is closed when the test ends.
 */
import type { Test } from 'tap';
import { readConfig } from '../../lib/config/load.js';
import { withOrigin } from '../../lib/config/schema.js';
import { type CacheStatusMember, parseCacheStatus } from '../../lib/http/structured.js';
import { type AnsweredEvent, type AskedEvent, SILENT } from '../../lib/observe/events.js';
import { createProxy, type Proxy as Running, type Source } from '../../lib/proxy.js';
import { type Arrivals, createArrivals } from './barrier.js';
import type { FakeClock } from './clock.js';
import { HAS_FAST_LANE } from './lane.js';
import { connectRaw, type RawClient, type RawHead, type RawResponse } from './raw-client.js';
import { type ScriptedOrigin, type ScriptedOriginOptions, startScriptedOrigin } from './scripted-origin.js';

export interface OpenOptions {
  /** Settings over those of the kit, in the shape of the conf file. An `origin` here needs no url. */
  readonly conf?: Readonly<Record<string, unknown>>;
  readonly clock?: FakeClock;
  readonly origin?: ScriptedOriginOptions;
  /** Stands in for the scripted origin. */
  readonly url?: URL;
  /** The operators' token, as the environment would have it. */
  readonly token?: string;
  /** Called before the proxy starts, which may ask the origin of itself. */
  readonly prepareOrigin?: (origin: ScriptedOrigin) => void;
  /** What a reload reads: settings as in `conf`. It may throw. */
  readonly next?: () => Readonly<Record<string, unknown>>;
}

export interface OpenProxy {
  readonly proxy: Running;
  readonly origin: ScriptedOrigin;
  readonly port: number;
  readonly adminPort: number;
  readonly answered: AnsweredEvent[];
  readonly answers: Arrivals;
  readonly asked: AskedEvent[];
  readonly asks: Arrivals;
  /** Codes of the notices. */
  readonly notices: string[];
  /** The same with their sentence and particulars, as one line each. */
  readonly said: string[];
  connect(): Promise<RawClient>;
  /** These bytes on a connection of their own; the first response to them, whole. */
  ask(bytes: string | Buffer, method?: string): Promise<RawResponse>;
  /** A GET with these field lines beside Host. */
  get(target: string, ...lines: string[]): Promise<RawResponse>;
  /** The same of the admin listener. */
  admin(target: string): Promise<RawResponse>;
  metrics(): Promise<string>;
  /** An operation on the admin listener: with TOKEN, or these lines in its place; a map is sent as JSON. */
  operate(
    method: string,
    target: string,
    body?: string | Readonly<Record<string, unknown>>,
    auth?: readonly string[],
    fields?: readonly string[],
  ): Promise<RawResponse>;
}

/** A token as operators have one. */
export const TOKEN = 'test-0123456789abcdef';

/** The head of an operator's request. `auth`: lines in place of the one with TOKEN. */
export function operatorRequest(
  method: string,
  target: string,
  auth: readonly string[] = [`Authorization: Bearer ${TOKEN}`],
  ...lines: string[]
): string {
  return [`${method} ${target} HTTP/1.1`, 'Host: localhost', ...auth, ...lines, '', ''].join('\r\n');
}

/** The host that the requests of the kit name. */
export const HOST = 'a.example';

/** A request head with these lines beside Host. */
export function request(method: string, target: string, ...lines: string[]): string {
  return [`${method} ${target} HTTP/1.1`, `Host: ${HOST}`, ...lines, '', ''].join('\r\n');
}

/** Our own member of a reply's Cache-Status, which is the last; throws where the field is not valid (RFC 9211 §2). */
export function cacheStatus(response: RawHead): CacheStatusMember {
  const members = parseCacheStatus([response.field('cache-status') ?? '']);
  const own = members?.at(-1);
  if (own?.cache !== 'patina') throw new Error(`Cache-Status: ${response.field('cache-status')}`);
  return own;
}

/** The reason code of a reply. */
export function detailOf(response: RawHead): string {
  return String(cacheStatus(response).parameters.get('detail'));
}

/** The sum of the samples of a metric whose labels contain each of `labels`, such as `outcome="HIT"`. */
export function metric(exposition: string, name: string, ...labels: string[]): number {
  let sum = 0;
  for (const line of exposition.split('\n')) {
    const match = /^([a-z_]+)(?:\{(.*)\})? (\S+)$/.exec(line);
    if (match?.[1] === name && labels.every((label) => match[2]?.includes(label))) sum += Number(match[3]);
  }
  return sum;
}

function portOf(address: string): number {
  return Number(address.slice(address.lastIndexOf(':') + 1));
}

/** Waits until `holds`, while the event loop turns; the runner's own timeout ends it where that never comes. */
export async function settled(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise<void>((resolve) => setImmediate(resolve));
}

export async function openProxy(t: Test, options: OpenOptions = {}): Promise<OpenProxy> {
  const origin = await startScriptedOrigin(options.origin);
  options.prepareOrigin?.(origin);
  const url = options.url ?? origin.url;
  const sourceOf = ({ origin: reach, ...more }: Readonly<Record<string, unknown>> = {}): Source => {
    const written = {
      listen: '127.0.0.1:0',
      admin: '127.0.0.1:0',
      log: { access: 'off' },
      debug_header: 'CDN-Cache',
      fast_lane: HAS_FAST_LANE ? 'on' : 'off',
      ...more,
      origin: { url: url.href, ...(reach as object | undefined) },
    };
    const settings = readConfig(written);
    return { config: withOrigin(settings, settings.origin.url ?? url), written };
  };
  const first = sourceOf(options.conf);
  const answered: AnsweredEvent[] = [];
  const asked: AskedEvent[] = [];
  const notices: string[] = [];
  const said: string[] = [];
  const answers = createArrivals();
  const asks = createArrivals();
  const proxy = createProxy(first.config, {
    clock: options.clock,
    written: first.written,
    adminToken: options.token,
    ...(options.next === undefined ? {} : { read: () => sourceOf(options.next?.()) }),
    logDestination: { write: (_bytes, done) => done() },
    events: [
      {
        ...SILENT,
        answered(event) {
          answered.push(event);
          answers.arrive();
        },
        asked(event) {
          asked.push(event);
          asks.arrive();
        },
        notice(_level, code, sentence, particulars) {
          notices.push(code);
          said.push(`${code}: ${sentence} ${JSON.stringify(particulars ?? {})}`);
        },
      },
    ],
  });
  const { listen, admin = '' } = await proxy.start();
  const clients = new Set<RawClient>();
  t.teardown(async () => {
    for (const client of clients) client.close();
    // First, so that no exchange is left for the proxy to wait on.
    await origin.close();
    await proxy.close();
  });
  const [port, adminPort] = [portOf(listen), portOf(admin)];
  const connect = async (to = port): Promise<RawClient> => {
    const client = await connectRaw(to);
    clients.add(client);
    return client;
  };
  const ask = async (bytes: string | Buffer, method = 'GET', to = port): Promise<RawResponse> => {
    const client = await connect(to);
    try {
      return await client.send(bytes).response(method);
    } finally {
      client.close();
      clients.delete(client);
    }
  };
  const adminGet = (target: string) => ask(`GET ${target} HTTP/1.1\r\nHost: localhost\r\n\r\n`, 'GET', adminPort);
  return {
    proxy,
    origin,
    port,
    adminPort,
    answered,
    answers,
    asked,
    asks,
    notices,
    said,
    connect: () => connect(),
    ask: (bytes, method) => ask(bytes, method),
    get: (target, ...lines) => ask(request('GET', target, ...lines)),
    admin: adminGet,
    operate: (method, target, body = {}, auth = undefined, fields = ['Content-Type: application/json']) => {
      const text = typeof body === 'string' ? body : JSON.stringify(body);
      const head = operatorRequest(method, target, auth, ...fields, `Content-Length: ${Buffer.byteLength(text)}`);
      return ask(`${head}${text}`, method, adminPort);
    },
    metrics: async () => (await adminGet('/metrics')).body.toString(),
  };
}
