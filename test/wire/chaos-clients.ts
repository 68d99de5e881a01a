/**
 * Clients that do what clients do on a bad day: leave at any point, dribble, pipeline, reset, end their side, take
 * nothing, break off uploads, die in tunnels. Chosen at random from a seed; one act is one connection.
 */
import { once } from 'node:events';
import { Agent, type IncomingMessage, request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { cutOff } from '../../lib/origin/cut-off.js';
import { chaosBody, FETCHED_KINDS, SENT_KINDS, SWITCHED_KINDS } from './chaos-origin.js';

/** A generator of numbers below 1 from a seed: xorshift, for the same chaos twice. */
export function randomFrom(seed: number): () => number {
  let state = seed | 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}

/** Paths of each kind: few, so that most are asked for more than once. */
const PATHS_PER_KIND = 6;
/** Longest time that a rude client waits for anything. */
const PATIENCE_MS = 6_000;
const UPLOAD_PIECE = Buffer.alloc(16 * 1024, 'u');

export interface ChaosTally {
  acts: number;
  /** Whole answers of well-behaved paths, with the right bytes. */
  good: number;
  /** Answers that cannot be: a whole one with the wrong bytes. Each a sentence. */
  readonly wrong: string[];
  readonly statuses: Map<number, number>;
}

export class ChaosClients {
  readonly tally: ChaosTally = { acts: 0, good: 0, wrong: [], statuses: new Map() };
  readonly #port: number;
  readonly #random: () => number;
  readonly #sockets = new Set<Socket>();
  /** Paths that an orderly client waits for an answer of. */
  readonly awaited = new Set<string>();
  readonly #patienceMs: number | undefined;
  #isOver = false;

  /** `patienceMs`: an orderly client that has waited for so long was forgotten. Without, it waits: how long an answer takes depends on how busy the machine is. */
  constructor(port: number, seed: number, patienceMs?: number) {
    this.#port = port;
    this.#patienceMs = patienceMs;
    this.#random = randomFrom(seed);
  }

  /** Runs so many acts at once until stop(). */
  async run(concurrency: number): Promise<void> {
    const actor = async (): Promise<void> => {
      while (!this.#isOver) {
        this.tally.acts++;
        await this.#act();
      }
    };
    await Promise.all(Array.from({ length: concurrency }, actor));
  }

  /** Starts no further act. */
  stop(): void {
    this.#isOver = true;
  }

  #pick<T>(among: readonly T[]): T {
    return among[Math.floor(this.#random() * among.length)] as T;
  }

  #path(kind: string = this.#pick(FETCHED_KINDS)): string {
    return `/${kind}/${Math.floor(this.#random() * PATHS_PER_KIND)}`;
  }

  async #act(): Promise<void> {
    const acts = [
      () => this.#reads(),
      () => this.#reads(),
      () => this.#leaves(),
      () => this.#leaves(),
      () => this.#dribbles(),
      () => this.#pipelines(),
      () => this.#endsItsSide(),
      () => this.#takesNothing(),
      () => this.#uploads(),
      () => this.#uploads(),
      () => this.#uploadsByChunks(),
      () => this.#expects(),
      () => this.#switches(),
      () => this.#switches(),
      () => this.#talksNonsense(),
      () => this.#idles(),
    ];
    await this.#pick(acts)();
  }

  /** Several requests of an orderly client on one connection. */
  async #reads(): Promise<void> {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const count = 1 + Math.floor(this.#random() * 12);
    for (let i = 0; i < count && !this.#isOver; i++) {
      const path = this.#path(
        this.#random() < 0.6 ? this.#pick(['ok', 'large', 'slow', 'dribble', 'private']) : undefined,
      );
      await this.#read(agent, path);
    }
    agent.destroy();
  }

  async #read(agent: Agent, path: string): Promise<void> {
    const call = request({ port: this.#port, host: '127.0.0.1', path, agent, headers: { Host: 'chaos.test' } });
    const late = (): void => void call.destroy(new Error('late'));
    const timer = this.#patienceMs === undefined ? undefined : setTimeout(late, this.#patienceMs);
    this.awaited.add(path);
    try {
      call.end();
      const [response] = (await once(call, 'response')) as [IncomingMessage];
      const chunks: Buffer[] = [];
      for await (const chunk of response) chunks.push(chunk as Buffer);
      this.#judge(path, response.statusCode ?? 0, Buffer.concat(chunks));
    } catch (error) {
      if (error instanceof Error && error.message === 'late') this.tally.wrong.push(`${path}: no answer in time`);
    } finally {
      clearTimeout(timer);
      this.awaited.delete(path);
    }
  }

  #judge(path: string, status: number, body: Buffer): void {
    const { statuses, wrong } = this.tally;
    statuses.set(status, (statuses.get(status) ?? 0) + 1);
    if (status !== 200) return;
    const [, kind = ''] = path.split('/');
    if (['bad-chunk', 'two-lengths', 'reset-till-close', 'too-long'].includes(kind)) return;
    if (body.equals(chaosBody(path))) this.tally.good++;
    else wrong.push(`${path}: 200 with ${body.length} bytes that are not its own`);
  }

  async #connected(): Promise<Socket> {
    const socket = connect({ port: this.#port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true });
    this.#sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => this.#sockets.delete(socket));
    await Promise.race([once(socket, 'connect').catch(() => undefined), pause(PATIENCE_MS)]);
    return socket;
  }

  /** One of the ways to go. */
  #go(socket: Socket): void {
    const way = this.#random();
    if (way < 0.5) cutOff(socket);
    else socket.destroy();
  }

  async #leaves(): Promise<void> {
    const socket = await this.#connected();
    const head = `GET ${this.#path()} HTTP/1.1\r\nHost: chaos.test\r\n\r\n`;
    const isWhole = this.#random() < 0.7;
    socket.write(isWhole ? head : head.slice(0, Math.floor(this.#random() * head.length)));
    socket.on('data', () => {});
    await pause(this.#random() ** 2 * 200);
    this.#go(socket);
  }

  async #dribbles(): Promise<void> {
    const socket = await this.#connected();
    socket.on('data', () => {});
    const bytes = `GET ${this.#path('ok')} HTTP/1.1\r\nHost: chaos.test\r\n\r\n`;
    for (const byte of bytes) {
      if (!socket.writable) break;
      socket.write(byte);
      await pause(2);
    }
    await pause(50);
    this.#go(socket);
  }

  async #pipelines(): Promise<void> {
    const socket = await this.#connected();
    const count = this.#random() < 0.1 ? 400 : 20;
    let bytes = '';
    for (let i = 0; i < count; i++) bytes += `GET ${this.#path()} HTTP/1.1\r\nHost: chaos.test\r\n\r\n`;
    socket.write(bytes);
    if (this.#random() < 0.7) socket.on('data', () => {});
    await pause(this.#random() * 500);
    this.#go(socket);
  }

  async #endsItsSide(): Promise<void> {
    const socket = await this.#connected();
    socket.on('data', () => {});
    socket.end(`GET ${this.#path()} HTTP/1.1\r\nHost: chaos.test\r\n\r\n`);
    await Promise.race([once(socket, 'close').catch(() => undefined), pause(PATIENCE_MS)]);
    socket.destroy();
  }

  async #takesNothing(): Promise<void> {
    const socket = await this.#connected();
    socket.write(`GET ${this.#path(this.#pick(['large', 'private']))} HTTP/1.1\r\nHost: chaos.test\r\n\r\n`);
    await pause(this.#random() * 4_000);
    this.#go(socket);
  }

  async #uploads(): Promise<void> {
    const socket = await this.#connected();
    if (this.#random() < 0.8) socket.on('data', () => {});
    const pieces = Math.floor(this.#random() * 40);
    const length = pieces * UPLOAD_PIECE.length;
    const method = this.#pick(['POST', 'PUT', 'PATCH', 'GET']);
    socket.write(`${method} ${this.#path(this.#pick(SENT_KINDS))} HTTP/1.1\r\nHost: chaos.test\r\n`);
    socket.write(`Content-Length: ${length}\r\n\r\n`);
    const sent = this.#random() < 0.5 ? pieces : Math.floor(this.#random() * pieces);
    await this.#sendPieces(socket, sent, UPLOAD_PIECE);
    if (this.#random() < 0.2) socket.end();
    await pause(this.#random() * 300);
    this.#go(socket);
  }

  async #uploadsByChunks(): Promise<void> {
    const socket = await this.#connected();
    socket.on('data', () => {});
    socket.write(`POST ${this.#path(this.#pick(SENT_KINDS))} HTTP/1.1\r\nHost: chaos.test\r\n`);
    socket.write('Transfer-Encoding: chunked\r\n\r\n');
    await this.#sendPieces(socket, Math.floor(this.#random() * 20), Buffer.from(`400\r\n${'c'.repeat(1024)}\r\n`));
    const end = this.#random();
    if (end < 0.5) socket.write('0\r\n\r\n');
    else if (end < 0.7) socket.write('zz\r\n');
    await pause(this.#random() * 300);
    this.#go(socket);
  }

  async #sendPieces(socket: Socket, count: number, piece: Buffer): Promise<void> {
    for (let i = 0; i < count && socket.writable; i++) {
      if (!socket.write(piece)) await Promise.race([once(socket, 'drain').catch(() => undefined), pause(500)]);
      if (this.#random() < 0.05) await pause(20);
    }
  }

  async #expects(): Promise<void> {
    const socket = await this.#connected();
    socket.on('data', () => {});
    socket.write(`PUT ${this.#path(this.#pick(SENT_KINDS))} HTTP/1.1\r\nHost: chaos.test\r\n`);
    socket.write('Expect: 100-continue\r\nContent-Length: 1024\r\n\r\n');
    await pause(this.#random() * 100);
    if (this.#random() < 0.6 && socket.writable) socket.write(Buffer.alloc(1024));
    await pause(this.#random() * 200);
    this.#go(socket);
  }

  async #switches(): Promise<void> {
    const socket = await this.#connected();
    const isReader = this.#random() < 0.7;
    if (isReader) socket.on('data', () => {});
    socket.write(`GET ${this.#path(this.#pick(SWITCHED_KINDS))} HTTP/1.1\r\nHost: chaos.test\r\n`);
    socket.write('Connection: Upgrade\r\nUpgrade: echo\r\n\r\nearly bytes');
    for (let i = 0; i < 5 && socket.writable; i++) {
      socket.write('x'.repeat(5_000));
      await pause(this.#random() * 60);
    }
    const end = this.#random();
    if (end < 0.3 && socket.writable) {
      socket.end();
      await pause(100);
    }
    this.#go(socket);
  }

  async #talksNonsense(): Promise<void> {
    const socket = await this.#connected();
    socket.on('data', () => {});
    const lines = [
      'CONNECT chaos.test:443 HTTP/1.1\r\nHost: chaos.test\r\n\r\n',
      'GET / HTTP/1.1\r\n\r\n',
      'GET /ok/1 HTTP/1.1\r\nHost: chaos.test\r\nHost: b\r\n\r\n',
      `GET /${'a'.repeat(9_000)} HTTP/1.1\r\nHost: chaos.test\r\n\r\n`,
      `GET / HTTP/1.1\r\nHost: chaos.test\r\nX: ${'a'.repeat(50_000)}\r\n\r\n`,
      'POST /sink/1 HTTP/1.1\r\nHost: chaos.test\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n',
      '\x16\x03\x01\0\xa5\x01\0\0\xa1\x03\x03',
      'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
    ];
    socket.write(this.#pick(lines), 'latin1');
    await pause(this.#random() * 50);
    this.#go(socket);
  }

  async #idles(): Promise<void> {
    const socket = await this.#connected();
    await pause(this.#random() * 1_500);
    this.#go(socket);
  }
}
