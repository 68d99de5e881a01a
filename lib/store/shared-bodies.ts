/**
 * Bodies in the tier that machines share: in chunks, each checked as it is read, under the digest of the whole, so that
 * the chunks of two bodies can never be mixed up. None is read whole before it is needed.
 */
import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { SHARED_CHUNK_BYTES, SHARED_CHUNKS_AHEAD, SHARED_WHOLE_BYTES } from '../base/shared-limits.js';
import type { Body } from '../object/body.js';
import type { SharedTable } from './shared-contract.js';
import type { SharedGuard } from './shared-guard.js';
import type { BodyPlace } from './shared-record.js';
import { digestOf } from './shared-table.js';

const CHECK_BYTES = 4;
const DIGEST_CHARS = 22;

/** Why a chunk that was there is none. */
export type Damage = 'missing' | 'damaged';

export interface SharedBodiesOptions {
  readonly table: SharedTable;
  readonly guard: SharedGuard;
  readonly told: (damage: Damage) => void;
}

function chunkCount(bytes: number): number {
  return Math.max(1, Math.ceil(bytes / SHARED_CHUNK_BYTES));
}

function checkOf(id: string, index: number, bytes: Buffer): number {
  return crc32(bytes, crc32(`${id}.${index}.`));
}

/** One chunk of a whole body, which may be on disk alone; undefined where that has lost it meanwhile. */
function pieceOf(body: Body, index: number): Buffer | undefined {
  const from = index * SHARED_CHUNK_BYTES;
  const reader = body.open(from, Math.min(body.receivedBytes, from + SHARED_CHUNK_BYTES));
  const parts: Buffer[] = [];
  let part = reader.read();
  for (; typeof part !== 'string'; part = reader.read()) parts.push(part);
  reader.close();
  return part === 'end' ? Buffer.concat(parts) : undefined;
}

/** Lets requests be answered between two pieces of work. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

export class SharedBodies {
  readonly #options: SharedBodiesOptions;
  #places = new WeakMap<Body, BodyPlace>();

  constructor(options: SharedBodiesOptions) {
    this.#options = options;
  }

  placeOf(body: Body): BodyPlace | undefined {
    return this.#places.get(body);
  }

  bind(body: Body, place: BodyPlace): void {
    this.#places.set(body, place);
  }

  /** The server has forgotten what it had. */
  forget(): void {
    this.#places = new WeakMap();
  }

  /** Sees to it that a whole body lies there until `until`, on the server's clock. Undefined where that failed. */
  async keep(name: string, body: Body, until: number, serverNow: number): Promise<BodyPlace | undefined> {
    const known = this.#places.get(body);
    if (known !== undefined && known.until >= until) return known;
    // Longer than asked for, so that not each refresh has to move it.
    const later = until + (until - serverNow) / 4;
    const place = known !== undefined && (await this.#extend(name, known, later, later - serverNow));
    const made = place || (await this.#write(name, body, later, later - serverNow));
    if (made !== undefined) this.bind(body, made);
    return made;
  }

  async #extend(name: string, known: BodyPlace, until: number, ttlMs: number): Promise<BodyPlace | undefined> {
    const { guard, table } = this.#options;
    for (let index = 0; index < chunkCount(known.bytes); index++) {
      const given = await guard.background(() => table.extendChunk(name, known.id, index, ttlMs));
      if (given?.value !== true) return undefined;
    }
    return { ...known, until };
  }

  async #write(name: string, body: Body, until: number, ttlMs: number): Promise<BodyPlace | undefined> {
    const { guard, table } = this.#options;
    if (!body.isWhole) return undefined;
    const bytes = body.receivedBytes;
    const hash = createHash('sha256');
    const count = chunkCount(bytes);
    for (let index = 0; index < count; index++) {
      const own = pieceOf(body, index);
      if (own === undefined) return undefined;
      hash.update(own);
      if (count > 1) await turn();
    }
    const id = hash.digest('base64url').slice(0, DIGEST_CHARS);
    for (let index = 0; index < count; index++) {
      const own = pieceOf(body, index);
      if (own === undefined) return undefined;
      const checked = Buffer.allocUnsafe(CHECK_BYTES + own.length);
      checked.writeUInt32LE(checkOf(id, index, own), 0);
      own.copy(checked, CHECK_BYTES);
      const given = await guard.background(() => table.writeChunk(name, id, index, checked, ttlMs));
      if (given === undefined) return undefined;
    }
    return { id, bytes, until };
  }

  /** A body that lies there, to be read. */
  found(name: string, place: BodyPlace): SharedBody {
    return new SharedBody(this.#options, this, name, place);
  }
}

interface BodyListener {
  data(chunk: Buffer): void;
  end(): void;
  fail(): void;
}

/** One reading of a body. */
export class SharedBody {
  readonly bytes: number;
  readonly #options: SharedBodiesOptions;
  readonly #bodies: SharedBodies;
  readonly #name: string;
  readonly #place: BodyPlace;
  readonly #hash = createHash('sha256');
  /** What was read before anybody was told of it: the beginning, or all of a body that is not large. */
  #begun: readonly Buffer[] = [];
  #isAborted = false;
  #isPaused = false;
  #resumed: () => void = () => {};

  constructor(options: SharedBodiesOptions, bodies: SharedBodies, name: string, place: BodyPlace) {
    this.#options = options;
    this.#bodies = bodies;
    this.#name = name;
    this.#place = place;
    this.bytes = place.bytes;
  }

  /** Resolves with itself once its beginning is here. */
  async open(): Promise<SharedBody | undefined> {
    const count = this.bytes <= SHARED_WHOLE_BYTES ? chunkCount(this.bytes) : 1;
    const chunks = await Promise.all(Array.from({ length: count }, (_, index) => this.#chunk(index, true)));
    this.#begun = chunks.filter((chunk) => chunk !== undefined);
    return this.#begun.length === count ? this : undefined;
  }

  isOf({ id, bytes }: BodyPlace): boolean {
    return id === this.#place.id && bytes === this.bytes;
  }

  fills(body: Body): void {
    this.#bodies.bind(body, this.#place);
  }

  read(to: BodyListener): void {
    void this.#pump(to);
  }

  async #pump(to: BodyListener): Promise<void> {
    const count = chunkCount(this.bytes);
    const ahead: (Buffer | undefined | Promise<Buffer | undefined>)[] = [...this.#begun];
    this.#begun = [];
    for (let index = 0; index < count; index++) {
      while (ahead.length <= SHARED_CHUNKS_AHEAD && index + ahead.length < count)
        ahead.push(this.#chunk(index + ahead.length, false));
      const bytes = await ahead.shift();
      while (this.#isPaused && !this.#isAborted) {
        await new Promise<void>((resolve) => {
          this.#resumed = resolve;
        });
      }
      if (this.#isAborted) return;
      if (bytes === undefined || !this.#isWhole(bytes, index === count - 1)) {
        to.fail();
        return;
      }
      if (bytes.length > 0) to.data(bytes);
    }
    to.end();
  }

  /** The last chunk is not given before the digest of all is seen to be right. */
  #isWhole(bytes: Buffer, isLast: boolean): boolean {
    this.#hash.update(bytes);
    if (!isLast || this.#hash.digest('base64url').startsWith(this.#place.id)) return true;
    this.#options.told('damaged');
    return false;
  }

  async #chunk(index: number, isAwaited: boolean): Promise<Buffer | undefined> {
    const { guard, table, told } = this.#options;
    const { id } = this.#place;
    const ask = (): Promise<Buffer | undefined> => table.readChunk(this.#name, id, index);
    const given = await (isAwaited ? guard.run(ask) : guard.background(ask));
    if (given === undefined) return undefined;
    const { value } = given;
    if (value === undefined) {
      told('missing');
      return undefined;
    }
    const bytes = value.subarray(CHECK_BYTES);
    const expected = Math.min(SHARED_CHUNK_BYTES, this.bytes - index * SHARED_CHUNK_BYTES);
    const isSound =
      value.length >= CHECK_BYTES && bytes.length === expected && value.readUInt32LE(0) === checkOf(id, index, bytes);
    // The one chunk of a small body is the whole.
    if (isSound && (this.bytes > SHARED_CHUNK_BYTES || digestOf(bytes) === id)) return bytes;
    told('damaged');
    return undefined;
  }

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
    this.#resumed();
  }

  abort(): void {
    this.#isAborted = true;
    this.#resumed();
  }
}
