/** A 304 on a stored body of 100 MB: rewrites a few fields, and touches no byte of the body. */
import { readUse } from '../kit/machine.js';
import { startOrigin } from '../kit/origin.js';
import { startProxy } from '../kit/proxies.js';
import { fetchOnce, judged, type Scenario, warm } from '../kit/scenario.js';
import { median, spread } from '../kit/stats.js';

const BODY_BYTES = 100 * 1000 * 1000;
const MEGABYTE = 1e6;
/** So that compiling and the first growth of the heap are over. */
const WARM_UP = 2_000;
/** Few, so that a window is shorter than the sawtooth of the garbage collector. */
const IN_ONE_WINDOW = 20;
const WINDOWS = 25;

export const freshen: Scenario = {
  name: 'freshen',
  about: 'a client asks with If-None-Match for a stored response of 100 MB that must be validated on every use',
  hasRivals: false,
  isLong: true,
  async run(bench) {
    const subject = bench.subjects[0] ?? 'patina';
    const etag = '"hundred"';
    const fields = { 'Cache-Control': 'max-age=0, must-revalidate', ETag: etag };
    const origin = await startOrigin(bench.scope, { fields, bodyBytes: BODY_BYTES });
    const settings = { originPort: origin.port, ttlSec: 'origin', graceSec: 0, memoryMB: 512 } as const;
    const proxy = await startProxy(bench.scope, subject, settings);
    const url = `http://127.0.0.1:${proxy.port}/large`;
    await warm(url);
    const exchange = async (count: number) => {
      for (let i = 0; i < count; i++) {
        const status = await fetchOnce(url, { 'If-None-Match': etag });
        if (status !== 304) throw new Error(`the client got ${status}, not 304`);
      }
    };
    await exchange(bench.pick(WARM_UP, WARM_UP / 2));
    await origin.take();
    const workers = proxy.workers();
    const use = () => {
      const uses = workers.map(readUse).filter((one) => one !== undefined);
      return {
        cpuMs: uses.reduce((sum, one) => sum + one.cpuMs, 0),
        rssBytes: uses.reduce((sum, one) => sum + one.rssBytes, 0),
      };
    };
    const cpu: number[] = [];
    const growth: number[] = [];
    for (let window = 0; window < WINDOWS; window++) {
      const before = use();
      await exchange(IN_ONE_WINDOW);
      const after = use();
      cpu.push((after.cpuMs - before.cpuMs) / IN_ONE_WINDOW);
      growth.push((after.rssBytes - before.rssBytes) / MEGABYTE);
    }
    const asked = await origin.take();
    const whole = asked.filter((one) => one.status !== 304).length;
    const each = `median of ${WINDOWS} windows of ${IN_ONE_WINDOW}`;
    return [
      {
        subject,
        what: 'CPU for one 304',
        value: median(cpu),
        unit: 'ms',
        target: judged(bench, subject, 'at most', 2),
        note: `${each}, ${spread(cpu, 2)}`,
      },
      {
        subject,
        what: 'growth of RSS',
        value: median(growth),
        unit: 'MB',
        target: judged(bench, subject, 'at most', 1),
        note: `${each}, ${spread(growth, 2)}`,
      },
      {
        subject,
        what: 'exchanges that moved the body',
        value: whole,
        unit: '',
        target: judged(bench, subject, 'exactly', 0),
        note: `${asked.length} exchanges`,
      },
    ];
  },
};
