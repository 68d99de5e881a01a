/**
 * How the bytes of a plain connection to the origin are read: an answer that is small goes through one buffer that all
 * connections share and is copied out at its own size; a body that keeps coming is read into large buffers of its own,
 * which are handed on as they are. A buffer of common size for each read, made smaller afterwards, costs more in both
 * cases: the one in time, the other in garbage and in calls.
 */
import type { Socket } from 'node:net';
import { ORIGIN_LARGE_READ_BYTES, ORIGIN_READ_BYTES } from '../base/limits.js';

/** What node:net takes as `onread`. */
export interface OnRead {
  buffer(): Uint8Array;
  callback(length: number, bytes: Uint8Array): boolean;
}

/** Below this share of a large buffer that was used, the connection goes back to the shared one. */
export const SMALL_SHARE = 1 / 8;

/** Where reads go that are over before the next one begins. */
export const sharedBytes = Buffer.allocUnsafeSlow(ORIGIN_READ_BYTES);

/** A buffer that nothing else is in, so that who keeps it pins nothing but it. */
export function own(length: number): Buffer {
  return Buffer.allocUnsafeSlow(length);
}

export class ReadAhead implements OnRead {
  /** Whose bytes they are; set before any come. */
  socket: Socket | undefined;
  #next: Buffer = sharedBytes;

  /** Where the next read goes; asked after each. */
  readonly buffer = (): Buffer => this.#next;

  /** Gives the stream what was read. Returns whether it wants more now. */
  readonly callback = (length: number): boolean => {
    const read = this.#next;
    const isHandedOn = read !== sharedBytes && length * 2 > read.length;
    let chunk: Buffer;
    if (isHandedOn) chunk = read.subarray(0, length);
    else {
      chunk = own(length);
      chunk.set(read.subarray(0, length));
    }
    if (isHandedOn || length === read.length) this.#next = own(ORIGIN_LARGE_READ_BYTES);
    else if (length < read.length * SMALL_SHARE) this.#next = sharedBytes;
    return this.socket?.push(chunk) ?? false;
  };
}
