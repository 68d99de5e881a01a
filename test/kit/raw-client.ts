/**
 * A client at the level of sockets: sends the bytes it is given and reads responses strictly, several on one
 * connection, so that bad framing of ours is caught rather than forgiven.
 *
 *   const client = await connectRaw(port);
 *   client.send('GET /a HTTP/1.1\r\nHost: a\r\n\r\nGET /b HTTP/1.1\r\nHost: a\r\n\r\n');
 *   const a = await client.response();                 // whole: a.status, a.field('age'), a.body, a.interim, a.trailers
 *   const b = await client.head();                     // as soon as the head is here
 *   await b.received(10);                              // ... ten bytes of the body
 *   await b.whole();                                   // ... all of it
 *   t.equal(await client.ended, 'finished');           // or 'reset'
 *
 * A response to HEAD must be asked for with response('HEAD'). Where the connection ends before the response does,
 * these reject with CutOff, which tells how it ended and what had arrived.
 */

import { connect as connectTcp, type Socket } from 'node:net';
import { cutOff } from '../../lib/origin/cut-off.js';
import { BodyScanner, type Framing, fieldOf, framingOf, Inbox, parseHead } from './message.js';

/** `finished`: the peer ended it cleanly (FIN); `reset`: RST; `left`: this client closed it. */
export type Ending = 'finished' | 'reset' | 'left';

export class CutOff extends Error {
  override readonly name = 'CutOff';
  readonly ending: Ending;
  /** Body bytes that had arrived. */
  readonly received: Buffer;

  constructor(ending: Ending, received: Buffer) {
    super(`the connection ended (${ending}) before the response was complete; ${received.length} body bytes came`);
    this.ending = ending;
    this.received = received;
  }
}

export interface RawHead {
  readonly httpVersion: string;
  readonly status: number;
  readonly reason: string;
  /** Names and values in turn, as sent. */
  readonly fields: readonly string[];
  /** All lines of a field joined, or undefined. */
  field(name: string): string | undefined;
}

export interface RawResponse extends RawHead {
  /** Interim responses that came before it. */
  readonly interim: readonly RawHead[];
  readonly framing: Framing['kind'];
  /** Body bytes received up to now, transfer coding removed. */
  readonly body: Buffer;
  readonly trailers: readonly string[];
  /** Resolves with all body bytes once at least `bytes` of them are here. */
  received(bytes: number): Promise<Buffer>;
  /** Resolves once the message is complete. */
  whole(): Promise<RawResponse>;
}

function makeHead(text: string): RawHead {
  const { startLine, raw } = parseHead(text);
  const match = /^HTTP\/(\d\.\d) (\d{3}) (.*)$/.exec(startLine);
  if (match === null) throw new Error(`not a status line: ${JSON.stringify(startLine)}`);
  const [, httpVersion = '', status = '', reason = ''] = match;
  return { httpVersion, status: Number(status), reason, fields: raw, field: (name) => fieldOf(raw, name) };
}

export class RawClient {
  readonly socket: Socket;
  /** How the connection ended. A peer that ends its half is answered with ours. */
  readonly ended: Promise<Ending>;
  readonly #inbox = new Inbox();
  #wake: (() => void)[] = [];
  #ending: Ending | undefined;
  #left = false;
  #scanner: BodyScanner | undefined;
  /** The first violation of the grammar: what every waiting call rejects with. */
  #fault: Error | undefined;
  /** Every byte received on the connection, before any parsing. */
  receivedBytes = 0;

  constructor(socket: Socket) {
    this.socket = socket;
    this.ended = new Promise((resolve) => {
      const settle = (ending: Ending): void => {
        this.#ending ??= ending;
        if (ending === 'finished') this.#scanner?.end();
        this.#notify();
        resolve(this.#ending);
      };
      socket.on('end', () => settle('finished'));
      socket.on('error', () => settle('reset'));
      socket.on('close', () => settle(this.#left ? 'left' : 'reset'));
    });
    socket.on('data', (chunk: Buffer) => {
      this.receivedBytes += chunk.length;
      this.#inbox.add(chunk);
      this.#feed();
      this.#notify();
    });
  }

  send(bytes: string | Buffer): this {
    this.socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes);
    return this;
  }

  /** Ends this side only (FIN): answers may still come. */
  finish(): void {
    this.socket.end();
  }

  /** Leaves with RST. */
  reset(): void {
    this.#left = true;
    cutOff(this.socket);
  }

  /** Leaves. */
  close(): void {
    this.#left = true;
    this.socket.destroy();
  }

  /** Stops reading, as a slow client does; resume() reads on. */
  pause(): void {
    this.socket.pause();
  }

  resume(): void {
    this.socket.resume();
  }

  /** The next final response, as soon as its head is here. The one before must be complete. */
  async head(method = 'GET'): Promise<RawResponse> {
    await this.#until(() => this.#scanner === undefined || this.#scanner.isComplete);
    this.#scanner = undefined;
    const interim: RawHead[] = [];
    for (;;) {
      let text: string | undefined;
      await this.#until(() => {
        text ??= this.#inbox.takeThrough('\r\n\r\n');
        return text !== undefined;
      });
      const head = makeHead((text ?? '').slice(0, -4));
      if (head.status < 200 && head.status !== 101) interim.push(head);
      else return this.#open(head, interim, method);
    }
  }

  #open(head: RawHead, interim: RawHead[], method: string): RawResponse {
    const bodiless = method === 'HEAD' || head.status === 204 || head.status === 304 || head.status === 101;
    const framing: Framing = bodiless ? { kind: 'none' } : framingOf(head.fields, 'close');
    const scanner = new BodyScanner(framing);
    this.#scanner = head.status === 101 ? undefined : scanner;
    this.#feed();
    if (this.#ending === 'finished') scanner.end();
    const response: RawResponse = {
      ...head,
      interim,
      framing: framing.kind,
      get body() {
        return scanner.bytes;
      },
      get trailers() {
        return scanner.trailers;
      },
      received: async (bytes) => {
        await this.#until(() => scanner.takenBytes >= bytes);
        return scanner.bytes;
      },
      whole: async () => {
        await this.#until(() => scanner.isComplete);
        return response;
      },
    };
    return response;
  }

  /** The next final response, complete. */
  async response(method = 'GET'): Promise<RawResponse> {
    return (await this.head(method)).whole();
  }

  /** Takes at least `bytes` bytes as they are: for tunnels. */
  async bytes(bytes: number): Promise<Buffer> {
    await this.#until(() => this.#inbox.length >= bytes);
    return this.#inbox.take(Number.POSITIVE_INFINITY);
  }

  /** Bytes that arrived and belong to no response yet. */
  get surplusBytes(): number {
    return this.#inbox.length;
  }

  #feed(): void {
    try {
      this.#scanner?.feed(this.#inbox);
    } catch (cause) {
      this.#fault = new Error('the response breaks the grammar', { cause });
    }
  }

  #notify(): void {
    const wake = this.#wake;
    this.#wake = [];
    for (const run of wake) run();
  }

  async #until(holds: () => boolean): Promise<void> {
    while (!holds()) {
      if (this.#fault !== undefined) throw this.#fault;
      if (this.#ending !== undefined) throw new CutOff(this.#ending, this.#scanner?.bytes ?? Buffer.alloc(0));
      await new Promise<void>((resolve) => this.#wake.push(resolve));
    }
  }
}

export async function connectRaw(port: number, host = '127.0.0.1'): Promise<RawClient> {
  const socket = connectTcp({ port, host, noDelay: true });
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve);
    socket.once('error', reject);
  });
  return new RawClient(socket);
}

/** One request on a connection of its own; the connection is closed afterwards. */
export async function exchangeRaw(port: number, bytes: string | Buffer, method = 'GET'): Promise<RawResponse> {
  const client = await connectRaw(port);
  try {
    return await client.send(bytes).response(method);
  } finally {
    client.close();
  }
}
