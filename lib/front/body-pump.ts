/**
 * Sends a body piece by piece, as the client takes it, and never with a clean end where it broke off.
 * Implements RFC 9112 §7.1.2 (trailers), §8 (incomplete messages).
 */
import { FOLLOW_PIECE_BYTES, WRITE_AT_ONCE_BYTES, WRITE_PIECE_BYTES } from '../base/limits.js';
import type { Payload, TrailerSource } from '../engine/contract.js';
import type { Fields } from '../http/fields.js';
import { isValue } from '../http/lines.js';
import { isToken, splitList } from '../http/tokens.js';
import type { BodyReader } from '../object/body.js';
import { NO_BYTES } from '../object/chunks.js';

/** Whether a payload goes out in one go, without a pump. */
export function isWrittenAtOnce(payload: Payload): boolean {
  return payload.kind === 'none' || (payload.kind === 'bytes' && payload.length <= WRITE_AT_ONCE_BYTES);
}

/** Reads a payload of bytes piece by piece, like a body that is here. */
class Pieces implements BodyReader {
  readonly #chunks: readonly Buffer[];
  #chunkIndex = 0;
  #offset = 0;

  constructor(chunks: readonly Buffer[]) {
    this.#chunks = chunks;
  }

  read(): Buffer | 'end' {
    const chunk = this.#chunks[this.#chunkIndex];
    if (chunk === undefined) return 'end';
    const from = this.#offset;
    const until = Math.min(chunk.length, from + WRITE_PIECE_BYTES);
    if (until === chunk.length) {
      this.#chunkIndex++;
      this.#offset = 0;
    } else {
      this.#offset = until;
    }
    return from === 0 && until === chunk.length ? chunk : chunk.subarray(from, until);
  }

  onReadable(): void {
    // Every piece is here: read() never says `later`.
  }

  close(): void {
    this.#chunkIndex = this.#chunks.length;
  }
}

/** Hears how a pumped body ended. */
export interface PumpListener {
  /** The whole reply was handed to the kernel. */
  pumped(): void;
  /** The body broke off; the connection has to be cut, so that the client can tell. */
  broke(): void;
  /** Something threw in the midst of it. */
  faulted(error: unknown): void;
}

/** What a body is pumped into: node's reply object, or the socket (direct-out.ts). */
export interface ReplyOut {
  readonly chunkedEncoding: boolean;
  /** end() is called before uncork(), and takes its place. */
  readonly endsCorked?: boolean;
  /** Whether to wait for `drain`, behind uncork(); else the last write() says so. */
  readonly isFull?: boolean;
  /** Whether the kernel has all that was written, and nobody looks at those bytes any more; undefined where that is not known. */
  readonly isTaken?: boolean;
  on(event: 'drain', run: () => void): unknown;
  cork(): void;
  uncork(): void;
  write(bytes: Buffer): boolean;
  addTrailers(lines: [string, string][]): void;
  end(done: (error?: Error | null) => void): unknown;
}

/** Follows a body at the pace of the client. */
export class BodyPump {
  readonly #res: ReplyOut;
  readonly #reader: BodyReader;
  readonly #length: number | undefined;
  readonly #trailers: TrailerSource | undefined;
  readonly #listener: PumpListener;
  readonly #pieceBytes: number;
  #isBlocked = false;
  #isRunning = false;
  #isOver = false;
  /** Body bytes handed to the socket. */
  sentBytes = 0;

  /** `sendsTrailers`: the client takes them. */
  constructor(res: ReplyOut, payload: Payload, sendsTrailers: boolean, listener: PumpListener) {
    this.#res = res;
    this.#length = payload.kind === 'none' ? 0 : payload.length;
    this.#reader =
      payload.kind === 'reader' ? payload.reader : new Pieces(payload.kind === 'bytes' ? payload.chunks : []);
    this.#trailers = sendsTrailers && payload.kind === 'reader' ? payload.trailers : undefined;
    this.#listener = listener;
    this.#pieceBytes = payload.kind === 'reader' ? FOLLOW_PIECE_BYTES : WRITE_PIECE_BYTES;
  }

  start(): void {
    if (this.#res.isTaken !== undefined) this.#reader.borrow?.();
    this.#res.on('drain', () => {
      this.#isBlocked = false;
      this.#settle();
      this.#goOn();
    });
    this.#reader.onReadable(() => {
      // A read may itself make the source deliver more: those bytes come after the ones that were just read.
      if (!this.#isBlocked && !this.#isRunning) this.#goOn();
    });
    this.#run();
    // The head goes out at once, though no byte of the body is here yet. An empty write sends it as it is;
    // flushHeaders() would write bytes beyond ASCII as UTF-8.
    if (!this.#isOver && this.sentBytes === 0) this.#res.write(NO_BYTES);
  }

  /** Woken by who brings the bytes, or takes them: what throws here is no fault of theirs. */
  #goOn(): void {
    try {
      this.#run();
    } catch (error) {
      this.stop();
      this.#listener.faulted(error);
    }
  }

  #run(): void {
    this.#isRunning = true;
    this.#copy();
    this.#isRunning = false;
  }

  #copy(): void {
    let isMore = true;
    while (isMore && !this.#isOver && !this.#isBlocked) isMore = this.#copyPiece();
  }

  /** What is here goes out in one write of many chunks, up to a bound. Returns whether there may be more just now. */
  #copyPiece(): boolean {
    const until = this.sentBytes + this.#pieceBytes;
    this.#res.cork();
    let last: ReturnType<BodyReader['read']> = NO_BYTES;
    while (!this.#isOver && this.sentBytes < until) {
      last = this.#reader.read();
      if (typeof last === 'string') break;
      if (this.#write(last)) continue;
      last = 'failed';
      break;
    }
    const isWhole = last === 'end' && (this.#length === undefined || this.sentBytes >= this.#length);
    if (!isWhole || this.#res.endsCorked !== true) this.#res.uncork();
    if (this.sentBytes > until - this.#pieceBytes) this.#isBlocked = this.#res.isFull ?? this.#isBlocked;
    if (!isWhole) this.#settle();
    if (isWhole) this.#end();
    else if (last === 'failed' || last === 'end') this.#break();
    return last !== 'later';
  }

  /** False where it is more than was promised, which would be taken for the next response. */
  #write(bytes: Buffer): boolean {
    if (this.#length !== undefined && this.sentBytes + bytes.length > this.#length) return false;
    this.sentBytes += bytes.length;
    this.#isBlocked = !this.#res.write(bytes);
    return true;
  }

  #end(): void {
    this.stop();
    if (this.#trailers !== undefined && this.#res.chunkedEncoding) addTrailers(this.#res, this.#trailers.trailers);
    this.#res.end((error) => this.#ended(error == null));
    this.#settle();
  }

  /** The kernel has all of it. Told by the socket, mostly later. */
  #ended(isWhole: boolean): void {
    try {
      if (isWhole) this.#listener.pumped();
      else this.#listener.broke();
    } catch (error) {
      this.#listener.faulted(error);
    }
  }

  /** Has the buffers of what the kernel has taken read into again. */
  #settle(): void {
    if (this.#res.isTaken === true) this.#reader.done?.();
  }

  #break(): void {
    this.stop();
    this.#listener.broke();
  }

  /** Reads no more. */
  stop(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#reader.close();
  }
}

/** RFC 9110 §10.1.4: whether a request asks for the trailers of its reply. */
export function takesTrailers(fields: Fields): boolean {
  const te = fields.get('te');
  return te !== undefined && splitList(te).some((coding) => coding.toLowerCase() === 'trailers');
}

/** RFC 9110 §6.5.1: what frames, routes, or is needed before the content, means nothing after it. */
const NOT_IN_TRAILERS: ReadonlySet<string> = new Set([
  'authorization',
  'cache-control',
  'connection',
  'content-encoding',
  'content-length',
  'content-range',
  'content-type',
  'host',
  'keep-alive',
  'set-cookie',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

function addTrailers(res: ReplyOut, fields: Fields): void {
  const lines = [...fields].filter(
    ([name, value]) => !NOT_IN_TRAILERS.has(name.toLowerCase()) && isToken(name) && isValue(value),
  );
  if (lines.length > 0) res.addTrailers(lines);
}
