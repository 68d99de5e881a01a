/** The process of paced.ts: keep-alive connections on raw sockets, one request at a time on each. */
import { connect, type Socket } from 'node:net';
import type { PacedOrder, Sample } from './paced.js';
import { isPage } from './slow-origin.js';

const order = JSON.parse(process.argv[2] ?? '') as PacedOrder;
const targets = order.targets ?? ['/page'];
const HEAD_END = Buffer.from('\r\n\r\n');

let samples: Sample[] = [];
let failed = 0;
let reasons = new Map<string, number>();

function fail(reason: string): void {
  failed++;
  reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
}

class Client {
  readonly #port: number;
  #socket: Socket | undefined;
  #sentAt: number | undefined;
  #received: Buffer[] = [];
  #count = 0;
  #target = '';

  constructor(port: number, offset: number) {
    this.#port = port;
    this.#count = offset;
  }

  async open(): Promise<void> {
    const socket = connect(this.#port, '127.0.0.1');
    socket.setNoDelay(true);
    this.#socket = socket;
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('error', reject);
    });
    socket.on('data', (bytes: Buffer) => this.#data(bytes));
    socket.on('error', (error) => fail(error.message));
    socket.on('close', () => {
      if (this.#sentAt !== undefined) fail('the connection ended');
    });
  }

  send(): void {
    if (this.#sentAt !== undefined) return;
    this.#target = targets[this.#count++ % targets.length] ?? '/';
    this.#sentAt = performance.now();
    this.#socket?.write(`GET ${this.#target} HTTP/1.1\r\nHost: a.example\r\n\r\n`);
  }

  #data(bytes: Buffer): void {
    this.#received.push(bytes);
    const all = this.#received.length === 1 ? bytes : Buffer.concat(this.#received);
    const at = all.indexOf(HEAD_END);
    if (at < 0) return;
    const head = all.toString('latin1', 0, at);
    const length = Number(/\r\ncontent-length: *(\d+)/i.exec(head)?.[1]);
    const body = all.subarray(at + HEAD_END.length);
    if (body.length < length) return;
    if (this.#sentAt !== undefined) {
      const told = /\r\ncache-status: *([^\r]*)/i.exec(head)?.[1] ?? '';
      samples.push({ ms: performance.now() - this.#sentAt, target: this.#target, told });
    }
    this.#sentAt = undefined;
    this.#received = [];
    if (!/^HTTP\/1\.1 200 /.test(head)) fail(head.slice(0, 12));
    else if (body.length !== length || !isPage(body)) fail('a wrong body');
  }
}

const clients = order.ports.flatMap((port) => Array.from({ length: order.perPort }, (_, n) => new Client(port, n)));
await Promise.all(clients.map((client) => client.open()));
process.on('SIGTERM', () => process.exit(0));
process.on('message', () => {
  const told = [...reasons].map(([reason, count]) => `${reason} ${count}`).join(', ');
  process.send?.({ samples, failed, reasons: told });
  [samples, failed, reasons] = [[], 0, new Map()];
});
process.send?.('ready');
// All at once to begin with, then each at its own time.
for (const client of clients) client.send();
for (const [n, client] of clients.entries()) {
  setTimeout(() => setInterval(() => client.send(), order.paceMs), (order.paceMs * n) / clients.length);
}
