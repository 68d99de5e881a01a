/** One connection that asks for one thing after another, and knows when each answer is whole. For checks, warming and timing. */
import { connect, type Socket } from 'node:net';

export interface Answer {
  readonly status: number;
  /** Names in lower case; of repeated fields the last. */
  readonly fields: ReadonlyMap<string, string>;
  readonly bodyBytes: number;
  /** From the request to the first byte, and to the last. */
  readonly firstMs: number;
  readonly lastMs: number;
}

const HEAD_END = '\r\n\r\n';
const GIVE_UP_MS = 60_000;

interface Pending {
  readonly sentAt: number;
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: Error) => void;
}

/** Where the answer ends: after so many bytes, after the last chunk, or with the connection. */
type Framing = { readonly kind: 'length'; readonly bytes: number } | { readonly kind: 'chunked' | 'close' };

function parseHead(head: string): { status: number; fields: Map<string, string>; framing: Framing } {
  const [first = '', ...lines] = head.split('\r\n');
  const fields = new Map<string, string>();
  for (const line of lines) {
    const colon = line.indexOf(':');
    fields.set(line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim());
  }
  const status = Number(first.slice(9, 12));
  const length = fields.get('content-length');
  const framing: Framing =
    status === 304 || status === 204
      ? { kind: 'length', bytes: 0 }
      : fields.get('transfer-encoding') === 'chunked'
        ? { kind: 'chunked' }
        : length === undefined
          ? { kind: 'close' }
          : { kind: 'length', bytes: Number(length) };
  return { status, fields, framing };
}

export class Client {
  readonly #socket: Socket;
  readonly #port: number;
  #pending: Pending | undefined;
  #head: Buffer = Buffer.alloc(0);
  #answer: ReturnType<typeof parseHead> | undefined;
  #bodyBytes = 0;
  #firstMs = 0;
  /** The last bytes, where an end is looked for in them. */
  #tail = '';

  private constructor(socket: Socket, port: number) {
    this.#socket = socket;
    this.#port = port;
    socket.setNoDelay(true);
    socket.setTimeout(GIVE_UP_MS, () => socket.destroy(new Error(`nothing came for ${GIVE_UP_MS} ms`)));
    socket.on('data', (chunk) => this.#take(typeof chunk === 'string' ? Buffer.from(chunk) : chunk));
    socket.on('error', (error) => this.#fail(error));
    socket.on('close', () => {
      if (this.#answer?.framing.kind === 'close') this.#finish();
      else this.#fail(new Error('the connection ended within the answer'));
    });
  }

  static open(port: number): Promise<Client> {
    return new Promise((resolve, reject) => {
      const socket = connect(port, '127.0.0.1');
      socket.once('error', reject);
      socket.once('connect', () => {
        socket.off('error', reject);
        resolve(new Client(socket, port));
      });
    });
  }

  get(path: string, headers: Readonly<Record<string, string>> = {}): Promise<Answer> {
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
    return new Promise((resolve, reject) => {
      // Its end has been told already, and nothing more is.
      if (this.#socket.destroyed) {
        reject(new Error('the connection had ended before'));
        return;
      }
      this.#pending = { sentAt: performance.now(), resolve, reject };
      this.#firstMs = 0;
      this.#socket.write(`GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${this.#port}\r\n${lines.join('')}\r\n`, 'latin1');
    });
  }

  close(): void {
    this.#socket.destroy();
  }

  #take(chunk: Buffer): void {
    if (this.#pending === undefined) return;
    if (this.#firstMs === 0) this.#firstMs = performance.now() - this.#pending.sentAt;
    if (this.#answer !== undefined) {
      this.#body(chunk);
      return;
    }
    this.#head = this.#head.length === 0 ? chunk : Buffer.concat([this.#head, chunk]);
    const end = this.#head.indexOf(HEAD_END);
    if (end < 0) return;
    this.#answer = parseHead(this.#head.toString('latin1', 0, end));
    const rest = this.#head.subarray(end + HEAD_END.length);
    this.#head = Buffer.alloc(0);
    this.#body(rest);
  }

  #body(bytes: Buffer): void {
    const framing = this.#answer?.framing;
    this.#bodyBytes += bytes.length;
    if (framing?.kind === 'length') {
      if (this.#bodyBytes >= framing.bytes) this.#finish();
    } else if (framing?.kind === 'chunked') {
      // Enough for what the bench measures: the last chunk without trailers ends the answer.
      this.#tail = (this.#tail + bytes.toString('latin1')).slice(-7);
      if (this.#tail.endsWith('0\r\n\r\n')) this.#finish();
    }
  }

  #finish(): void {
    const { status = 0, fields = new Map() } = this.#answer ?? {};
    const pending = this.#pending;
    const bodyBytes = this.#bodyBytes;
    this.#answer = undefined;
    this.#pending = undefined;
    this.#bodyBytes = 0;
    this.#tail = '';
    if (pending === undefined) return;
    pending.resolve({ status, fields, bodyBytes, firstMs: this.#firstMs, lastMs: performance.now() - pending.sentAt });
  }

  #fail(error: Error): void {
    this.#pending?.reject(error);
    this.#pending = undefined;
  }
}

/** Asks for all of them, some at a time; an answer of another status is an error. */
export async function warmAll(port: number, paths: Iterable<string>, connections = 32): Promise<void> {
  const left = paths[Symbol.iterator]();
  const ask = async () => {
    const client = await Client.open(port);
    try {
      for (let next = left.next(); next.done !== true; next = left.next()) {
        const { status } = await client.get(next.value);
        if (status !== 200) throw new Error(`${next.value} answers ${status} while the ground is laid`);
      }
    } finally {
      client.close();
    }
  };
  await Promise.all(Array.from({ length: connections }, ask));
}
