/** The built-in demo origin: the pages of the slow "CMS" on a port of its own, on loopback. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Clock } from '../base/clock.js';
import { Fields } from '../http/fields.js';
import { answer } from './pages.js';

const LOOPBACK = '127.0.0.1';

export interface DemoOrigin {
  readonly url: URL;
  close(): Promise<void>;
}

/** Starts it on a free port. */
export async function startDemoOrigin({ clock }: { readonly clock: Clock }): Promise<DemoOrigin> {
  const edits = new Map<string, number>();
  const server = createServer((request, response) => respond(request, response, clock, edits));
  server.listen(0, LOOPBACK);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return { url: new URL(`http://${LOOPBACK}:${port}`), close: () => close(server) };
}

function respond(request: IncomingMessage, response: ServerResponse, clock: Clock, edits: Map<string, number>): void {
  const method = request.method ?? 'GET';
  const path = (request.url ?? '/').split('?', 1)[0] ?? '/';
  request.resume();
  const { status, fields, body, delayMs } = answer(
    { method, path, fields: new Fields(request.rawHeaders) },
    clock.wall(),
    edits,
  );
  // Only pages that exist are edited, so this map has no more entries than there are pages.
  if (method === 'POST' && status === 200) edits.set(path, (edits.get(path) ?? 0) + 1);
  const timer = clock.after(delayMs, () => {
    const length = status === 304 ? [] : ['Content-Length', String(body.length)];
    response.writeHead(status, [...fields.raw, ...length]);
    response.end(method === 'HEAD' || status === 304 ? undefined : body);
  });
  response.on('close', () => timer.cancel());
}

async function close(server: Server): Promise<void> {
  const closed = once(server, 'close');
  server.close();
  server.closeAllConnections();
  await closed;
}
