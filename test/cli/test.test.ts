// Goal: `patina test` runs cases against a conf file and shows what does not hold, and where (issue 4, "Rule tests"). Method: the command on files, compared as text.
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { parseArguments } from '../../lib/cli/arguments.js';

const CONF = fileURLToPath(new URL('../../../conf/', import.meta.url));

async function tested(...args: string[]): Promise<{ code: number; text: string }> {
  const command = parseArguments(['test', ...args]);
  if (command.kind !== 'other') throw new Error(JSON.stringify(command));
  const lines: string[] = [];
  const shell = { env: {}, say: (line: string) => lines.push(line), complain: (line: string) => lines.push(line) };
  return { code: await command.spec.run(command.given, shell), text: `${lines.join('\n')}\n` };
}

t.test('issue 4: the cases in conf/ hold for the example', async (t) => {
  const { code, text } = await tested(join(CONF, 'patina.test.yaml'), '--config', join(CONF, 'patina.yaml'));
  t.equal(code, 0, text);
  t.match(text, /\n7 passed, 0 failed\n$/);
});

t.test('issue 4: what does not hold is shown with expected, found and place', async (t) => {
  const file = join(
    t.testdir({
      'c.yaml': `cases:
  - name: wrong in all
    request: {url: 'http://a/x?b&a', headers: {X-A: 1}}
    response: {status: 200, headers: {Cache-Control: max-age=5, Vary: [A, B]}}
    after: 10s
    expect:
      rule: other
      key: http://a/x
      stored: set-cookie
      fresh: 6s
      grace: 1s
      keep: 2h
      now: hit
      reason: fresh
      client: {Cache-Control: null, Vary: 'A, B', X-B: 1}
      origin: {X-A: '2'}
  - name: right
    request: http://a/x
    expect: {now: miss}
`,
    }),
    'c.yaml',
  );
  const { code, text } = await tested(file);
  t.equal(code, 1);
  t.equal(
    text.replaceAll(file, 'FILE'),
    `FAIL  wrong in all
      FILE:7:7: rule: expected other, found defaults
      FILE:8:7: key: expected http://a/x, found http://a/x?b&a
      FILE:9:7: stored: expected set-cookie, found true
      FILE:10:7: fresh: expected 6s, found 5s
      FILE:11:7: grace: expected 1s, found 0s
      FILE:12:7: keep: expected 2h, found 1h
      FILE:13:7: now: expected hit, found validate
      FILE:14:7: reason: expected fresh, found past-grace
      FILE:15:7: client.Cache-Control: expected none, found "max-age=5"
      FILE:15:7: client.X-B: expected "1", found none
      FILE:16:7: origin.X-A: expected "2", found "1"
ok    right
1 passed, 1 failed
`,
  );
});

t.test('a file of cases that is wrong is refused with its places', async (t) => {
  const table: [string, RegExp][] = [
    ['listen: 80\ncases: []', /FILE:1:1: unknown key "listen": expected cases/],
    ['cases: []', /FILE:1:1: no case is in this file/],
    ['cases:\n  - {name: a, request: nowhere}', /FILE:2:24: cases\.0\.request\.url: expected a URL such as/],
    [
      'cases:\n  - {name: a, request: http://a/, expct: {}}',
      /FILE:2:35: cases\.0: unknown key "expct": did you mean "expect"\?/,
    ],
    [
      'cases:\n  - {name: a, request: http://a/, expect: {now: soon}}',
      /cases\.0\.expect\.now: expected one of hit, stale/,
    ],
    ['cases: [', /FILE:1:\d+: /],
  ];
  for (const [source, problem] of table) {
    const file = join(t.testdir({ 'c.yaml': source }), 'c.yaml');
    const { code, text } = await tested(file);
    t.equal(code, 2);
    t.match(text.replaceAll(file, 'FILE'), problem);
  }
  t.match(await tested('/nowhere/c.yaml'), {
    code: 2,
    text: /\/nowhere\/c\.yaml: the file cannot be read: there is no such file\n/,
  });
});
