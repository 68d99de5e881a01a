/**
 * Imported into the server under test (`node --import`): watches its event loop and its garbage collector from inside,
 * and answers over the channel of the process. It never keeps the server from ending.
 */
import { readFileSync } from 'node:fs';
import { monitorEventLoopDelay, PerformanceObserver } from 'node:perf_hooks';
import type { ProbeMessage, ProbeReport } from './probe.js';

/** The timer that measures delays; what it shows of itself is taken off. */
const RESOLUTION_MS = 1;
/** The one that tells the waits in them apart, which costs some microseconds each time. */
const TICK_MS = 4;

const delays = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
delays.enable();

let gcCount = 0;
let gcTotalMs = 0;
let gcLongestMs = 0;
const observer = new PerformanceObserver((list) => {
  for (const { duration } of list.getEntries()) {
    gcCount++;
    gcTotalMs += duration;
    gcLongestMs = Math.max(gcLongestMs, duration);
  }
});
observer.observe({ entryTypes: ['gc'] });

/** How long the process has waited for a core so far: delays that are not its own. Undefined on systems without /proc. */
function waitedMs(): number | undefined {
  try {
    return Number(readFileSync('/proc/self/schedstat', 'utf8').split(' ')[1]) / 1e6;
  } catch {
    return undefined;
  }
}

let waitedBefore = waitedMs();

/** The same delays with the waits in each taken off: on a machine that has other work those say nothing of this process. */
let ownDelayMaxMs = 0;
let tickAt = performance.now();
let waitedAtTick = waitedBefore;
const ticking = setInterval(() => {
  const now = performance.now();
  const waited = waitedMs();
  if (waited !== undefined && waitedAtTick !== undefined) {
    const ownMs = now - tickAt - TICK_MS - (waited - waitedAtTick);
    ownDelayMaxMs = Math.max(ownDelayMaxMs, ownMs);
  }
  tickAt = performance.now();
  waitedAtTick = waited;
}, TICK_MS);
ticking.unref();

function take(): ProbeReport {
  const waited = waitedMs();
  const report: ProbeReport = {
    delayMaxMs: Math.max(0, delays.max / 1e6 - RESOLUTION_MS),
    delayP999Ms: Math.max(0, delays.percentile(99.9) / 1e6 - RESOLUTION_MS),
    ownDelayMaxMs: waited === undefined ? undefined : ownDelayMaxMs,
    gcCount,
    gcTotalMs,
    gcLongestMs,
    waitedMs: waited === undefined || waitedBefore === undefined ? undefined : waited - waitedBefore,
    memory: process.memoryUsage(),
  };
  waitedBefore = waited;
  delays.reset();
  ownDelayMaxMs = 0;
  gcCount = 0;
  gcTotalMs = 0;
  gcLongestMs = 0;
  return report;
}

process.on('message', (message: ProbeMessage) => {
  if (message === 'take') process.send?.(take());
});
process.channel?.unref();
