/**
 * What it costs to find the rule of a request: 100 rules of all kinds, requests that match early, late and not at all.
 * `node dist/bench/rules.js` prints nanoseconds a lookup, the median of several rounds; issue 4 allows 1,000.
 */
import { performance } from 'node:perf_hooks';
import { readConfig } from '../lib/config/load.js';
import { makeRules, type RuleRequest } from '../lib/config/rules.js';
import { Fields } from '../lib/http/fields.js';

const ROUNDS = 9;
const LOOKUPS = 300_000;

const KINDS: readonly ((n: number) => Readonly<Record<string, unknown>>)[] = [
  (n) => ({ path: `/section${n}/**` }),
  (n) => ({ path: `/section${n}/*/page`, methods: ['GET'] }),
  (n) => ({ path_prefix: `/api/v${n}/`, header: { 'X-Beta': true } }),
  (n) => ({ path: '/files/**', ext: [`x${n}`, `y${n}`] }),
  (n) => ({ path_exact: `/page-${n}` }),
  (n) => ({ path: `/shop/**`, query: { [`p${n}`]: true } }),
  (n) => ({ path: `/app${n}/**`, cookie: { [`c${n}`]: true } }),
  (n) => ({ host: `h${n}.example` }),
  (n) => ({ path: `/media/*${n}.jpg` }),
  (n) => ({ path: [`/a${n}/**`, `/b${n}/**`] }),
];

const rules = makeRules(
  readConfig({
    rules: Array.from({ length: 100 }, (_, n) => ({ name: `r${n}`, match: KINDS[n % KINDS.length]?.(n) ?? {} })),
  }),
);

const fields = Fields.of({ Host: 'www.example', 'User-Agent': 'bench', Accept: '*/*', Cookie: 'a=1; b=2' });
const targets = [
  '/section40/x',
  '/api/v42/x',
  '/files/a/b.x93',
  '/page-94',
  '/shop/x?q=1&p95=2',
  '/none/at/all?x=1',
  '/',
];
const requests: readonly RuleRequest[] = targets.map((target) => ({
  method: 'GET',
  host: 'www.example',
  target,
  fields,
}));

/** Nanoseconds a lookup. */
function round(request: RuleRequest): number {
  const from = performance.now();
  let count = 0;
  for (let n = 0; n < LOOKUPS; n++) count += rules.ruleFor(request).name.length;
  if (count === 0) throw new Error('no rule has a name');
  return ((performance.now() - from) * 1e6) / LOOKUPS;
}

for (const request of requests) {
  const times = Array.from({ length: ROUNDS }, () => round(request)).sort((a, b) => a - b);
  const median = times[ROUNDS >> 1] ?? 0;
  process.stdout.write(
    `${request.target.padEnd(24)}${rules.ruleFor(request).name.padEnd(12)}${median.toFixed(0).padStart(6)} ns\n`,
  );
}
