/**
 * Imported into the server under test (`node --import`): watches its event loop and its garbage collector from inside,
 * and answers over the channel of the process. It never keeps the server from ending.
 */
import { monitorEventLoopDelay, PerformanceObserver } from 'node:perf_hooks';
import type { ProbeMessage, ProbeReport } from './probe.js';
import { readCoreUse, Waits } from './waits.js';

/** The timer that measures delays; what it shows of itself is taken off. */
const RESOLUTION_MS = 1;
/** The one that tells the waits in them apart, which costs some microseconds each time. */
const TICK_MS = 4;

const delays = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
delays.enable();

let gcCount = 0;
let gcTotalMs = 0;
let gcLongestMs = 0;
let gcLongestOwnMs = 0;
const waits = new Waits();
const observer = new PerformanceObserver((list) => {
  waits.look();
  for (const { startTime, duration } of list.getEntries()) {
    gcCount++;
    gcTotalMs += duration;
    gcLongestMs = Math.max(gcLongestMs, duration);
    gcLongestOwnMs = Math.max(gcLongestOwnMs, waits.ownMs(startTime, duration));
  }
});
observer.observe({ entryTypes: ['gc'] });

let waitedBefore = readCoreUse()?.waitedMs;

/** The same delays less what of each it did not run: on a machine that has other work, or shares its own, that says nothing of this process. */
let ownDelayMaxMs = 0;
let tickAt = waits.look();
const ticking = setInterval(() => {
  const now = waits.look();
  // From when it was due: before that the loop may have had nothing to do.
  ownDelayMaxMs = Math.max(ownDelayMaxMs, waits.ownMs(tickAt + TICK_MS, now - tickAt - TICK_MS));
  tickAt = now;
}, TICK_MS);
ticking.unref();

function take(): ProbeReport {
  const waited = readCoreUse()?.waitedMs;
  const report: ProbeReport = {
    delayMaxMs: Math.max(0, delays.max / 1e6 - RESOLUTION_MS),
    delayP999Ms: Math.max(0, delays.percentile(99.9) / 1e6 - RESOLUTION_MS),
    ownDelayMaxMs: waited === undefined ? undefined : ownDelayMaxMs,
    gcCount,
    gcTotalMs,
    gcLongestMs,
    gcLongestOwnMs: waited === undefined ? undefined : gcLongestOwnMs,
    waitedMs: waited === undefined || waitedBefore === undefined ? undefined : waited - waitedBefore,
    memory: process.memoryUsage(),
  };
  waitedBefore = waited;
  delays.reset();
  ownDelayMaxMs = 0;
  gcCount = 0;
  gcTotalMs = 0;
  gcLongestMs = 0;
  gcLongestOwnMs = 0;
  return report;
}

process.on('message', (message: ProbeMessage) => {
  if (message === 'take') process.send?.(take());
});
process.channel?.unref();
