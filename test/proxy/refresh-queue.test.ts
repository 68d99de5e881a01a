// Goal: what the refresh queue does can be seen in /metrics, and a retry goes over the wire (issue 5). Method: the whole proxy with a fake clock in front of a scripted origin.
import t from 'tap';
import { turns } from '../kit/barrier.js';
import { FakeClock } from '../kit/clock.js';
import { metric, openProxy, settled } from '../kit/proxy-kit.js';

t.test('SYSTEMS row 3: depth, age and outcomes of the queue are in /metrics', async (t) => {
  const clock = new FakeClock();
  const house = await openProxy(t, { clock });
  let isFailing = true;
  house.origin.respond(() => {
    return isFailing ? { status: 503 } : { fields: ['Cache-Control', 'max-age=60'], body: 'widget' };
  });
  t.equal((await house.get('/widget')).status, 503);
  await settled(() => house.asked.length === 1);
  clock.advance(400);
  const before = await house.metrics();
  t.equal(metric(before, 'patina_refresh_queue_depth', 'priority="cold"'), 1);
  t.equal(metric(before, 'patina_refresh_queue_depth', 'priority="stale"'), 0);
  t.equal(metric(before, 'patina_refresh_queue_oldest_seconds', 'priority="cold"'), 0.4);
  t.equal(metric(before, 'patina_refresh_queue_running'), 0);
  t.equal(metric(before, 'patina_refresh_queue_strain'), 0);
  clock.advance(600);
  await settled(() => house.asked.length === 2);
  const between = await house.metrics();
  t.equal(metric(between, 'patina_refresh_queue_outcomes_total', 'priority="cold"', 'outcome="retried"'), 1);
  isFailing = false;
  clock.advance(4_000);
  await settled(() => house.asked.length === 3);
  await turns(3);
  const after = await house.metrics();
  t.equal(metric(after, 'patina_refresh_queue_outcomes_total', 'priority="cold"', 'outcome="stored"'), 1);
  t.equal(metric(after, 'patina_refresh_queue_age_seconds_count', 'priority="cold"'), 1);
  t.equal(metric(after, 'patina_refresh_queue_depth'), 0);
  const next = await house.get('/widget');
  t.match([next.field('cdn-cache'), next.body.toString()], ['HIT', 'widget']);
  t.equal(house.origin.requestCount, 3);
});
