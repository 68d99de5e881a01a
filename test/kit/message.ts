/**
 * A strict incremental reader of HTTP/1.1 message parts for the test kit: it throws at whatever the grammar does not
 * allow, so that a sloppy writer is caught. Shared by the scripted origin and the raw client. RFC 9112 §2-7.
 */

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

/** Bytes that arrived and were not yet taken. */
export class Inbox {
  #chunks: Buffer[] = [];
  #length = 0;

  add(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#length += chunk.length;
  }

  get length(): number {
    return this.#length;
  }

  #joined(): Buffer {
    const joined = this.#chunks.length === 1 ? (this.#chunks[0] as Buffer) : Buffer.concat(this.#chunks);
    this.#chunks = [joined];
    return joined;
  }

  /** Takes up to `max` bytes. */
  take(max: number): Buffer {
    const bytes = this.#joined();
    const out = bytes.subarray(0, max);
    this.#length -= out.length;
    this.#chunks = this.#length === 0 ? [] : [bytes.subarray(out.length)];
    return out;
  }

  /** Takes everything up to and with `mark`, or nothing where it has not arrived. */
  takeThrough(mark: string): string | undefined {
    const at = this.#joined().indexOf(mark, 0, 'latin1');
    return at < 0 ? undefined : this.take(at + mark.length).toString('latin1');
  }
}

/** Field lines (without the empty line) as a flat list of names and values. */
export function parseFieldLines(lines: readonly string[]): string[] {
  const raw: string[] = [];
  for (const line of lines) {
    const colon = line.indexOf(':');
    const name = line.slice(0, colon);
    if (colon < 1 || !TOKEN.test(name)) throw new Error(`not a field line: ${JSON.stringify(line)}`);
    const value = line.slice(colon + 1).replace(/^[ \t]+|[ \t]+$/g, '');
    for (const char of value) {
      const code = char.charCodeAt(0);
      if ((code < 0x20 && code !== 0x09) || code === 0x7f) throw new Error(`control byte in ${JSON.stringify(line)}`);
    }
    raw.push(name, value);
  }
  return raw;
}

/** A head (start line and fields) without its final empty line, split strictly at CR LF. */
export function parseHead(head: string): { startLine: string; raw: string[] } {
  const lines = head.split('\r\n');
  for (const line of lines) if (/[\r\n]/.test(line)) throw new Error(`bare CR or LF in ${JSON.stringify(line)}`);
  return { startLine: lines[0] ?? '', raw: parseFieldLines(lines.slice(1)) };
}

/** All lines of `name` joined, or undefined. */
export function fieldOf(raw: readonly string[], name: string): string | undefined {
  const values: string[] = [];
  for (let i = 0; i < raw.length; i += 2) {
    if (raw[i]?.toLowerCase() === name.toLowerCase()) values.push(raw[i + 1] ?? '');
  }
  return values.length === 0 ? undefined : values.join(', ');
}

export type Framing = { kind: 'none' } | { kind: 'length'; bytes: number } | { kind: 'chunked' } | { kind: 'close' };

/** How the body that follows is delimited; throws where two answers would be possible (RFC 9112 §6.3). */
export function framingOf(raw: readonly string[], otherwise: 'none' | 'close'): Framing {
  const coding = fieldOf(raw, 'transfer-encoding');
  const length = fieldOf(raw, 'content-length');
  if (coding !== undefined && length !== undefined) throw new Error('Transfer-Encoding beside Content-Length');
  if (coding !== undefined) {
    if (coding.toLowerCase() !== 'chunked') throw new Error(`Transfer-Encoding: ${coding}`);
    return { kind: 'chunked' };
  }
  if (length === undefined) return { kind: otherwise };
  if (!/^\d+$/.test(length)) throw new Error(`Content-Length: ${length}`);
  return { kind: 'length', bytes: Number(length) };
}

/** Reads one body out of an inbox. feed() may be called again whenever bytes arrived. */
export class BodyScanner {
  readonly #framing: Framing;
  #inChunkBytes = 0;
  #stage: 'size' | 'bytes' | 'after' | 'trailers' = 'size';
  #takenBytes = 0;
  readonly chunks: Buffer[] = [];
  /** Sizes of the chunks as they were framed on the wire. */
  readonly chunkSizes: number[] = [];
  trailers: string[] = [];
  isComplete: boolean;

  constructor(framing: Framing) {
    this.#framing = framing;
    this.isComplete = framing.kind === 'none' || (framing.kind === 'length' && framing.bytes === 0);
  }

  get bytes(): Buffer {
    return Buffer.concat(this.chunks);
  }

  get takenBytes(): number {
    return this.#takenBytes;
  }

  feed(inbox: Inbox): void {
    if (this.isComplete) return;
    if (this.#framing.kind === 'chunked') {
      while (!this.isComplete && this.#step(inbox));
      return;
    }
    const max = this.#framing.kind === 'length' ? this.#framing.bytes - this.#takenBytes : Number.POSITIVE_INFINITY;
    this.#keep(inbox.take(max));
    this.isComplete = this.#framing.kind === 'length' && this.#takenBytes === this.#framing.bytes;
  }

  /** The peer ended its side; a body that is delimited by that is complete now. */
  end(): void {
    if (this.#framing.kind === 'close') this.isComplete = true;
  }

  #keep(chunk: Buffer): void {
    if (chunk.length === 0) return;
    this.chunks.push(chunk);
    this.#takenBytes += chunk.length;
  }

  /** One step through the chunked coding (RFC 9112 §7.1); false where more bytes are needed. */
  #step(inbox: Inbox): boolean {
    if (this.#stage === 'bytes') {
      const before = this.#inChunkBytes;
      const chunk = inbox.take(before);
      this.#keep(chunk);
      this.#inChunkBytes -= chunk.length;
      if (this.#inChunkBytes > 0) return false;
      this.#stage = 'after';
      return true;
    }
    const line = inbox.takeThrough('\r\n')?.slice(0, -2);
    if (line === undefined) return false;
    if (this.#stage === 'after') {
      if (line !== '') throw new Error(`bytes after a chunk: ${JSON.stringify(line)}`);
      this.#stage = 'size';
    } else if (this.#stage === 'size') {
      if (!/^[0-9a-fA-F]+$/.test(line)) throw new Error(`not a chunk size: ${JSON.stringify(line)}`);
      this.#inChunkBytes = Number.parseInt(line, 16);
      this.chunkSizes.push(this.#inChunkBytes);
      this.#stage = this.#inChunkBytes === 0 ? 'trailers' : 'bytes';
    } else if (line === '') this.isComplete = true;
    else this.trailers.push(...parseFieldLines([line]));
    return true;
  }
}
