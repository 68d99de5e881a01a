// Goal: the command itself: exit codes, output and signals as a shell sees them. Method: child processes on free ports of loopback.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { createInterface } from 'node:readline';
import t from 'tap';
import { program } from '../kit/program.js';

const MAIN = program();

interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

function start(args: readonly string[]) {
  const child = spawn(process.execPath, [MAIN, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  let out = '';
  let err = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    err += text;
  });
  const ended = once(child, 'close').then(([code]): Ended => ({ code, out, err }));
  return { child, ended };
}

t.test('--version prints the version, --help every option', async (t) => {
  const version = await start(['--version']).ended;
  t.equal(version.code, 0);
  t.match(version.out, /^\d+\.\d+\.\d+\n$/);
  const help = await start(['--help']).ended;
  t.equal(help.code, 0);
  t.match(help.out, /Usage: patina \[run\]/);
  t.match(help.out, /defaults\.stale_if_error/);
});

t.test('bad arguments and a bad configuration end with exit code 2 and a message on stderr alone', async (t) => {
  for (const [args, message] of [
    [['--nonsense'], /unknown flag "--nonsense"/],
    [['--origin', 'nonsense'], /--origin nonsense: origin\.url: expected a URL/],
    [['--config', '/nonexistent/patina.yaml'], /cannot be read: there is no such file/],
  ] as const) {
    const { code, out, err } = await start(args).ended;
    t.equal(code, 2);
    t.equal(out, '');
    t.match(err, message);
  }
});

t.test('a port in use ends with exit code 2', async (t) => {
  const squatter = createServer().listen(0, '127.0.0.1');
  await once(squatter, 'listening');
  t.teardown(() => squatter.close());
  const { port } = squatter.address() as AddressInfo;
  const { code, err } = await start(['--listen', `127.0.0.1:${port}`, '--admin', 'off']).ended;
  t.equal(code, 2);
  t.match(err, new RegExp(`cannot listen on 127\\.0\\.0\\.1:${port}: the port is in use`));
});

t.test('section 7: the demo serves, explains itself, and SIGTERM ends it with exit code 0', async (t) => {
  const { child, ended } = start(['--listen', '0', '--admin', '0']);
  t.teardown(() => child.kill('SIGKILL'));
  let ready = '';
  for await (const line of createInterface({ input: child.stdout })) {
    ready = line;
    break;
  }
  const [, listen, admin] = /ready on (http:\S+), origin http:\S+ \(demo\), admin (http:\S+)$/.exec(ready) ?? [];
  const details: (string | null)[] = [];
  for (let at = 0; at < 2; at += 1) {
    const response = await fetch(`${listen}/article/1`);
    t.equal(response.status, 200);
    t.match(await response.text(), /Article 1/);
    details.push(response.headers.get('cache-status'));
  }
  t.match(details[0], /^patina; fwd=uri-miss/);
  t.match(details[1], /^patina; hit/);
  t.equal((await fetch(`${admin}/readyz`)).status, 200);
  t.match(await (await fetch(`${admin}/metrics`)).text(), /patina_requests_total/);
  child.kill('SIGTERM');
  const { code, err } = await ended;
  t.equal(code, 0);
  t.equal(err, '');
});
