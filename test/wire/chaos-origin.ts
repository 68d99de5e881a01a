/**
 * An origin that misbehaves on request: the first segment of the path names how. Raw sockets, for most of what it does
 * cannot be had from an HTTP server. Answers of the well-behaved paths can be told to be right from the path alone.
 */
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { cutOff } from '../../lib/origin/cut-off.js';

/** Bytes of the bodies, by the path's first segment; 1 KB for any other. */
const BODY_BYTES: Readonly<Record<string, number>> = { large: 3_000_000, private: 2_000_000, dribble: 4_000 };

/** The body that belongs to a path. */
export function chaosBody(path: string): Buffer {
  const [, kind = ''] = path.split('/');
  return Buffer.alloc(BODY_BYTES[kind] ?? 1_000, `${path} `);
}

interface Asked {
  readonly method: string;
  readonly path: string;
  readonly head: string;
  readonly hasBody: boolean;
}

type Act = (socket: Socket, asked: Asked) => void | Promise<void>;

const CACHEABLE = 'Cache-Control: max-age=1, stale-while-revalidate=1, stale-if-error=1\r\nETag: "1"\r\n';
const PRIVATE = 'Cache-Control: no-store\r\n';

function answer(socket: Socket, { method, path, head }: Asked, fields: string): void {
  if (fields === CACHEABLE && /\r\nif-none-match: "1"/i.test(head)) {
    socket.write(`HTTP/1.1 304 Not Modified\r\n${fields}\r\n`);
    return;
  }
  const body = chaosBody(path);
  socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n${fields}\r\n`);
  if (method !== 'HEAD') socket.write(body);
}

/** Head and half a body. */
function half(socket: Socket, asked: Asked): void {
  const body = chaosBody(asked.path);
  socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n${CACHEABLE}\r\n`);
  socket.write(body.subarray(0, body.length / 2));
}

/** Bytes that are on their way arrive before what is done after this. */
const SETTLE_MS = 5;

const upgraded = 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n';

/** What is asked for with GET or HEAD. */
const FETCHED: Readonly<Record<string, Act>> = {
  ok: (socket, asked) => answer(socket, asked, CACHEABLE),
  large: (socket, asked) => answer(socket, asked, CACHEABLE),
  private: (socket, asked) => answer(socket, asked, PRIVATE),
  slow: async (socket, asked) => {
    await pause(100);
    answer(socket, asked, CACHEABLE);
  },
  dribble: async (socket, asked) => {
    const body = chaosBody(asked.path);
    socket.write(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n${CACHEABLE}\r\n`);
    for (let at = 0; at < body.length && !socket.destroyed && asked.method !== 'HEAD'; at += 250) {
      socket.write(`fa\r\n${body.subarray(at, at + 250)}\r\n`);
      await pause(10);
    }
    if (asked.method !== 'HEAD') socket.write('0\r\n\r\n');
  },
  hang: () => {},
  'hang-in-head': (socket) => void socket.write('HTTP/1.1 200 OK\r\nContent-'),
  'hang-in-body': half,
  'reset-at-once': (socket) => cutOff(socket),
  'reset-in-head': async (socket) => {
    socket.write('HTTP/1.1 200 OK\r\nContent-');
    await pause(SETTLE_MS);
    cutOff(socket);
  },
  'reset-in-body': async (socket, asked) => {
    half(socket, asked);
    await pause(SETTLE_MS);
    cutOff(socket);
  },
  'reset-till-close': async (socket) => {
    socket.write(`HTTP/1.1 200 OK\r\n${CACHEABLE}Connection: close\r\n\r\nabc`);
    await pause(SETTLE_MS);
    cutOff(socket);
  },
  'end-at-once': (socket) => void socket.end(),
  'end-in-body': (socket, asked) => {
    half(socket, asked);
    socket.end();
  },
  'end-in-chunk': (socket) =>
    void socket.end(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n${CACHEABLE}\r\nffff\r\nabc`),
  garbage: (socket) => void socket.write('\0\x01no http at all\r\n\r\n'),
  'bad-chunk': (socket) => void socket.write(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n`),
  'two-lengths': (socket) => void socket.write('HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd'),
  'too-long': (socket) => void socket.write(`HTTP/1.1 200 OK\r\nContent-Length: 3\r\n${CACHEABLE}\r\nabcdef`),
  'endless-head': async (socket) => {
    socket.write('HTTP/1.1 200 OK\r\n');
    while (!socket.destroyed) {
      socket.write(`X: ${'x'.repeat(8_000)}\r\n`);
      await pause(SETTLE_MS);
    }
  },
  interims: (socket) => void socket.write('HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n'.repeat(60)),
  unsolicited: (socket) => void socket.write(`HTTP/1.1 304 Not Modified\r\n${CACHEABLE}\r\n`),
  failing: (socket) => void socket.write('HTTP/1.1 503 Service Unavailable\r\nContent-Length: 2\r\n\r\nno'),
};

/** What is asked for with a body: called when the head is here. */
const SENT: Readonly<Record<string, Act>> = {
  early: (socket) =>
    void socket.end('HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Length: 2\r\n\r\nno'),
  'early-and-reset': async (socket) => {
    socket.write('HTTP/1.1 413 Content Too Large\r\nContent-Length: 2\r\n\r\nno');
    await pause(SETTLE_MS);
    cutOff(socket);
  },
  'early-half': (socket) => void socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2000\r\n\r\nno'),
  deaf: (socket) => void socket.pause(),
  'reset-upload': (socket) => cutOff(socket),
  'end-upload': (socket) => void socket.end(),
};

const SWITCHED: Readonly<Record<string, Act>> = {
  echo: (socket) => {
    socket.write(upgraded);
    socket.pipe(socket);
  },
  'echo-dies': async (socket) => {
    socket.write(upgraded);
    socket.write('x'.repeat(200_000));
    await pause(30);
    cutOff(socket);
  },
  'echo-ends': (socket) => void socket.end(`${upgraded}bye`),
  flood: (socket) => {
    socket.write(upgraded);
    const piece = Buffer.alloc(64 * 1024);
    const more = () => {
      while (socket.writable && socket.write(piece));
    };
    socket.on('drain', more);
    more();
  },
  refused: (socket) => void socket.write('HTTP/1.1 426 Upgrade Required\r\nContent-Length: 2\r\n\r\nno'),
  'refused-half': (socket) => void socket.write('HTTP/1.1 403 Forbidden\r\nContent-Length: 2000\r\n\r\nno'),
  'hang-upgrade': () => {},
  'reset-upgrade': (socket) => cutOff(socket),
  'garbage-upgrade': (socket) => void socket.write('HTTP/1.1 101 \r\n\0\r\n\r\n'),
};

export const FETCHED_KINDS: readonly string[] = Object.keys(FETCHED);
export const SENT_KINDS: readonly string[] = ['sink', ...Object.keys(SENT)];
export const SWITCHED_KINDS: readonly string[] = Object.keys(SWITCHED);

/** Reads the requests of one connection, one after the other, and does as their paths say. */
class Conversation {
  readonly #socket: Socket;
  #text = '';
  /** Bytes of the present body that are still to come; `chunks` until the last chunk. */
  #bodyLeft: number | 'chunks' = 0;
  /** Done when the body is here. */
  #then: (() => void) | undefined;
  #isSwitched = false;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (chunk: Buffer) => {
      if (this.#isSwitched) return;
      this.#text += chunk.toString('latin1');
      this.#read();
    });
    socket.on('end', () => socket.end());
    socket.on('error', () => socket.destroy());
  }

  #read(): void {
    for (;;) {
      if (!this.#skipBody()) return;
      const end = this.#text.indexOf('\r\n\r\n');
      if (end < 0) return;
      const head = this.#text.slice(0, end + 2);
      this.#text = this.#text.slice(end + 4);
      this.#begin(head);
    }
  }

  /** Whether the body of the present request is behind us. */
  #skipBody(): boolean {
    if (this.#bodyLeft === 'chunks') {
      const end = this.#text.indexOf('0\r\n\r\n');
      if (end < 0) {
        this.#text = this.#text.slice(-4);
        return false;
      }
      this.#text = this.#text.slice(end + 5);
    } else {
      const taken = Math.min(this.#bodyLeft, this.#text.length);
      this.#text = this.#text.slice(taken);
      this.#bodyLeft -= taken;
      if (this.#bodyLeft > 0) return false;
    }
    this.#bodyLeft = 0;
    const then = this.#then;
    this.#then = undefined;
    then?.();
    return true;
  }

  #begin(head: string): void {
    const [method = '', target = ''] = head.split(' ', 2);
    const [, kind = ''] = target.split('/');
    const length = Number(/\r\ncontent-length: (\d+)/i.exec(head)?.[1] ?? 0);
    const isChunked = /\r\ntransfer-encoding: chunked/i.test(head);
    const asked = { method, path: target, head, hasBody: isChunked || length > 0 };
    const socket = this.#socket;
    if (/\r\nupgrade: /i.test(head)) {
      this.#isSwitched = true;
      void SWITCHED[kind]?.(socket, asked);
      return;
    }
    if (!asked.hasBody) {
      void (FETCHED[kind] ?? FETCHED['ok'])?.(socket, asked);
      return;
    }
    this.#bodyLeft = isChunked ? 'chunks' : length;
    if (/\r\nexpect: 100/i.test(head) && kind === 'sink') socket.write('HTTP/1.1 100 Continue\r\n\r\n');
    const act = SENT[kind];
    if (act !== undefined) void act(socket, asked);
    else this.#then = () => answer(socket, asked, PRIVATE);
  }
}

export interface ChaosOrigin {
  readonly port: number;
  /** Refuses connections, and cuts those that there are. */
  goAway(): Promise<void>;
  comeBack(): Promise<void>;
}

export async function startChaosOrigin(): Promise<ChaosOrigin> {
  const sockets = new Set<Socket>();
  let server = createServer();
  const listen = async (port: number): Promise<void> => {
    server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
      sockets.add(socket);
      socket.on('close', () => sockets.delete(socket));
      new Conversation(socket);
    });
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
  };
  await listen(0);
  const { port } = server.address() as AddressInfo;
  return {
    port,
    async goAway() {
      const closed = once(server, 'close');
      server.close();
      for (const socket of sockets) cutOff(socket);
      await closed;
    },
    comeBack: () => listen(port),
  };
}
