// Goal: where the command's own output cannot be written, requests go on. Method: the command as a child process, its stdout a full device, a pipe whose reader left, or closed.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, openSync } from 'node:fs';
import { get } from 'node:http';
import { type AddressInfo, createServer } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { program } from '../kit/program.js';

const MAIN = program();
/** Requests enough for several batches of log lines. */
const REQUESTS = 50;
/** Not every system has a device that is always full. */
const NEEDS_FULL = existsSync('/dev/full') ? {} : { skip: 'this system has no full device' };
const START_PAUSE_MS = 50;

/** One loopback address of many, by this process: at the one that all others use, somebody else may take the port meanwhile. */
const HOST =
  process.platform === 'linux'
    ? `127.${1 + (process.pid % 250)}.${1 + (Math.floor(process.pid / 250) % 250)}.9`
    : '127.0.0.1';

/** A port that was free a moment ago: with no stdout, the command cannot say which it took. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, HOST);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

function status(port: number): Promise<number | undefined> {
  return new Promise((resolve) => {
    get({ port, host: HOST, path: '/' }, (response) => {
      response.resume();
      resolve(response.statusCode);
    }).on('error', () => resolve(undefined));
  });
}

/** However long a busy machine takes to start it: what never starts is ended by the limit of the runner. */
async function untilUp(port: number): Promise<void> {
  while ((await status(port)) === undefined) await pause(START_PAUSE_MS);
}

function launch(port: number, stdout: number | 'pipe', t: Test) {
  // Nobody listens at port 1: each request is answered with a 502 and logged.
  const args = [MAIN, '--origin', 'http://127.0.0.1:1', '--listen', `${HOST}:${port}`, '--admin', 'off'];
  const stdio = ['ignore', stdout, 'pipe'] as ['ignore', number | 'pipe', 'pipe'];
  const child = spawn(process.execPath, [...args, '--set', 'log.access=json'], { stdio });
  t.teardown(() => child.kill('SIGKILL'));
  return child;
}

async function proveItServes(child: ReturnType<typeof launch>, port: number, t: Test): Promise<void> {
  let complaints = '';
  child.stderr?.on('data', (text: Buffer) => {
    complaints += text.toString();
  });
  await untilUp(port);
  // A body of a 502 is written by whoever serves; what counts is that every request has an answer.
  for (let i = 0; i < REQUESTS; i++) if ((await status(port)) === undefined) t.fail(`request ${i} has no answer`);
  const exited = once(child, 'exit');
  child.kill('SIGTERM');
  t.same(await exited, [0, null], 'SIGTERM ends it with exit code 0');
  t.equal(complaints, '');
}

t.test('design promise 5: with stdout on a full device, it starts and serves', NEEDS_FULL, async (t) => {
  const full = openSync('/dev/full', 'w');
  const port = await freePort();
  const child = launch(port, full, t);
  closeSync(full);
  await proveItServes(child, port, t);
});

t.test('design promise 5: where the reader of stdout left before the first line, it starts and serves', async (t) => {
  const port = await freePort();
  const child = launch(port, 'pipe', t);
  child.stdout?.destroy();
  await proveItServes(child, port, t);
});

t.test('design promise 5: where the reader of stdout leaves after the first line, requests go on', async (t) => {
  const port = await freePort();
  const child = launch(port, 'pipe', t);
  child.stdout?.once('data', () => child.stdout?.destroy());
  await proveItServes(child, port, t);
});

t.test('design promise 5: a reader of stdout that takes nothing delays no request', async (t) => {
  const port = await freePort();
  const child = launch(port, 'pipe', t);
  child.stdout?.pause();
  await proveItServes(child, port, t);
});

t.test('--version on a full device says by its exit code that nothing was written', NEEDS_FULL, async (t) => {
  const full = openSync('/dev/full', 'w');
  const child = spawn(process.execPath, [MAIN, '--version'], { stdio: ['ignore', full, 'inherit'] });
  closeSync(full);
  t.same(await once(child, 'exit'), [1, null]);
});
