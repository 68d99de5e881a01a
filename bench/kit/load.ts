/** Load on one URL: wrk where it is installed, autocannon elsewhere and where a fixed rate is asked for. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { findProgram, LOAD_CORE } from './machine.js';
import { checkoutRoot } from './root.js';
import type { Scope } from './scope.js';

export interface LoadOrder {
  readonly url: string;
  readonly connections: number;
  readonly seconds: number;
  /** Requests a second of all connections together; as many as go where undefined. */
  readonly rate?: number;
}

export interface LoadResult {
  readonly tool: 'wrk' | 'autocannon';
  readonly perSec: number;
  readonly count: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
  /** Answers other than 2xx, and connections that failed. */
  readonly badCount: number;
}

/** Prints what wrk knows as one line of JSON; wrk counts in microseconds. */
const WRK_REPORT = `done = function(summary, latency, requests)
  local e = summary.errors
  io.write(string.format('\\n{"count":%d,"us":%d,"p50":%d,"p99":%d,"max":%d,"bad":%d}\\n', summary.requests, summary.duration,
    latency:percentile(50), latency:percentile(99), latency.max, e.connect + e.read + e.write + e.status + e.timeout))
end
`;

export function loadTool(): LoadResult['tool'] {
  return findProgram('wrk') === undefined ? 'autocannon' : 'wrk';
}

async function outputOf(scope: Scope, name: string, command: string, args: readonly string[]): Promise<string> {
  const running = scope.start({ name, command, args, core: LOAD_CORE });
  await running.ended();
  if (running.exitCode !== 0) throw new Error(`${name} ended with ${running.exitCode}\n${running.output}`);
  return running.output;
}

/** The last line that is a JSON object. */
function lastObject(output: string): Record<string, unknown> {
  const line = output
    .trim()
    .split('\n')
    .findLast((one) => one.startsWith('{'));
  if (line === undefined) throw new Error(`no result in the output of the load tool\n${output}`);
  const parsed: unknown = JSON.parse(line);
  return parsed as Record<string, unknown>;
}

async function runWrk(scope: Scope, program: string, order: LoadOrder): Promise<LoadResult> {
  const script = join(scope.folder('wrk'), 'report.lua');
  writeFileSync(script, WRK_REPORT);
  const args = ['-t1', `-c${order.connections}`, `-d${order.seconds}s`, '--timeout', '30s', '-s', script, order.url];
  const result = lastObject(await outputOf(scope, 'wrk', program, args));
  const value = (name: string) => Number(result[name]);
  return {
    tool: 'wrk',
    perSec: (value('count') / value('us')) * 1e6,
    count: value('count'),
    p50Ms: value('p50') / 1000,
    p99Ms: value('p99') / 1000,
    maxMs: value('max') / 1000,
    badCount: value('bad'),
  };
}

async function runAutocannon(scope: Scope, order: LoadOrder): Promise<LoadResult> {
  const program = join(checkoutRoot(), 'node_modules/autocannon/autocannon.js');
  const args = [program, '--json', '--no-progress', '-c', String(order.connections), '-d', String(order.seconds)];
  if (order.rate !== undefined) args.push('-R', String(order.rate));
  const result = lastObject(await outputOf(scope, 'autocannon', process.execPath, [...args, order.url]));
  const latency = result['latency'] as Record<string, number>;
  const requests = result['requests'] as Record<string, number>;
  return {
    tool: 'autocannon',
    perSec: Number(requests['total']) / Number(result['duration']),
    count: Number(requests['total']),
    p50Ms: latency['p50'] ?? Number.NaN,
    p99Ms: latency['p99'] ?? Number.NaN,
    maxMs: latency['max'] ?? Number.NaN,
    badCount: Number(result['non2xx']) + Number(result['errors']),
  };
}

export async function load(scope: Scope, order: LoadOrder): Promise<LoadResult> {
  const wrk = findProgram('wrk');
  return wrk === undefined || order.rate !== undefined ? runAutocannon(scope, order) : runWrk(scope, wrk, order);
}
