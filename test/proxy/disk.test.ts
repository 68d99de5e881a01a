// Goal: issue 5, what is on disk survives a restart with all that it is. Method: whole proxies one after another on one directory.
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { FakeClock } from '../kit/clock.js';
import { detailOf, metric, type OpenOptions, type OpenProxy, openProxy } from '../kit/proxy-kit.js';

const START = Date.UTC(2026, 0, 1);

export function makeDirectory(t: Test): string {
  const directory = mkdtempSync(join(tmpdir(), 'patina-disk-'));
  t.teardown(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

async function restarted(t: Test, house: OpenProxy, clock: FakeClock, options: OpenOptions): Promise<OpenProxy> {
  await house.proxy.close();
  return openProxy(t, { ...options, clock, url: house.origin.url });
}

t.test('issue 5: after a restart a response is served from disk with its age, phase and validators', async (t) => {
  const path = join(makeDirectory(t), 'var');
  const options: OpenOptions = {
    conf: {
      cache: { disk: { path, size: '64MB' } },
      defaults: { grace: '1h', keep: '1d', tags_from: 'Surrogate-Key' },
    },
  };
  const clock = new FakeClock(START);
  const first = await openProxy(t, { ...options, clock });
  first.origin.respond((request) => ({
    fields: ['Cache-Control', 'max-age=60', 'ETag', '"one"', 'Vary', 'Accept-Language', 'Surrogate-Key', 'news'],
    body: `hello ${request.field('accept-language')}`,
  }));
  t.equal((await first.get('/a', 'Accept-Language: de')).field('cdn-cache'), 'MISS');
  await first.get('/a', 'Accept-Language: en');
  clock.advance(40_000);
  const second = await restarted(t, first, clock, options);
  clock.advance(5_000);
  const fresh = await second.get('/a', 'Accept-Language: de');
  t.equal(fresh.body.toString(), 'hello de');
  t.equal(fresh.field('age'), '45', 'the time of the restart counts');
  t.equal(detailOf(fresh), 'fresh');
  const english = await second.get('/a', 'Accept-Language: en', 'If-None-Match: "one"');
  t.equal(english.status, 304);
  t.equal(metric(await second.metrics(), 'patina_disk_hits_total'), 2);
  clock.advance(30_000);
  const stale = await second.get('/a', 'Accept-Language: en');
  t.equal(stale.field('cdn-cache'), 'UPDATING', 'in grace');
  t.equal(statSync(path).mode & 0o777, 0o700);
  t.equal(statSync(join(path, 'v1', 'data.mdb')).mode & 0o777, 0o600);
});
