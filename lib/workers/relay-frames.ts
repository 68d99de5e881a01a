/**
 * The form in which one worker gives another a response: frames of a kind, a length and bytes. The end is a frame of its
 * own, so that what breaks off never looks complete.
 */

/** One answer has `head` first, or `none` alone; then `data` any number of times; then `end`. */
export const FRAME = { ask: 0x41, head: 0x48, none: 0x4e, data: 0x44, end: 0x45 } as const;
export type FrameKind = (typeof FRAME)[keyof typeof FRAME];

const PREFIX_BYTES = 5;
const KINDS: ReadonlySet<number> = new Set(Object.values(FRAME));

export function framePrefix(kind: FrameKind, bytes: number): Buffer {
  const prefix = Buffer.allocUnsafe(PREFIX_BYTES);
  prefix[0] = kind;
  prefix.writeUInt32LE(bytes, 1);
  return prefix;
}

export function frame(kind: FrameKind, payload: Uint8Array): Buffer {
  return Buffer.concat([framePrefix(kind, payload.length), payload]);
}

export interface FrameListener {
  /** Bytes of a data frame, as they come. */
  data(bytes: Buffer): void;
  /** Any other frame, whole. */
  whole(kind: FrameKind, payload: Buffer): void;
  /** What came is no frame, or too large a one. */
  broken(): void;
}

/** Reads frames from pieces of any size. */
export class FrameReader {
  readonly #to: FrameListener;
  readonly #maxBytes: number;
  #held: Buffer = Buffer.alloc(0);
  /** Bytes of the present data frame that are still to come. */
  #dataLeft = 0;
  #isBroken = false;
  #isHeld = false;

  /** `maxBytes`: of a frame that is kept until it is whole. */
  constructor(maxBytes: number, to: FrameListener) {
    this.#to = to;
    this.#maxBytes = maxBytes;
  }

  push(piece: Buffer): void {
    let rest = this.#held.length === 0 ? piece : Buffer.concat([this.#held, piece]);
    while (rest.length > 0 && !this.#isBroken && !this.#isHeld) {
      const used = this.#dataLeft > 0 ? this.#takeData(rest) : this.#takeFrame(rest);
      if (used === 0) break;
      rest = rest.subarray(used);
    }
    this.#held = rest;
  }

  /** Tells nothing more of what is here until goOn(). */
  hold(): void {
    this.#isHeld = true;
  }

  goOn(): void {
    this.#isHeld = false;
    const held = this.#held;
    this.#held = Buffer.alloc(0);
    this.push(held);
  }

  #takeData(bytes: Buffer): number {
    const used = Math.min(this.#dataLeft, bytes.length);
    this.#dataLeft -= used;
    this.#to.data(bytes.subarray(0, used));
    return used;
  }

  /** Returns how many bytes were used: none where the frame is not whole yet. */
  #takeFrame(bytes: Buffer): number {
    if (bytes.length < PREFIX_BYTES) return 0;
    const kind = bytes[0] as number;
    const length = bytes.readUInt32LE(1);
    if (!KINDS.has(kind) || (kind !== FRAME.data && length > this.#maxBytes)) {
      this.#isBroken = true;
      this.#to.broken();
      return 0;
    }
    if (kind === FRAME.data) {
      this.#dataLeft = length;
      return PREFIX_BYTES;
    }
    if (bytes.length < PREFIX_BYTES + length) return 0;
    this.#to.whole(kind as FrameKind, bytes.subarray(PREFIX_BYTES, PREFIX_BYTES + length));
    return PREFIX_BYTES + length;
  }
}

/** What one worker asks another for. */
export interface RelayAsk {
  readonly key: string;
  readonly selection: { readonly names: readonly string[]; readonly values: readonly (string | null)[] };
  /** What the asker has was asked for then: only what is newer is of use. */
  readonly askedAt: number;
  /** Operations that had begun where it asks: who has not ended them may still give what they took away. */
  readonly sequence: number;
}

export function readAsk(payload: Buffer): RelayAsk | undefined {
  let read: unknown;
  try {
    read = JSON.parse(payload.toString('utf8'));
  } catch {
    // Damage is told by the answer.
    return undefined;
  }
  const { key, selection, askedAt, sequence } = (read ?? {}) as Partial<Record<keyof RelayAsk, unknown>>;
  const isSound = typeof key === 'string' && typeof askedAt === 'number' && typeof sequence === 'number';
  return isSound && typeof selection === 'object' && selection !== null ? (read as RelayAsk) : undefined;
}

const UNKNOWN = -1;

/** `totalBytes`: of the body, where that is known. */
export function headPayload(record: Uint8Array, totalBytes: number | undefined): Buffer {
  const length = Buffer.allocUnsafe(8);
  length.writeDoubleLE(totalBytes ?? UNKNOWN);
  return Buffer.concat([length, record]);
}

export function readHeadPayload(payload: Buffer): { record: Buffer; totalBytes: number | undefined } | undefined {
  if (payload.length < 8) return undefined;
  const totalBytes = payload.readDoubleLE(0);
  return { record: payload.subarray(8), totalBytes: totalBytes === UNKNOWN ? undefined : totalBytes };
}
