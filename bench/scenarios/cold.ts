/** Many clients at once on a key that nothing is stored for: one request goes to the origin, and its bytes to all as they come. */
import { connect } from 'node:net';
import { startOrigin } from '../kit/origin.js';
import { type ProxyName, startProxy } from '../kit/proxies.js';
import { type Bench, type Figure, judged, measureEach, type Scenario } from '../kit/scenario.js';
import { percentile } from '../kit/stats.js';

const CLIENTS = 256;
const FIRST_BYTE_MS = 500;
const BODY_MS = 2_000;
const BODY_BYTES = 200;
const GIVE_UP_MS = 60_000;

interface Arrival {
  /** Of the first byte of the body, after the requests were sent. */
  readonly firstMs: number;
  readonly lastMs: number;
  readonly bytes: number;
}

/** Body bytes of a whole HTTP/1.1 response. */
function bodyLength(response: Buffer): number {
  const headEnd = response.indexOf('\r\n\r\n') + 4;
  if (!/^transfer-encoding: *chunked/im.test(response.toString('latin1', 0, headEnd))) return response.length - headEnd;
  let total = 0;
  for (let at = headEnd; at < response.length; ) {
    const lineEnd = response.indexOf('\r\n', at);
    const size = Number.parseInt(response.toString('latin1', at, lineEnd), 16);
    if (!(size > 0)) break;
    total += size;
    at = lineEnd + 2 + size + 2;
  }
  return total;
}

/** Opens a connection; the returned function sends the request on it. */
function client(port: number): Promise<() => Promise<Arrival>> {
  return new Promise((connected, refused) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('error', refused);
    socket.once('connect', () => connected(() => exchange()));
    const exchange = () =>
      new Promise<Arrival>((resolve, reject) => {
        const sentAt = performance.now();
        const chunks: Buffer[] = [];
        let received = Buffer.alloc(0);
        let firstMs = 0;
        socket.setTimeout(GIVE_UP_MS, () => socket.destroy(new Error('no end of the response')));
        socket.on('data', (chunk: Buffer) => {
          chunks.push(chunk);
          if (firstMs > 0) return;
          received = Buffer.concat([received, chunk]);
          const headEnd = received.indexOf('\r\n\r\n');
          if (headEnd >= 0 && received.length > headEnd + 4) firstMs = performance.now() - sentAt;
        });
        socket.once('error', reject);
        socket.once('end', () => {
          const lastMs = performance.now() - sentAt;
          resolve({ firstMs, lastMs, bytes: bodyLength(Buffer.concat(chunks)) });
        });
        socket.write('GET /cold HTTP/1.1\r\nHost: cold.example\r\nConnection: close\r\n\r\n');
      });
  });
}

async function measure(bench: Bench, subject: ProxyName): Promise<Figure[]> {
  const origin = await startOrigin(bench.scope, {
    fields: { 'Cache-Control': 'max-age=3600', ETag: '"v1"' },
    bodyBytes: BODY_BYTES,
    delayMs: FIRST_BYTE_MS,
    trickleMs: BODY_MS,
  });
  const settings = { originPort: origin.port, ttlSec: 'origin', graceSec: 0, memoryMB: 64 } as const;
  const proxy = await startProxy(bench.scope, subject, settings);
  const send = await Promise.all(Array.from({ length: CLIENTS }, () => client(proxy.port)));
  const arrivals = await Promise.all(send.map((exchange) => exchange()));
  const asked = await origin.take();
  await proxy.running.stop();
  const first = arrivals.map((arrival) => arrival.firstMs);
  const leader = Math.min(...first);
  const behind = first.map((ms) => ms - leader);
  const whole = arrivals.filter((arrival) => arrival.bytes === BODY_BYTES).length;
  return [
    { subject, what: 'origin requests', value: asked.length, unit: '', target: judged(bench, subject, 'exactly', 1) },
    {
      subject,
      what: 'first body byte after the leader, last client',
      value: Math.max(...behind),
      unit: 'ms',
      target: judged(bench, subject, 'at most', 20),
      note: `leader at ${leader.toFixed(0)} ms, p50 ${percentile(behind, 0.5).toFixed(1)} ms behind`,
    },
    {
      subject,
      what: 'clients with the whole body',
      value: whole,
      unit: '',
      target: judged(bench, subject, 'exactly', CLIENTS),
      note: `last byte at ${Math.max(...arrivals.map((one) => one.lastMs)).toFixed(0)} ms`,
    },
  ];
}

export const cold: Scenario = {
  name: 'cold',
  about: `${CLIENTS} clients on a cold key; first byte of the origin after ${FIRST_BYTE_MS} ms, body over ${BODY_MS} ms`,
  hasRivals: true,
  isLong: true,
  run: (bench) => measureEach(bench, (subject) => measure(bench, subject)),
};
