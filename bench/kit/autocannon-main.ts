/** autocannon as the driver, in a process of its own: reads the order from a file, prints the result as one line. */
import { readFileSync } from 'node:fs';
import autocannon from 'autocannon';
import type { LoadOrder, LoadResult } from './load-order.js';
import { NEW_PATH } from './traffic.js';

export interface AutocannonOrder extends LoadOrder {
  /** Begins every URL that is new. */
  readonly fresh: string;
}

const order = JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8')) as AutocannonOrder;
const { traffic } = order;

let newCount = 0;
const toNew = (request: autocannon.Request): autocannon.Request => ({
  ...request,
  path: `${order.fresh}${++newCount}`,
});

function requestsOf(): autocannon.Request[] {
  if (traffic.kind === 'one') return [{ path: traffic.path, headers: { ...traffic.headers } }];
  if (traffic.kind === 'distinct') return [{ setupRequest: toNew }];
  return traffic.paths.map((path) => (path === NEW_PATH ? { setupRequest: toNew } : { path }));
}

const requests = requestsOf();
let clientCount = 0;

/** Each connection has its own part of what was drawn: autocannon makes the bytes of all of them beforehand. */
function setupClient(client: autocannon.Client): void {
  if (requests.length < order.connections) return;
  const size = Math.floor(requests.length / order.connections);
  // Each run deals the parts otherwise.
  const part = (clientCount++ + order.run) % order.connections;
  client.setRequests(requests.slice(part * size, (part + 1) * size));
}

const result = await autocannon({
  url: `http://127.0.0.1:${order.port}/`,
  connections: order.connections,
  duration: order.seconds,
  requests: requests.slice(0, 1),
  setupClient,
  ...(order.rate === undefined ? {} : { overallRate: order.rate }),
});
const { total } = result.requests;
const statuses = result.statusCodeStats as Readonly<Record<string, { count?: number }>> | undefined;
const right = statuses?.[String(order.status)]?.count ?? 0;
const report: LoadResult = {
  tool: 'autocannon',
  perSec: total / result.duration,
  count: total,
  bytesEach: result.throughput.total / total,
  p50Ms: result.latency.p50,
  p99Ms: result.latency.p99,
  maxMs: result.latency.max,
  badCount: total - right + result.errors,
};
console.log(`\n${JSON.stringify(report)}`);
