// Goal: `patina explain` tells which rule, which key, what is stored and why (issue 4, promise 7). Method: what a person sees, compared as text.
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { parseArguments } from '../../lib/cli/arguments.js';
import { UsageError } from '../../lib/cli/command.js';
import { explainCommand } from '../../lib/cli/explain.js';

const CONF = `origin: http://127.0.0.1:3000
defaults: {grace: 1h, keep: 1d}
rules:
  - name: search
    match: {path: /search}
    query: {only: [q]}
  - name: assets
    match: {path: /assets/**, ext: [css, js]}
    ttl: 60s
    client: {ttl: 5s}
    request: {remove: [Cookie]}
  - name: errors
    match: {status: 404}
    ttl: 1s
`;

async function told(t: Test, ...args: string[]): Promise<string> {
  const file = join(t.testdir({ 'p.yaml': CONF }), 'p.yaml');
  const command = parseArguments(['explain', ...args, '--config', file]);
  if (command.kind !== 'other') throw new Error(JSON.stringify(command));
  const lines: string[] = [];
  const shell = { env: {}, say: (line: string) => lines.push(line), complain: (line: string) => lines.push(line) };
  const code = await explainCommand(() => Date.UTC(2026, 0, 1, 12))(command.given, shell);
  return `${code}\n${lines.join('\n')}\n`;
}

t.test('issue 4: a stored response, some time after it came', async (t) => {
  const response = 'HTTP/1.1 200 OK\\nCache-Control: max-age=5\\nETag: "1"\\nVary: Accept-Encoding';
  t.equal(
    await told(
      t,
      'http://www.example.org/assets/a.css?x',
      '-H',
      'Cookie: a=b',
      '--response',
      response,
      '--after',
      '70s',
    ),
    `0
GET http://www.example.org/assets/a.css?x

Rule       assets
           not search: only where the path matches /search
Key        http://www.example.org/assets/a.css?x
Changed    cookie: (taken out)

Response   200, under rule assets
Stored     yes
Age        70s
Vary       accept-encoding
  fresh    until 2026-01-01T11:59:50Z, 10s ago: ttl of assets
  grace    until 2026-01-01T12:59:50Z, in 3590s: 1h, grace of assets
  keep     until 2026-01-02T12:59:50Z, in 89990s: 1d, keep of assets
  outage   of the origin is hidden until 2026-01-02T12:59:50Z, in 89990s
Client     ETag: "1"
           Vary: Accept-Encoding
           Date: Thu, 01 Jan 2026 11:58:50 GMT
           Cache-Control: public, max-age=75

To origin  If-None-Match: "1"

Now        gets the stored response at once, while one conditional request refreshes it (stale-while-revalidate)
           The stored response is within its grace; it is served while one request refreshes it.
`,
  );
});

t.test('issue 4: what is not stored, and by which word of the origin', async (t) => {
  t.equal(
    await told(
      t,
      'https://www.example.org/search?z=1&q=1',
      '--response',
      '200\nSet-Cookie: a=b\nCache-Control: max-age=6',
    ),
    `0
GET https://www.example.org/search?z=1&q=1

Rule       search
Key        https://www.example.org/search?q=1

Response   200, under rule search
Stored     no (set-cookie)
           The response sets a cookie.
Client     Set-Cookie: a=b
           Cache-Control: max-age=6

Now        waits for the origin (set-cookie)
           The response sets a cookie.
`,
  );
});

t.test('issue 4: a request that goes past the cache', async (t) => {
  t.equal(
    await told(t, 'POST', 'http://www.example.org/search?q=1'),
    `0
POST http://www.example.org/search?q=1

Rule       search
Key        http://www.example.org/search?q=1

Now        goes past the cache (method)
           Requests with this method go to the origin, and their responses are not stored.
`,
  );
});

t.test('issue 4: a rule that goes by the response, and a directive that forbids grace', async (t) => {
  const text = await told(t, 'http://a/x', '--response', '404\nCache-Control: must-revalidate, max-age=9');
  t.match(
    text,
    /Rule {7}defaults\n {11}not search: only where the path matches \/search\n {11}not assets: only where the path ends in/,
  );
  t.match(text, /Response {3}404, under rule errors\n/);
  t.match(text, /grace {4}until .*must-revalidate of the response forbids it/);
});

t.test('issue 4: --json gives the same as a record', async (t) => {
  const [, ...lines] = (await told(t, 'http://a/assets/x.js', '--json')).split('\n');
  t.match(JSON.parse(lines.join('\n')), {
    rule: 'assets',
    key: 'http://a/assets/x.js',
    now: { gets: 'miss', reason: 'uri-miss' },
  });
});

t.test('what cannot be explained is told with what was expected', async (t) => {
  const table: [string[], RegExp][] = [
    [[], /expected a URL to explain/],
    [['a.example/x'], /expected a URL such as http:\/\/www\.example\.org\/a, got "a\.example\/x"/],
    [['G T', 'http://a/'], /expected a method such as GET/],
    [['http://a/', '-H', 'nonsense'], /expected 'name: value', got "nonsense"/],
    [['http://a/', '--response', 'hello'], /expected a status line such as "HTTP\/1\.1 200 OK", got "hello"/],
    [['http://a/', '--response-file', '/nowhere/x'], /--response-file: \/nowhere\/x cannot be read/],
    [['http://a/', '--after', 'soon', '--response', '200'], /--after: expected a duration such as 10s, got "soon"/],
    [['http://a/', '--after', '5s'], /there is no response that it could be after/],
  ];
  for (const [args, message] of table) {
    const error: unknown = await told(t, ...args).catch((caught: unknown) => caught);
    t.ok(error instanceof UsageError, args.join(' '));
    t.match(error, { message });
  }
  t.match(
    await told(t, 'http://a/', '--set', 'defaults.ttl=soon'),
    /^2\n--set defaults\.ttl=soon: defaults\.ttl: expected origin/,
  );
});
