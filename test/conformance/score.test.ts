// Goal: the score of a run is the one that the suite's own page would show. Method: small made-up suites and results.
import t from 'tap';
import { compare, overtaken, score, tally, type Verdict } from './score.js';
import type { RawResult, SuiteGroup } from './suite.js';

const GROUP: SuiteGroup = {
  id: 'g',
  name: 'group',
  tests: [
    { id: 'base', name: '', kind: 'check' },
    { id: 'needs-base', name: '', depends_on: ['base'] },
    { id: 'needs-both', name: '', kind: 'optimal', depends_on: ['base', 'needs-base'] },
  ],
};
const NO: RawResult = ['Assertion', 'no'];

t.test('each result becomes the verdict of its kind', (t) => {
  const table: [kind: 'required' | 'optimal' | 'check' | undefined, result: RawResult | undefined, verdict: Verdict][] =
    [
      [undefined, true, 'pass'],
      ['required', NO, 'fail'],
      ['optimal', true, 'pass'],
      ['optimal', NO, 'fail'],
      ['check', true, 'yes'],
      ['check', NO, 'no'],
      ['required', ['Setup', 'Response 1 status is 404, not 200'], 'setup'],
      ['optimal', ['Setup', 'retry'], 'retry'],
      ['required', ['TimeoutError', 'no answer'], 'fail'],
      ['required', undefined, 'untested'],
    ];
  for (const [kind, result, verdict] of table) {
    const test = kind === undefined ? { id: 'a', name: '' } : { id: 'a', name: '', kind };
    const verdicts = score([{ id: 'g', name: '', tests: [test] }], result === undefined ? {} : { a: result });
    t.equal(verdicts.get('a'), verdict, `${kind ?? 'no kind'} with ${JSON.stringify(result)} is ${verdict}`);
  }
  t.end();
});

t.test('a pass that depends on a failed test does not count, through any number of steps', (t) => {
  const verdicts = score([GROUP], { base: NO, 'needs-base': true, 'needs-both': true });
  t.same([...verdicts.values()], ['no', 'dependency', 'dependency']);
  t.same(tally(GROUP, 'required', verdicts), { good: 0, total: 1 });
  t.end();
});

t.test('a check answered yes carries what depends on it', (t) => {
  const verdicts = score([GROUP], { base: true, 'needs-base': true, 'needs-both': NO });
  t.same([...verdicts.values()], ['yes', 'pass', 'fail']);
  t.same(tally(GROUP, 'check', verdicts), { good: 1, total: 1 });
  t.end();
});

t.test('a dependency that is not in the suite is an error, not a pass', (t) => {
  const group = { id: 'g', name: '', tests: [{ id: 'a', name: '', depends_on: ['gone'] }] };
  t.throws(() => score([group], { a: true }), /gone/);
  t.end();
});

t.test('only a lost pass is a regression, and a pass is lost too where the test gave no result', (t) => {
  const now = new Map<string, Verdict>([
    ['lost', 'dependency'],
    ['gained', 'pass'],
    ['answer', 'no'],
    ['same', 'fail'],
    ['not-run', 'untested'],
  ]);
  const news = compare({ lost: 'pass', gained: 'fail', answer: 'yes', same: 'fail', 'not-run': 'pass' }, now);
  t.same(news, {
    lost: ['lost: dependency, was pass', 'not-run: untested, was pass'],
    gained: ['gained'],
    changed: ['answer: no, was yes'],
  });
  t.end();
});

t.test('what passed before and was retried by the clock this time is asked again, and what always was is not', (t) => {
  const verdicts = new Map<string, Verdict>([
    ['slow', 'retry'],
    ['always', 'retry'],
    ['fine', 'pass'],
    ['worse', 'fail'],
  ]);
  t.same(overtaken({ slow: 'pass', always: 'retry', fine: 'pass', worse: 'pass' }, verdicts), ['slow']);
  t.end();
});
