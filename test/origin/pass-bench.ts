/** A bare server in front of the tunnel, a scripted origin behind it, a FakeClock beside it. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { OriginError } from '../../lib/base/errors.js';
import { Fields } from '../../lib/http/fields.js';
import {
  createTunnel,
  type PassEnd,
  type Tunnel,
  type TunnelOptions,
  type TunnelPlan,
} from '../../lib/origin/tunnel.js';
import { FakeClock } from '../kit/clock.js';
import { connectRaw, type RawClient } from '../kit/raw-client.js';
import { type ScriptedOrigin, type ScriptedOriginOptions, startScriptedOrigin } from '../kit/scripted-origin.js';
import { TIMES } from './exchange.js';

const HOP_BY_HOP = new Set(['connection', 'keep-alive', 'transfer-encoding', 'upgrade', 'te', 'trailer']);

export interface PassBench {
  readonly origin: ScriptedOrigin;
  readonly tunnel: Tunnel;
  readonly clock: FakeClock;
  readonly port: number;
  /** The end of each pass, in order. */
  readonly ends: PassEnd[];
  readonly errors: OriginError[];
  /** Resolves once `count` passes are over. */
  over(count: number): Promise<void>;
  client(): Promise<RawClient>;
}

/** What the engine does, in small: the fields without those of the hop, and one of its own. */
export function planFor(req: IncomingMessage, errors: OriginError[]): TunnelPlan {
  const clean = (fields: Fields): Fields => fields.filter((name) => !HOP_BY_HOP.has(name)).append('Via', '1.1 test');
  return {
    requestFields: clean(new Fields(req.rawHeaders)),
    respond: (_status, _reason, fields) => ({ fields: clean(fields) }),
    upgraded: (fields) => ({ fields: clean(fields) }),
    failed: (error) => {
      errors.push(error);
      const bytes = Buffer.from(`${error.code}\n`);
      return {
        status: error.status,
        reasonPhrase: 'Failed',
        fields: Fields.of({ 'X-Code': error.code }),
        payload: { kind: 'bytes', chunks: [bytes], length: bytes.length },
        close: true,
      };
    },
  };
}

async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

export async function passBench(
  t: { teardown(run: () => Promise<void>): void },
  options: Partial<TunnelOptions> = {},
  origins: ScriptedOriginOptions = {},
): Promise<PassBench> {
  const origin = await startScriptedOrigin(origins);
  const clock = new FakeClock();
  const tunnel = createTunnel({ url: origin.url, connections: 4, ...TIMES, ...options, clock });
  const ends: PassEnd[] = [];
  const errors: OriginError[] = [];
  let waiting: { count: number; resolve: () => void }[] = [];
  const done = (end: PassEnd): void => {
    ends.push(end);
    for (const one of waiting.filter((each) => each.count <= ends.length)) one.resolve();
    waiting = waiting.filter((each) => each.count > ends.length);
  };
  const web = (req: IncomingMessage, res: ServerResponse): void => tunnel.web(req, res, planFor(req, errors), done);
  const server = createServer({ requestTimeout: 0, headersTimeout: 0 }, web);
  server.on('checkContinue', web);
  server.on('upgrade', (req, socket, head) => tunnel.upgrade(req, socket as Socket, head, planFor(req, errors), done));
  const port = await listen(server);
  const clients: RawClient[] = [];
  t.teardown(async () => {
    for (const client of clients) client.close();
    await tunnel.close();
    await origin.close();
    server.closeAllConnections();
    await new Promise<void>((resolve) => server.close(() => resolve()));
  });
  return {
    origin,
    tunnel,
    clock,
    port,
    ends,
    errors,
    over: (count) =>
      ends.length >= count ? Promise.resolve() : new Promise((resolve) => waiting.push({ count, resolve })),
    client: async () => {
      const client = await connectRaw(port);
      clients.push(client);
      return client;
    },
  };
}
