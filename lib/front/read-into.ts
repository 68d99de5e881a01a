/**
 * Sockets whose bytes come in one buffer that they all share, to whoever reads at that moment. A buffer for each read
 * costs a fifth of a hit. node:net has this (`onread`) for sockets that are made by hand and not for those that a
 * server accepts, so an accepted connection moves into one made by hand (decisions/0015).
 */
import { Socket } from 'node:net';
import { READ_BUFFER_BYTES } from '../base/limits.js';

/** Takes bytes that are good until it returns. Says whether it wants more now; else socket.resume() goes on. */
export type TakeBytes = (bytes: Buffer, length: number) => boolean;

const shared = Buffer.allocUnsafeSlow(READ_BUFFER_BYTES);

/** What `new Socket` takes beside what its types say. */
interface HandleOptions {
  readonly handle: unknown;
  readonly allowHalfOpen: boolean;
  readonly readable: boolean;
  readonly writable: boolean;
  readonly onread: { readonly buffer: Uint8Array; readonly callback: (length: number, bytes: Buffer) => boolean };
}

/**
 * The connection of `accepted`, which was accepted paused and is of no use afterwards. Reads at once; bytes come in a
 * later turn.
 */
export function readInto(accepted: Socket, take: TakeBytes): Socket {
  const carrier = accepted as unknown as { _handle: unknown };
  const options: HandleOptions = {
    handle: carrier._handle,
    allowHalfOpen: true,
    readable: true,
    writable: true,
    onread: { buffer: shared, callback: (length, bytes) => take(bytes, length) },
  };
  // Empty now, so that its end is not the end of the connection; the server counts it no more.
  carrier._handle = null;
  accepted.destroy();
  return new Socket(options as ConstructorParameters<typeof Socket>[0]);
}

/** A connection from another process: what Node made of it has begun to read. As if it had been accepted paused. */
export function unread(received: Socket): Socket {
  const { _handle: handle } = received as unknown as { _handle: { reading: boolean; readStop(): number } | null };
  if (handle !== null) {
    handle.reading = false;
    handle.readStop();
  }
  received.pause();
  // A client that ends its side after the request waits for the answer.
  received.allowHalfOpen = true;
  return received;
}
