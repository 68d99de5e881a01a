/**
 * The built command with several workers in front of a scripted origin, as a shell would start it.
 *
 *   const crew = await startCrew(t, { conf: 'defaults: {ttl: 10s}' });
 *   const [one, other] = await crew.eachWorker();    // a connection to each of two workers
 *   await crew.metric('patina_workers_serving');
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Test } from 'tap';
import { program } from '../kit/program.js';
import { metric, TOKEN } from '../kit/proxy-kit.js';
import { connectRaw, type RawClient } from '../kit/raw-client.js';
import { type ScriptedOrigin, startScriptedOrigin } from '../kit/scripted-origin.js';

const MAIN = program();

export interface CrewOptions {
  readonly workers?: number;
  /** Further lines of the conf file. */
  readonly conf?: string;
  /** Preloaded into every process. */
  readonly preload?: string;
  /** In a process group of its own. */
  readonly isGroup?: boolean;
}

export interface WorkerFacts {
  readonly id: number;
  readonly pid: number;
  readonly state: string;
  readonly connections: number;
}

export interface Ended {
  readonly code: number | null;
  readonly err: string;
}

export class Crew {
  readonly origin: ScriptedOrigin;
  readonly child: ChildProcess;
  readonly file: string;
  readonly ended: Promise<Ended>;
  port = 0;
  admin = '';
  out = '';
  err = '';
  /** The worker that has the first connection of eachWorker(): whichever was ready to serve first. */
  first: WorkerFacts | undefined;

  constructor(origin: ScriptedOrigin, child: ChildProcess, file: string) {
    this.origin = origin;
    this.child = child;
    this.file = file;
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.out += text;
    });
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.err += text;
    });
    this.ended = once(child, 'close').then(([code]) => ({ code: code as number | null, err: this.err }));
  }

  /** Waits for the line that says that it is ready. */
  async ready(): Promise<void> {
    await until(async () => this.child.exitCode !== null || / ready on /.test(this.out));
    const [, port = '', admin = ''] = /ready on http:\S+:(\d+), .*admin (http:\S+)/.exec(this.out) ?? [];
    this.port = Number(port);
    this.admin = admin;
  }

  /** Conf file from now on. */
  configure(text: string): void {
    writeFileSync(this.file, text);
  }

  async call(path: string, method = 'GET', body?: object | string): Promise<{ status: number; text: string }> {
    const response = await fetch(`${this.admin}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${TOKEN}`,
        ...(typeof body === 'object' ? { 'content-type': 'application/json' } : { 'cache-control': 'max-age=60' }),
      },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    return { status: response.status, text: await response.text() };
  }

  async json<T>(path: string, method = 'GET', body?: object): Promise<T> {
    return JSON.parse((await this.call(path, method, body)).text) as T;
  }

  async metric(name: string, ...labels: string[]): Promise<number> {
    return metric((await this.call('/metrics')).text, name, ...labels);
  }

  async workers(): Promise<readonly WorkerFacts[]> {
    return (await this.json<{ workers: WorkerFacts[] }>('/healthz')).workers;
  }

  connect(): Promise<RawClient> {
    return connectRaw(this.port);
  }

  /** A connection to each of two workers: the second one goes to the one that has none. Connections before it must be closed. */
  async eachWorker(): Promise<[RawClient, RawClient]> {
    await until(async () => (await this.workers()).every(({ connections }) => connections === 0));
    const one = await this.connect();
    await until(async () => {
      this.first = (await this.workers()).find(({ connections }) => connections === 1);
      return this.first !== undefined;
    });
    return [one, await this.connect()];
  }

  /** Requests that wait in one worker for an answer that another asks for. */
  async waiting(count: number): Promise<void> {
    await until(async () => (await this.metric('patina_worker_lease_waits')) >= count);
  }
}

/** Asks again until it holds; the runner's own timeout ends it where that never comes. */
export async function until(holds: () => Promise<boolean>): Promise<void> {
  while (!(await holds())) await new Promise<void>((resolve) => setTimeout(resolve, 20));
}

export function confOf(origin: ScriptedOrigin, workers: number, more = ''): string {
  return `listen: 127.0.0.1:0\nadmin: 127.0.0.1:0\norigin: ${origin.url.href}\nworkers: ${workers}\n${more}\n`;
}

export async function startCrew(
  t: Test,
  { workers = 2, conf = '', preload, isGroup = false }: CrewOptions = {},
): Promise<Crew> {
  const origin = await startScriptedOrigin();
  const directory = mkdtempSync(join(tmpdir(), 'patina-test-'));
  const file = join(directory, 'patina.yaml');
  writeFileSync(file, confOf(origin, workers, conf));
  const child = spawn(process.execPath, [MAIN, '--config', file], {
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: isGroup,
    env: {
      ...process.env,
      PATINA_ADMIN_TOKEN: TOKEN,
      ...(preload === undefined ? {} : { NODE_OPTIONS: `--require ${preload}` }),
    },
  });
  const crew = new Crew(origin, child, file);
  t.teardown(async () => {
    child.kill('SIGKILL');
    await origin.close();
    rmSync(directory, { recursive: true, force: true });
  });
  await crew.ready();
  return crew;
}
