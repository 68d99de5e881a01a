/** A proxy with a disk tier or without, an origin for it, and a client that times each answer: what the benches of the disk share. */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { performance } from 'node:perf_hooks';
import { systemClock } from '../../lib/base/clock.js';
import { readConfig } from '../../lib/config/load.js';
import { makeRules } from '../../lib/config/rules.js';
import { Fields } from '../../lib/http/fields.js';
import { Body } from '../../lib/object/body.js';
import { SILENT } from '../../lib/observe/events.js';
import { lifeOf } from '../../lib/policy/lifetime.js';
import { DiskTier } from '../../lib/store/disk.js';
import { openDiskFile } from '../../lib/store/disk-file.js';
import { prepareDiskPlace } from '../../lib/store/disk-place.js';
import { openThreadPort } from '../../lib/store/disk-port.js';
import { program } from '../../test/kit/program.js';
import { SERVER_CORE } from './machine.js';

const CLI = program();
export const HOST = 'bench.example';
const GB = 1024 ** 3;
export const MEMORY_MB = 64;

/** Puts that many responses of 1 KB on disk. */
export async function fillDisk(path: string, records: number): Promise<void> {
  const { directory } = prepareDiskPlace(path);
  const clock = systemClock();
  const sizeBytes = 8 * GB;
  const file = openDiskFile(directory, sizeBytes);
  const port = openThreadPort({ directory, sizeBytes });
  const tier = new DiskTier({
    file,
    port,
    sizeBytes,
    clock,
    events: SILENT,
    onDamaged: () => undefined,
  });
  const fields = Fields.of({
    Date: new Date(clock.wall()).toUTCString(),
    'Content-Type': 'text/html; charset=utf-8',
    'Cache-Control': 'max-age=86400',
    ETag: '"33a64df551425fcc55e4d42a148795d9f25f89d4"',
  });
  // As the proxy would have made them itself, so that it finds them under its own rule.
  const { all } = makeRules(readConfig({ origin: 'http://127.0.0.1' }));
  const rule = all.at(-1);
  if (rule === undefined) throw new Error('there is always a last rule');
  for (let n = 0; n < records; n++) {
    const now = clock.now();
    tier.put({
      key: `http://${HOST}/n/${n}`,
      selection: { names: [], values: [] },
      status: 200,
      reasonPhrase: 'OK',
      fields,
      body: Body.of([Buffer.alloc(1024, n)]),
      life: lifeOf({ status: 200, fields, rule, initialAgeMs: 0, receivedAt: now, receivedWall: clock.wall() }),
      rule: rule.name,
      madeBy: rule,
      receivedAt: now,
      fetchedAt: now,
      receivedWall: clock.wall(),
    });
    if (n % 4000 === 3999) await tier.settled();
  }
  await tier.close();
}

export interface Origin {
  readonly url: string;
  close(): void;
}

/** Answers each request with 1 KB that may be stored. */
export async function openOrigin(): Promise<Origin> {
  const server = createServer((_, res) => {
    // Its length is told: the client here reads no chunks, and would take the end of a response in chunks for one more.
    const fields = { 'Cache-Control': 'max-age=86400', ETag: '"1"', 'Content-Length': '1024' };
    res.writeHead(200, fields).end(Buffer.alloc(1024, 'x'));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const close = (): void => {
    server.closeAllConnections();
    server.close();
  };
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, close };
}

export interface Started {
  readonly child: ChildProcess;
  readonly port: number;
  readonly adminPort: number;
  readonly readyMs: number;
  /** Of that, so much was work, of all threads. */
  readonly readyWorkMs: number;
}

/** A command line that stays on one core, where that can be. */
export function onCore(core: number | undefined, command: readonly string[]): readonly string[] {
  return core === undefined ? command : ['taskset', '-c', String(core), ...command];
}

export async function start(origin: string, disk: string | undefined): Promise<Started> {
  const at = performance.now();
  const settings = [`cache.memory=${MEMORY_MB}MB`, 'log.access=off'];
  if (disk !== undefined) settings.push(`cache.disk.path=${disk}`, 'cache.disk.size=8GB');
  const args = [CLI, '--origin', origin, '--listen', '127.0.0.1:0', '--admin', '127.0.0.1:0'];
  const command = onCore(SERVER_CORE, [process.execPath, ...args, ...settings.flatMap((one) => ['--set', one])]);
  const child = spawn(command[0] as string, command.slice(1), { stdio: ['ignore', 'pipe', 'inherit'] });
  const ports = await new Promise<{ port: number; adminPort: number }>((resolve, reject) => {
    let said = '';
    child.stdout.on('data', (bytes: Buffer) => {
      said += bytes.toString();
      const match = /ready on \S+:(\d+),.* admin \S+:(\d+)\n/.exec(said);
      if (match !== null) resolve({ port: Number(match[1]), adminPort: Number(match[2]) });
    });
    child.once('exit', (code) => reject(new Error(`it ended with ${code}: ${said}`)));
  });
  const readyMs = performance.now() - at;
  return { child, ...ports, readyMs, readyWorkMs: processorUs(child.pid) / 1000 };
}

export async function stop({ child }: Started): Promise<void> {
  const gone = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  await gone;
}

/** Processor time of all threads of a process so far, in microseconds. */
export function processorUs(pid: number | undefined): number {
  const tasks = `/proc/${pid}/task`;
  if (!existsSync(tasks)) return Number.NaN;
  const nsOf = (task: string): number => Number(readFileSync(`${tasks}/${task}/schedstat`, 'utf8').split(' ')[0]);
  return readdirSync(tasks).reduce((sum, task) => sum + nsOf(task), 0) / 1000;
}

export interface Load {
  readonly perSec: number;
  readonly p99Ms: number;
  /** Answers that did not say `hit`. */
  readonly missed: number;
}

/** Asks for one path after another; `over` hears the end of each answer, and its head. */
export class Client {
  readonly #socket: Socket;

  constructor(port: number, over: (client: Client, head: string) => void, failed: (error: Error) => void) {
    this.#socket = connect(port, '127.0.0.1').setNoDelay().on('error', failed);
    let held = '';
    this.#socket.on('data', (bytes) => {
      held += bytes.toString('latin1');
      const end = held.indexOf('\r\n\r\n');
      if (end < 0) return;
      const head = held.slice(0, end);
      if (held.length < end + 4 + Number(/content-length: (\d+)/i.exec(head)?.[1] ?? 0)) return;
      held = '';
      over(this, head);
    });
  }

  ask(path: string): void {
    this.#socket.write(`GET ${path} HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`);
  }

  end(): void {
    this.#socket.end();
  }
}

/** One request after another on each connection, for so many seconds. */
export async function load(port: number, connections: number, seconds: number, next: () => string): Promise<Load> {
  const until = performance.now() + seconds * 1000;
  const latencies: number[] = [];
  let missed = 0;
  const client = (): Promise<void> =>
    new Promise((resolve, reject) => {
      let at = 0;
      const ask = (own: Client): void => {
        at = performance.now();
        if (at < until) own.ask(next());
        else {
          own.end();
          resolve();
        }
      };
      const over = (own: Client, head: string): void => {
        latencies.push(performance.now() - at);
        if (!head.includes('patina; hit')) missed++;
        ask(own);
      };
      ask(new Client(port, over, reject));
    });
  await Promise.all(Array.from({ length: connections }, client));
  latencies.sort((a, b) => a - b);
  return { perSec: latencies.length / seconds, p99Ms: latencies[Math.floor(latencies.length * 0.99)] ?? 0, missed };
}
