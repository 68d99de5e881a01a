/** Run by deprecation.test.ts: one request and one upgrade through the pass lane; prints their statuses. */
import { createServer } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { systemClock } from '../../lib/base/clock.js';
import { createTunnel } from '../../lib/origin/tunnel.js';
import { connectRaw } from '../kit/raw-client.js';
import { send, startScriptedOrigin } from '../kit/scripted-origin.js';
import { TIMES } from './exchange.js';
import { planFor } from './pass-bench.js';

const origin = await startScriptedOrigin();
origin.script(send('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'));
origin.script(send('HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n'));
const tunnel = createTunnel({ url: origin.url, clock: systemClock(), connections: 1, ...TIMES });
const server = createServer((req, res) => tunnel.web(req, res, planFor(req, []), () => {}));
server.on('upgrade', (req, socket, head) => tunnel.upgrade(req, socket as Socket, head, planFor(req, []), () => {}));
await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
const client = await connectRaw((server.address() as AddressInfo).port);
client.send('DELETE / HTTP/1.1\r\nHost: a\r\n\r\n');
const passed = await client.response();
client.send('GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
const upgraded = await client.head();
process.stdout.write(`${passed.status} ${upgraded.status}\n`);
client.close();
await tunnel.close();
await origin.close();
server.close();
