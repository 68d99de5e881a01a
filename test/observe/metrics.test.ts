/** Goal: what is counted is true, bounded and cheap to count. Method: events in, the text that Prometheus scrapes out. */
import fc from 'fast-check';
import t from 'tap';
import { hashOf } from '../../lib/base/hash.js';
import { MAX_NOTICE_LABELS, MAX_RULE_LABELS, TIMED_KEYS } from '../../lib/base/limits.js';
import { createMetrics, type GaugeReadings, type Metrics } from '../../lib/observe/metrics.js';
import { REASON_CODES } from '../../lib/observe/reasons.js';
import { FakeClock } from '../kit/clock.js';
import { answered, asked } from './events.kit.js';

const READINGS: GaugeReadings = {
  objects: 3,
  bytes: 4096,
  reservedBytes: 128,
  heldBytes: 64,
  budgetBytes: 1_000_000,
  fills: 2,
  waiters: 7,
  clientConnections: 11,
  fastConnections: 10,
  originConnected: 5,
  originRunning: 4,
  originQueued: 1,
};

function make(clock = new FakeClock()): Metrics {
  return createMetrics({ clock, gauges: () => READINGS, version: '1.2.3' });
}

/** All samples of a scrape by their name and labels, labels in the order of their names. */
async function scrape(metrics: Metrics): Promise<Map<string, number>> {
  const samples = new Map<string, number>();
  for (const line of (await metrics.render()).body.split('\n')) {
    const match = /^([a-z_]+)(?:\{(.*)\})? (\S+)$/.exec(line);
    if (match === null) continue;
    const labels = [...(match[2] ?? '').matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map((pair) => `${pair[1]}=${pair[2]}`);
    samples.set([match[1], ...labels.sort()].join(' '), Number(match[3]));
  }
  return samples;
}

function total(samples: Map<string, number>, name: string): number {
  let sum = 0;
  for (const [key, value] of samples) if (key.split(' ')[0] === name) sum += value;
  return sum;
}

t.test('counters: a request is counted by outcome, reason code and class of its status', async (t) => {
  const metrics = make();
  metrics.events.answered(answered());
  metrics.events.answered(answered());
  metrics.events.answered(answered({ outcome: 'STALE', reason: 'stale-origin-refused', status: 404 }));
  const samples = await scrape(metrics);
  t.equal(samples.get('patina_requests_total outcome=HIT reason=fresh status=2xx'), 2);
  t.equal(samples.get('patina_requests_total outcome=STALE reason=stale-origin-refused status=4xx'), 1);
  t.equal(samples.get('patina_requests_by_method_total method=GET'), 3);
  t.equal(samples.get('patina_requests_by_rule_total outcome=HIT rule=defaults'), 2);
  t.equal(samples.get('patina_response_body_bytes_total outcome=HIT'), 2048);
});

t.test('counters: collapsed and aborted requests are counted beside their outcome', async (t) => {
  const metrics = make();
  metrics.events.answered(answered({ outcome: 'MISS', reason: 'uri-miss', collapsed: true }));
  metrics.events.answered(answered({ outcome: 'MISS', reason: 'uri-miss', ending: 'aborted' }));
  const samples = await scrape(metrics);
  t.equal(samples.get('patina_requests_collapsed_total outcome=MISS'), 1);
  t.equal(samples.get('patina_requests_aborted_total outcome=MISS'), 1);
  t.equal(samples.get('patina_requests_aborted_total outcome=HIT'), 0, 'a counter is there before its first event');
});

t.test('cardinality: what a client chooses never becomes a label', async (t) => {
  const metrics = make();
  for (let i = 0; i < 500; i++) {
    metrics.events.answered(
      answered({ method: `M${i}`, target: `/secret-${i}`, host: `h${i}.example`, reason: `r${i}`, status: 600 + i }),
    );
    metrics.events.asked(asked({ key: `http://h/secret-${i}`, reason: `r${i}` }));
  }
  const { body } = await metrics.render();
  t.notMatch(body, /secret|h1\.example|M1"/);
  const samples = await scrape(metrics);
  t.equal(samples.get('patina_requests_total outcome=HIT reason=other status=other'), 500);
  t.equal(samples.get('patina_requests_by_method_total method=other'), 500);
});

t.test('cardinality: rules and notice codes beyond their limit are counted together as other', async (t) => {
  const metrics = make();
  for (let i = 0; i < MAX_RULE_LABELS + 10; i++) metrics.events.answered(answered({ rule: `rule-${i}` }));
  for (let i = 0; i < MAX_NOTICE_LABELS + 10; i++) metrics.events.notice('warn', `code-${i}`, 'text');
  const samples = await scrape(metrics);
  t.equal(samples.get('patina_requests_by_rule_total outcome=HIT rule=rule-0'), 1);
  t.equal(samples.get(`patina_requests_by_rule_total outcome=HIT rule=rule-${MAX_RULE_LABELS - 1}`), 1);
  t.equal(samples.get('patina_requests_by_rule_total outcome=HIT rule=other'), 10);
  t.equal(samples.get('patina_notices_total code=other level=warn'), 10);
});

t.test('labels: a rule name with quotes, backslashes and newlines stays one label of one line', async (t) => {
  const metrics = make();
  metrics.events.answered(answered({ rule: 'a"b\\c\nd' }));
  const { body } = await metrics.render();
  t.ok(body.includes('rule="a\\"b\\\\c\\nd"'));
});

t.test('histograms: buckets are cumulative, end in +Inf, and agree with count and sum', async (t) => {
  const metrics = make();
  for (const durationMs of [0.05, 0.1, 0.2, 3, 700, 1e6]) metrics.events.answered(answered({ durationMs }));
  const samples = await scrape(metrics);
  const bucket = (le: string) => samples.get(`patina_request_duration_seconds_bucket le=${le} outcome=HIT`);
  t.equal(bucket('0.0001'), 2, 'a bound belongs to its own bucket');
  t.equal(bucket('0.00025'), 3);
  t.equal(bucket('0.005'), 4);
  t.equal(bucket('1'), 5);
  t.equal(bucket('60'), 5);
  t.equal(bucket('+Inf'), 6);
  t.equal(samples.get('patina_request_duration_seconds_count outcome=HIT'), 6);
  t.ok(Math.abs((samples.get('patina_request_duration_seconds_sum outcome=HIT') ?? 0) - 1000.70335) < 1e-6);
});

t.test('histograms: a value that is not a number, or below zero, counts as zero and spoils no sum', async (t) => {
  const metrics = make();
  metrics.events.answered(answered({ durationMs: Number.NaN }));
  metrics.events.answered(answered({ durationMs: -5 }));
  const samples = await scrape(metrics);
  t.equal(samples.get('patina_request_duration_seconds_sum outcome=HIT'), 0);
  t.equal(samples.get('patina_request_duration_seconds_count outcome=HIT'), 2);
});

t.test(
  'PEERS "how old the served copy really was": age is a histogram by outcome, of stored responses alone',
  async (t) => {
    const metrics = make();
    metrics.events.answered(answered({ ageSec: 0 }));
    metrics.events.answered(answered({ ageSec: 45 }));
    metrics.events.answered(answered({ outcome: 'STALE', reason: 'stale-while-revalidate', ageSec: 7000 }));
    metrics.events.answered(answered({ outcome: 'MISS', reason: 'uri-miss', ageSec: undefined }));
    const samples = await scrape(metrics);
    t.equal(samples.get('patina_served_age_seconds_bucket le=0 outcome=HIT'), 1);
    t.equal(samples.get('patina_served_age_seconds_bucket le=60 outcome=HIT'), 2);
    t.equal(samples.get('patina_served_age_seconds_bucket le=14400 outcome=STALE'), 1);
    t.equal(samples.get('patina_served_age_seconds_count outcome=MISS'), undefined);
  },
);

t.test('property: every bucket row of a histogram rises, and its last is its count', async (t) => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.double({ noNaN: true }), { maxLength: 40 }), async (durations) => {
      const metrics = make();
      for (const durationMs of durations) metrics.events.asked(asked({ durationMs }));
      const samples = await scrape(metrics);
      const rows = [...samples].filter(([key]) => key.startsWith('patina_origin_exchange_duration_seconds_bucket'));
      const values = rows.map(([, value]) => value);
      const rises = values.every((value, at) => at === 0 || value >= (values[at - 1] ?? 0));
      return rises && (values.at(-1) ?? 0) === durations.length;
    }),
    { numRuns: 30 },
  );
  t.pass('holds');
});

t.test('scar 13: 304s are counted with the bytes, transfers and origin time that they saved', async (t) => {
  const metrics = make();
  metrics.events.asked(
    asked({ askedFor: 'fill', end: 'stored', status: 200, durationMs: 305, bodyBytes: 12_288, savedBytes: 0 }),
  );
  metrics.events.asked(asked());
  metrics.events.asked(asked());
  const samples = await scrape(metrics);
  t.equal(samples.get('patina_saved_body_bytes_total'), 24_576);
  t.equal(samples.get('patina_saved_transfers_total'), 2);
  t.equal(samples.get('patina_saved_origin_seconds_total'), 0.6);
  t.equal(samples.get('patina_origin_body_bytes_total'), 12_288);
  t.equal(samples.get('patina_origin_exchanges_total asked_for=refresh end=not-modified reason=revalidated'), 2);
  t.equal(samples.get('patina_origin_responses_total status=3xx'), 2);
  t.equal(samples.get('patina_origin_exchanges_by_ground_total ground=background'), 3);
});

t.test('saved origin time claims nothing that was not seen', async (t) => {
  const metrics = make();
  metrics.events.asked(asked({ key: 'http://never.fetched/' }));
  metrics.events.asked(asked({ end: 'stored', status: 200, durationMs: 3, key: 'http://quick/' }));
  metrics.events.asked(asked({ key: 'http://quick/', durationMs: 50 }));
  t.equal(
    (await scrape(metrics)).get('patina_saved_origin_seconds_total'),
    0,
    'unknown, or a 304 slower than the fetch',
  );
});

t.test('saved origin time remembers a bounded number of keys', async (t) => {
  const metrics = make();
  const fetched = (key: string) => asked({ end: 'stored', status: 200, durationMs: 1005, key });
  metrics.events.asked(fetched('k0'));
  const place = hashOf('k0') % TIMED_KEYS;
  let rival = 1;
  while (hashOf(`k${rival}`) % TIMED_KEYS !== place) rival++;
  metrics.events.asked(fetched(`k${rival}`));
  metrics.events.asked(asked({ key: 'k0' }));
  t.equal((await scrape(metrics)).get('patina_saved_origin_seconds_total'), 0, 'the newer has its place');
  metrics.events.asked(asked({ key: `k${rival}` }));
  t.equal((await scrape(metrics)).get('patina_saved_origin_seconds_total'), 1);
});

t.test('an exchange without an answer has no status and is counted by its failure', async (t) => {
  const metrics = make();
  metrics.events.asked(
    asked({ askedFor: 'fill', end: 'failed', status: undefined, reason: 'origin-refused', background: false }),
  );
  const samples = await scrape(metrics);
  t.equal(samples.get('patina_origin_exchanges_total asked_for=fill end=failed reason=origin-refused'), 1);
  t.equal(total(samples, 'patina_origin_responses_total'), 0);
});

t.test('the breaker shows one state at a time, its transitions, and the time it was not closed', async (t) => {
  const clock = new FakeClock();
  const metrics = make(clock);
  metrics.events.breaker('open', 'origin-refused');
  clock.advance(4000);
  metrics.events.breaker('half-open', '');
  clock.advance(1000);
  let samples = await scrape(metrics);
  t.equal(samples.get('patina_breaker_state state=half-open'), 1);
  t.equal(total(samples, 'patina_breaker_state'), 1);
  t.equal(samples.get('patina_breaker_unclosed_seconds_total'), 5);
  metrics.events.breaker('closed', '');
  clock.advance(60_000);
  samples = await scrape(metrics);
  t.equal(samples.get('patina_breaker_state state=closed'), 1);
  t.equal(samples.get('patina_breaker_transitions_total to=open'), 1);
  t.equal(samples.get('patina_breaker_unclosed_seconds_total'), 5);
});

t.test('removals are counted by reason with their bytes', async (t) => {
  const metrics = make();
  metrics.events.removed('evicted', 1000);
  metrics.events.removed('evicted', 500);
  const samples = await scrape(metrics);
  t.equal(samples.get('patina_removals_total reason=evicted'), 2);
  t.equal(samples.get('patina_removed_bytes_total reason=evicted'), 1500);
  t.equal(samples.get('patina_removals_total reason=purged'), 0);
});

t.test('gauges are read at the scrape, once for all of them', async (t) => {
  let reads = 0;
  const metrics = createMetrics({
    clock: new FakeClock(),
    gauges: () => {
      reads++;
      return { ...READINGS, markers: 9, logLinesDropped: 2 };
    },
  });
  t.equal(reads, 0, 'not before: the parts may not be there yet');
  const samples = await scrape(metrics);
  t.equal(reads, 1);
  for (const [name, value] of Object.entries({
    patina_objects: 3,
    patina_stored_bytes: 4096,
    patina_reserved_bytes: 128,
    patina_held_bytes: 64,
    patina_budget_bytes: 1_000_000,
    patina_fills_in_flight: 2,
    patina_waiters: 7,
    patina_client_connections: 11,
    patina_origin_connections: 5,
    patina_origin_requests_running: 4,
    patina_origin_requests_queued: 1,
    patina_uncacheable_markers: 9,
    patina_log_lines_dropped_total: 2,
  }))
    t.equal(samples.get(name), value, name);
});

t.test('a gauge that fails makes the scrape fail, not the process', async (t) => {
  const metrics = createMetrics({
    clock: new FakeClock(),
    gauges: () => {
      throw new Error('closed');
    },
  });
  await t.rejects(metrics.render(), { message: 'closed' });
});

t.test('the process shows itself: build, CPU, memory, event loop lag, garbage collection', async (t) => {
  const { body, contentType } = await make().render();
  t.match(contentType, /^text\/plain; version=0\.0\.4/);
  t.ok(body.includes('patina_build_info{version="1.2.3"'));
  for (const name of ['process_resident_memory_bytes', 'process_cpu_seconds_total', 'nodejs_eventloop_lag_seconds'])
    t.match(body, new RegExp(`^${name}`, 'm'));
  t.match(body, /nodejs_gc_duration_seconds/);
});

t.test('exposition: every family has help and type, and no series appears twice', async (t) => {
  const metrics = make();
  for (const reason of REASON_CODES) metrics.events.answered(answered({ reason }));
  const { body } = await metrics.render();
  const names = [...body.matchAll(/^# TYPE (patina_\w+) (counter|gauge|histogram)$/gm)].map((match) => match[1] ?? '');
  t.ok(names.length > 25);
  t.equal(new Set(names).size, names.length);
  for (const name of names) t.match(body, new RegExp(`^# HELP ${name} \\S`, 'm'));
  const series = body
    .split('\n')
    .filter((line) => line.startsWith('patina_'))
    .map((line) => line.replace(/ \S+$/, ''));
  t.equal(new Set(series).size, series.length);
  t.notMatch(body, /patina_requests_total\{.*reason="other"/, 'every code of the table is counted under its own name');
});

t.test('two sets of metrics in one process do not meet', async (t) => {
  const one = make();
  const two = make();
  one.events.answered(answered());
  t.equal(total(await scrape(one), 'patina_requests_total'), 1);
  t.equal(total(await scrape(two), 'patina_requests_total'), 0);
});
