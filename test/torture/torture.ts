/** One proxy after another on one disk: loaded, killed, started again, and asked what it still has. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { Agent, request } from 'node:http';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { program } from '../kit/program.js';
import { flawOf, type TortureOrigin } from './origin.js';

const CLI = program();
const KEYS = 400;
const CLIENTS = 16;
/** How often is asked whether all that was stored is on disk. */
const POLL_MS = 50;
/** Longest time for an answer to come, or an end in good order. */
const ANSWER_MS = 60_000;
export const TOKEN = 'torture-0123456789abcdef';
export const OPERATOR = { Host: 'localhost', Authorization: `Bearer ${TOKEN}`, 'Content-Type': 'application/json' };
/** A kill comes between these two after the load began. */
const KILL_MS = [300, 2_500] as const;
const STUCK_AFTER_MS = 5_000;
const REFRESH_CHECKS = 5;

export interface RoundResult {
  readonly readyMs: number;
  readonly answered: number;
  readonly wrong: number;
  /** Responses that had to be there after the restart. */
  readonly due: number;
  readonly lost: number;
  readonly refreshed: number;
  readonly stuck: number;
}

export interface Answer {
  readonly status: number;
  readonly word: string | undefined;
  readonly body: Buffer;
}

/** An answer that did not come whole. */
export interface CutOff {
  /** How, as node:http says. */
  readonly how: string;
  /** When its connection was first used. */
  readonly connectedAt: number;
  /** What came of it; undefined where not even its head did. */
  readonly begun:
    | { readonly word: string | undefined; readonly bytes: number; readonly length: string | undefined }
    | undefined;
}

interface Running {
  readonly child: ChildProcess;
  readonly port: number;
  readonly adminPort: number;
  readonly readyMs: number;
}

export class Torture {
  readonly complaints: string[] = [];
  readonly #origin: TortureOrigin;
  readonly #directory: string;
  #seed: number;
  #running: Running | undefined;
  /** Keys that were stored, and of these the ones that were on disk after that: they are never lost. */
  readonly #stored = new Set<string>();
  readonly #onDisk = new Set<string>();

  private constructor(origin: TortureOrigin, seed: number, directory: string) {
    this.#origin = origin;
    this.#seed = seed;
    this.#directory = directory;
  }

  static async begin(origin: TortureOrigin, seed: number): Promise<Torture> {
    const torture = new Torture(origin, seed, mkdtempSync(join(tmpdir(), 'patina-torture-')));
    torture.#running = await torture.#start();
    return torture;
  }

  /** From 0 to below 1. */
  #chance(): number {
    this.#seed = (Math.imul(this.#seed, 1_664_525) + 1_013_904_223) >>> 0;
    return this.#seed / 2 ** 32;
  }

  async #start(): Promise<Running> {
    const at = performance.now();
    const settings = [
      `cache.disk.path=${this.#directory}/var`,
      'cache.disk.size=2GB',
      'cache.memory=32MB',
      'log.access=off',
      'debug_header=CDN-Cache',
    ];
    const args = [CLI, '--origin', this.#origin.url, '--listen', '127.0.0.1:0', '--admin', '127.0.0.1:0'];
    const child = spawn(process.execPath, [...args, ...settings.flatMap((one) => ['--set', one])], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, PATINA_ADMIN_TOKEN: TOKEN },
    });
    child.stderr.on('data', (bytes: Buffer) => this.complaints.push(`stderr: ${bytes.toString().trim()}`));
    const [port, adminPort] = await new Promise<[number, number]>((resolve, reject) => {
      let said = '';
      child.stdout.on('data', (bytes: Buffer) => {
        said += bytes.toString();
        const ports = [...said.matchAll(/127\.0\.0\.1:(\d+)/g)].map((match) => Number(match[1]));
        if (said.includes('\n')) resolve([ports[0] ?? 0, ports.at(-1) ?? 0]);
      });
      child.once('exit', (code) => reject(new Error(`it ended with ${code}: ${said}`)));
    });
    return { child, port, adminPort, readyMs: performance.now() - at };
  }

  /** Loads, kills, starts again, looks. */
  async round(): Promise<RoundResult> {
    const before = this.#running;
    if (before === undefined) throw new Error('nothing runs');
    const [least, most] = KILL_MS;
    const killAt = performance.now() + least + this.#chance() * (most - least);
    const load = await this.#load(before, killAt);
    const gone = new Promise((resolve) => before.child.once('exit', resolve));
    before.child.kill('SIGKILL');
    await gone;
    await load.over;
    const after = await this.#start();
    this.#running = after;
    // The rest may be there or not.
    this.#stored.clear();
    const due = [...this.#onDisk];
    const looked = await this.#look(after, due);
    const refreshes = await this.#refresh(after, due);
    return {
      readyMs: after.readyMs,
      answered: load.tally.answered,
      wrong: load.tally.wrong + looked.wrong,
      due: due.length,
      lost: looked.lost,
      ...refreshes,
    };
  }

  /** Asks for random keys until the time to kill; resolves then, while answers are still on their way. */
  async #load(
    to: Running,
    killAt: number,
  ): Promise<{ tally: { answered: number; wrong: number }; over: Promise<unknown> }> {
    const tally = { answered: 0, wrong: 0 };
    const agent = new Agent({ keepAlive: true, maxSockets: CLIENTS });
    const client = async (): Promise<void> => {
      while (performance.now() < killAt) {
        const key = `/k${Math.floor(this.#chance() ** 2 * KEYS)}`;
        if (this.#chance() < 0.02) {
          // What is stored of it is out of date, and may make room for what comes.
          this.#origin.change(key);
          this.#stored.delete(key);
          this.#onDisk.delete(key);
        }
        const answer = await askClosely(to.port, key, agent, {});
        if ('how' in answer) {
          if (performance.now() >= killAt) continue;
          tally.wrong++;
          this.complaints.push(`${key}: ${told(answer)}, before the kill`);
          continue;
        }
        tally.answered++;
        const flaw = answer.status === 200 ? flawOf(key, answer.body) : `${key}: status ${answer.status}`;
        if (flaw !== undefined) {
          tally.wrong++;
          this.complaints.push(flaw);
        } else if (this.#origin.isCurrent(key, answer.body)) this.#stored.add(key);
      }
    };
    const poll = async (): Promise<void> => {
      while (performance.now() < killAt) {
        const before = [...this.#stored];
        const answer = await ask(
          to.adminPort,
          '/v1/purge',
          agent,
          OPERATOR,
          JSON.stringify({ url: 'http://none.example/' }),
        );
        // A purge answers when it is on disk, and all that was stored before it.
        if (answer?.status === 200) for (const key of before) if (this.#stored.has(key)) this.#onDisk.add(key);
        await new Promise((resolve) => setTimeout(resolve, POLL_MS));
      }
    };
    const clients = Array.from({ length: CLIENTS }, client);
    const over = Promise.all([...clients, poll()]).finally(() => agent.destroy());
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, killAt - performance.now())));
    return { tally, over };
  }

  /** Asks for what has to be there, and for nothing else. */
  async #look(to: Running, due: readonly string[]): Promise<{ lost: number; wrong: number }> {
    const agent = new Agent({ keepAlive: true, maxSockets: CLIENTS });
    let [lost, wrong] = [0, 0];
    const left = [...due];
    const client = async (): Promise<void> => {
      for (let key = left.pop(); key !== undefined; key = left.pop()) {
        const answer = await askClosely(to.port, key, agent, { 'Cache-Control': 'only-if-cached' });
        if ('how' in answer || answer.status === 504) {
          lost++;
          this.#onDisk.delete(key);
          this.complaints.push(`${key}: lost (${'how' in answer ? told(answer) : answer.status})`);
        } else {
          const flaw = flawOf(key, answer.body);
          if (flaw === undefined) continue;
          wrong++;
          this.complaints.push(flaw);
        }
      }
    };
    await Promise.all(Array.from({ length: CLIENTS }, client));
    agent.destroy();
    return { lost, wrong };
  }

  /** Whether a few of them become fresh again. */
  async #refresh(to: Running, due: readonly string[]): Promise<{ refreshed: number; stuck: number }> {
    const agent = new Agent({ keepAlive: true });
    let [refreshed, stuck] = [0, 0];
    for (let check = 0; check < Math.min(REFRESH_CHECKS, due.length); check++) {
      const key = due[Math.floor(this.#chance() * due.length)] ?? '/k1';
      const until = performance.now() + STUCK_AFTER_MS;
      let isFresh = false;
      while (!isFresh && performance.now() < until) {
        const answer = await ask(to.port, key, agent, {});
        isFresh = answer?.word === 'HIT' || answer?.word === 'MISS';
        if (!isFresh) await new Promise((resolve) => setTimeout(resolve, 20));
      }
      if (isFresh) refreshed++;
      else {
        stuck++;
        this.complaints.push(`${key}: stuck in refreshing`);
      }
    }
    agent.destroy();
    return { refreshed, stuck };
  }

  async end(): Promise<void> {
    const running = this.#running;
    if (running !== undefined) {
      await ended(running.child, this.complaints);
      for (const complaint of this.complaints.splice(0)) process.stdout.write(`  ${complaint}\n`);
    }
    // A process that looks whether the file survived the kill goes last, and may outlive who has begun it.
    rmSync(this.#directory, { recursive: true, force: true, maxRetries: 50, retryDelay: 100 });
  }
}

/** Has it end in good order, as long as there is patience for that. */
export async function ended(child: ChildProcess, complaints: string[]): Promise<void> {
  const gone = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  const late = setTimeout(() => {
    complaints.push(`it did not end within ${ANSWER_MS / 1000} s`);
    child.kill('SIGKILL');
  }, ANSWER_MS);
  await gone;
  clearTimeout(late);
}

const connectedAts = new WeakMap<Socket, number>();

/** Undefined where the answer was cut off. */
export async function ask(...asked: Parameters<typeof askClosely>): Promise<Answer | undefined> {
  const answer = await askClosely(...asked);
  return 'how' in answer ? undefined : answer;
}

/** The same, with what is to be known of one that was cut off. */
export function askClosely(
  port: number,
  path: string,
  agent: Agent,
  headers: Readonly<Record<string, string>>,
  body?: string,
): Promise<Answer | CutOff> {
  return new Promise((resolve) => {
    const method = body === undefined ? 'GET' : 'POST';
    const req = request({
      host: '127.0.0.1',
      port,
      path,
      method,
      agent,
      headers: { Host: 'torture.example', ...headers },
    });
    let connectedAt = performance.now();
    req.on('socket', (socket) => {
      connectedAt = connectedAts.get(socket) ?? connectedAt;
      connectedAts.set(socket, connectedAt);
    });
    req.setTimeout(ANSWER_MS, () => req.destroy(new Error(`nothing came for ${ANSWER_MS / 1000} s`)));
    req.on('error', (error: NodeJS.ErrnoException) =>
      resolve({ how: error.code ?? error.message, connectedAt, begun: undefined }),
    );
    req.on('response', (res) => {
      const chunks: Buffer[] = [];
      const word = res.headers['cdn-cache'] === undefined ? undefined : String(res.headers['cdn-cache']);
      const cutOff = (how: string): void => {
        const bytes = chunks.reduce((sum, { length }) => sum + length, 0);
        resolve({ how, connectedAt, begun: { word, bytes, length: res.headers['content-length'] } });
      };
      res.on('data', (chunk: Buffer) => chunks.push(chunk));
      res.on('error', (error: NodeJS.ErrnoException) => cutOff(error.code ?? error.message));
      res.on('close', () => {
        if (res.complete) resolve({ status: res.statusCode ?? 0, word, body: Buffer.concat(chunks) });
        else cutOff('closed');
      });
    });
    req.end(body);
  });
}

/** For people. */
export function told({ how, begun }: CutOff): string {
  if (begun === undefined) return `no answer, ${how}`;
  return `cut off after ${begun.bytes} of ${begun.length ?? 'unknown'} bytes, ${how}, ${begun.word ?? 'no word'}`;
}
