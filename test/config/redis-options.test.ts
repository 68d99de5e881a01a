// Goal: the options of the shared tier make sense together, and what is hardly meant is warned of. Method: configurations read, and what is said of them.
import t from 'tap';
import { ConfigError } from '../../lib/base/errors.js';
import { changesBetween } from '../../lib/config/changes.js';
import { lint } from '../../lib/config/lint.js';
import { readConfig } from '../../lib/config/load.js';
import { isSecret, withoutSecrets } from '../../lib/config/secrets.js';

const problemsOf = (redis: unknown): readonly string[] => {
  try {
    readConfig({ cache: { redis } });
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
};

const warningsOf = (redis: unknown, further: object = {}): string[] =>
  lint(readConfig({ cache: { redis }, ...further })).map(({ code }) => code);

t.test('issue 5: url, sentinel and cluster are three ways of which one is taken', async (t) => {
  const url = 'redis://127.0.0.1';
  t.match(problemsOf({ url, cluster: ['a:1'] })[0], /one of url, sentinel and cluster/);
  t.match(problemsOf({ sentinel: { nodes: ['a:1'] } })[0], /sentinel\.name/);
  t.match(problemsOf({ sentinel: { name: 'pages' } })[0], /sentinel\.nodes/);
  t.match(problemsOf({ url, password: 'a', password_file: 'b' })[0], /one of the two/);
  t.match(problemsOf({ url: 'redis://:a@127.0.0.1', password: 'b' })[0], /one of the two/);
  t.strictSame(problemsOf({ sentinel: { name: 'pages', nodes: ['a:1', 'b:2'] } }), []);
});

t.test('issue 5: a URL that is refused is not shown, for it may hold a password', async (t) => {
  const [problem = ''] = problemsOf({ url: 'redis://:sesame@a.example/no/database' });
  t.match(problem, /cache\.redis\.url: expected a URL such as redis:/);
  t.notMatch(problem, /sesame/);
});

t.test(
  'issue 5: patina check warns of what crosses the network in the clear, and of what can be posed as',
  async (t) => {
    t.strictSame(warningsOf('redis://127.0.0.1'), []);
    t.strictSame(warningsOf('redis://cache.internal'), ['shared-in-the-open']);
    t.strictSame(warningsOf({ url: 'redis://cache.internal', password: 'x' }), ['shared-in-the-clear']);
    t.strictSame(warningsOf({ cluster: ['127.0.0.1:1', 'cache.internal:1'] }), ['shared-in-the-open']);
    t.strictSame(warningsOf('rediss://cache.internal'), []);
    t.strictSame(warningsOf({ url: 'rediss://cache.internal', tls: { verify: false } }), ['unverified-shared']);
    t.strictSame(warningsOf({}), [], 'no tier, no warning');
  },
);

t.test('issue 5: patina check warns where sites may share a prefix by oversight', async (t) => {
  const origin = { url: 'http://127.0.0.1:3000', host: 'inner.example' };
  t.strictSame(warningsOf('redis://127.0.0.1', { origin }), ['shared-prefix']);
  t.strictSame(warningsOf({ url: 'redis://127.0.0.1', prefix: 'shop:' }, { origin }), []);
});

t.test('issue 5: no password of the shared tier is shown, be it in a URL or beside it', async (t) => {
  const written = (word: string): object => ({
    cache: { redis: { url: `redis://me:${word}@a`, password: word, sentinel: { password: word } } },
  });
  t.notMatch(JSON.stringify(withoutSecrets(written('sesame'))), /sesame/);
  t.notMatch(changesBetween(written('sesame1'), written('sesame2'), isSecret).join('\n'), /sesame/);
});
