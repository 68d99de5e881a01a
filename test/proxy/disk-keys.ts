/** What each option of the disk tier does, for the test that every option acts. */
import type { Test } from 'tap';
import { makeDirectory } from '../kit/disk.js';
import { metric, openProxy } from '../kit/proxy-kit.js';

const MB = 1024 * 1024;

export const DISK_PROOFS: Readonly<Record<string, (t: Test) => Promise<void>>> = {
  'cache.disk.path': async (t) => {
    const path = makeDirectory(t);
    const conf = { cache: { disk: path } };
    const first = await openProxy(t, { conf });
    first.origin.respond(() => ({ fields: ['Cache-Control', 'max-age=60'], body: 'kept' }));
    t.equal((await first.get('/')).field('cdn-cache'), 'MISS');
    await first.proxy.close();
    const second = await openProxy(t, { conf, url: first.origin.url });
    t.equal((await second.get('/')).field('cdn-cache'), 'HIT');
  },
  'cache.disk.size': async (t) => {
    const disk = { path: makeDirectory(t), size: '16MB' };
    const house = await openProxy(t, { conf: { cache: { memory: '1MB', disk } } });
    house.origin.respond(() => ({ fields: ['Cache-Control', 'max-age=60'], body: Buffer.alloc(400 * 1024) }));
    for (let at = 0; at < 60; at++) {
      await house.get(`/${at}`);
      if (at % 10 === 9) await house.proxy.settled();
    }
    const metrics = await house.metrics();
    t.equal(metric(metrics, 'patina_disk_budget_bytes'), 16 * MB);
    t.ok(metric(metrics, 'patina_disk_used_bytes') <= 16 * MB);
    t.ok(metric(metrics, 'patina_disk_removed_total', 'reason="evicted"') > 0, 'what was used longest ago went');
    t.equal((await house.get('/59')).field('cdn-cache'), 'HIT');
  },
};

/** Values that are no directory. Any text is a path. */
export const DISK_BAD_VALUES: Readonly<Record<string, readonly unknown[]>> = {
  'cache.disk.path': ['', null, { zzz: 1 }, [['!?']]],
};
