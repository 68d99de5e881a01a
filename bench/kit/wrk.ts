/** wrk as the driver: its script is made for each run, in a folder of the run. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { type LoadOrder, type LoadResult, lastObject, outputOf } from './load-order.js';
import { LOAD_CORE } from './machine.js';
import type { Scope } from './scope.js';
import { NEW_PATH, type Traffic } from './traffic.js';

/** Prints what wrk knows as one line of JSON; wrk counts in microseconds. */
const REPORT = `done = function(summary, latency, requests)
  local e = summary.errors
  io.write(string.format('\\n{"count":%d,"us":%d,"bytes":%d,"p50":%d,"p99":%d,"max":%d,"bad":%d}\\n', summary.requests, summary.duration,
    summary.bytes, latency:percentile(50), latency:percentile(99), latency.max, e.connect + e.read + e.write + e.status + e.timeout))
end
`;

/** A string of Lua. */
function quoted(text: string): string {
  return JSON.stringify(text);
}

/** The requests of this traffic, as Lua. `fresh` begins every URL that is new. */
function requestsOf(traffic: Traffic, port: number, fresh: string, folder: string, startAt: number): string {
  const tail = quoted(` HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n\r\n`);
  if (traffic.kind === 'one') {
    const fields = Object.entries(traffic.headers ?? {});
    return fields.map(([name, value]) => `wrk.headers[${quoted(name)}] = ${quoted(value)}\n`).join('');
  }
  const newOne = `n = n + 1 return ${quoted(`GET ${fresh}`)} .. n .. ${tail}`;
  if (traffic.kind === 'distinct') return `local n = 0\nrequest = function() ${newOne} end\n`;
  const file = join(folder, 'paths.txt');
  writeFileSync(file, `${traffic.paths.join('\n')}\n`);
  // Requests are made beforehand: equal ones are one string in Lua.
  return `local n, at, drawn = 0, ${startAt % traffic.paths.length}, {}
for path in io.lines(${quoted(file)}) do
  drawn[#drawn + 1] = path == ${quoted(NEW_PATH)} and path or "GET " .. path .. ${tail}
end
request = function()
  at = at % #drawn + 1
  local found = drawn[at]
  if found ~= ${quoted(NEW_PATH)} then return found end
  ${newOne}
end
`;
}

export async function runWrk(scope: Scope, program: string, order: LoadOrder, fresh: string): Promise<LoadResult> {
  const { port, traffic, connections, seconds } = order;
  const folder = scope.folder('wrk');
  const script = join(folder, 'load.lua');
  // Each run enters the drawn paths elsewhere; 7919 is prime.
  const startAt = order.run * 7919;
  writeFileSync(script, requestsOf(traffic, port, fresh, folder, startAt) + REPORT);
  const url = `http://127.0.0.1:${port}${traffic.kind === 'one' ? traffic.path : '/'}`;
  // wrk knows whole seconds alone; SIGINT ends it earlier, with its report.
  const isWhole = Number.isInteger(seconds);
  const atMost = isWhole ? seconds : Math.ceil(seconds) + 1;
  const args = ['-t1', `-c${connections}`, `-d${atMost}s`, '--timeout', '30s', '-s', script, url];
  const running = scope.start({ name: 'wrk', command: program, args, core: LOAD_CORE });
  if (!isWhole) {
    await Promise.race([pause(seconds * 1000), running.ended()]);
    running.signal('SIGINT');
  }
  const result = lastObject(await outputOf(running));
  const value = (name: string) => Number(result[name]);
  return {
    tool: 'wrk',
    perSec: (value('count') / value('us')) * 1e6,
    count: value('count'),
    bytesEach: value('bytes') / value('count'),
    p50Ms: value('p50') / 1000,
    p99Ms: value('p99') / 1000,
    maxMs: value('max') / 1000,
    badCount: value('bad'),
  };
}
