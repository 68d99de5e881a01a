/** Goal: the table of reason codes is well-formed, complete, and holds nothing else. Method: the table beside the sources. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { OriginError } from '../../lib/base/errors.js';
import { REFUSALS } from '../../lib/front/refusal.js';
import { explainReason, failureBehind, REASON_CODES, REASONS } from '../../lib/observe/reasons.js';
import type { ServeReason, ValidateReason } from '../../lib/policy/reuse.js';
import type { UncacheableReason } from '../../lib/policy/storable.js';

/** Sources of the floors that give reasons, by path. Compiled tests run from the project's folder. */
function readSources(): Map<string, string> {
  const sources = new Map<string, string>();
  for (const floor of ['base', 'policy', 'origin', 'store', 'engine', 'front']) {
    const folder = join('lib', floor);
    for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' }))
      if (name.endsWith('.ts')) sources.set(join(folder, name), readFileSync(join(folder, name), 'utf8'));
  }
  return sources;
}

t.test('RFC 9211 §2.8: every reason code can be a detail parameter as a bare token', (t) => {
  for (const code of REASON_CODES) t.match(code, /^[a-z][a-z0-9]*(-[a-z0-9]+)*$/);
  t.end();
});

t.test('every code has one sentence, and no two codes share one', (t) => {
  const sentences = Object.values(REASONS);
  for (const sentence of sentences) {
    t.match(sentence, /^[A-Z].*[^.]\.$/);
    t.ok(sentence.length <= 130, sentence);
  }
  t.equal(new Set(sentences).size, sentences.length);
  t.end();
});

t.test('every code stands in the table once: of two with one name, one would say what the other means', (t) => {
  const source = readFileSync(join('lib', 'observe', 'reasons.ts'), 'utf8');
  const written = [...source.matchAll(/^ {2}'?([a-z][a-z0-9-]*)'?:\s+["']/gm)].map(([, code]) => code);
  t.ok(written.length > 90, 'the table was found');
  t.same(
    written.filter((code, at) => written.indexOf(code) !== at),
    [],
  );
  t.end();
});

t.test('habit 4: every "no" of the policy has a code of the table', (t) => {
  // Records of all members, so that the compiler asks for a code that is added to a union.
  const serve: Record<ServeReason, true> = {
    fresh: true,
    'stale-while-revalidate': true,
    'stale-while-offline': true,
    'max-stale': true,
  };
  const validate: Record<ValidateReason, true> = {
    'must-revalidate': true,
    'proxy-revalidate': true,
    'no-cache': true,
    's-maxage': true,
    'past-grace': true,
    'validate-always': true,
    'max-staleness': true,
    'request-no-cache': true,
    'request-max-age': true,
    'request-min-fresh': true,
    'request-max-stale': true,
  };
  const uncacheable: Record<UncacheableReason, true> = {
    method: true,
    'not-final': true,
    partial: true,
    'not-modified': true,
    'status-bound-to-request': true,
    'status-not-understood': true,
    'no-store': true,
    'request-no-store': true,
    private: true,
    'field-withheld': true,
    authorization: true,
    'not-cacheable': true,
    'no-cache': true,
    'no-freshness': true,
    'vary-star': true,
    'set-cookie': true,
    'cookie-heuristic': true,
  };
  for (const code of Object.keys({ ...serve, ...validate, ...uncacheable }))
    t.type(explainReason(code), 'string', code);
  t.end();
});

t.test('habit 4: every refusal of the front has a code of the table', (t) => {
  for (const { reason } of Object.values(REFUSALS)) t.type(explainReason(reason), 'string', reason);
  t.end();
});

t.test('every failure of the origin has a sentence, and a twin for the stale answer that it excuses', (t) => {
  const { code } = new OriginError('origin-refused', 'x');
  t.equal(explainReason(code), 'The origin refused the connection.');
  t.equal(explainReason(`stale-${code}`), 'The origin refused the connection, so the stored response is served stale.');
  t.equal(failureBehind(`stale-${code}`), code);
  t.equal(failureBehind('stale-while-revalidate'), undefined);
  t.equal(failureBehind(code), undefined);
  t.end();
});

t.test('one table per kind of fact: every code that the sources write out is in the table', (t) => {
  const wayOut = /(?:\b(?:reason|detail)(?:: |\)? \?\? )|#finish\('[a-z-]+', |#uncacheable\(\w+, )([^;{}\n]*)/g;
  // The reasons of removals and of the breaker are closed sets of their own.
  const otherSets = new Set(['evicted', 'expired', 'replaced', 'purged', 'invalidated']);
  let seen = 0;
  for (const [path, text] of readSources()) {
    if (path.includes(join('lib', 'store')) || path.includes('breaker')) continue;
    for (const [line, rest = ''] of text.matchAll(wayOut)) {
      if (/^\S+ \w+\.\w+ [?!=]/.test(line)) continue;
      for (const [, code = ''] of rest.matchAll(/'([a-z][a-z0-9-]*)'/g)) {
        if (otherSets.has(code)) continue;
        seen++;
        t.type(
          explainReason(code),
          'string',
          `${path} gives the reason '${code}', lib/observe/reasons.ts has no such row`,
        );
      }
    }
  }
  t.ok(seen > 15, `the search finds what it looks for (${seen})`);
  t.end();
});

t.test('one table per kind of fact: every code of the table is given somewhere', (t) => {
  const all = [...readSources().values()].join('\n');
  for (const code of REASON_CODES) {
    const given = failureBehind(code) ?? code;
    t.ok(all.includes(`'${given}'`) || all.includes(` ${given}:`), `nothing gives the reason ${code}`);
  }
  t.end();
});

t.test('a code that is not in the table has no sentence, whatever it is called', (t) => {
  for (const code of ['no-such-code', 'constructor', '__proto__', 'stale-', 'stale-constructor'])
    t.equal(explainReason(code), undefined, code);
  t.equal(failureBehind('stale-constructor'), undefined);
  t.end();
});
