/**
 * Sockets whose bytes come in one buffer that they all share, to whoever reads at that moment. A buffer for each read
 * costs a fifth of a hit. node:net has this (`onread`) for sockets that are made by hand and not for those that a
 * server accepts, so the server is asked for its handles before it makes sockets of them, or an accepted connection moves into a
 * socket made by hand (decisions/0015).
 */
import { type Server, Socket } from 'node:net';
import { READ_BUFFER_BYTES } from '../base/limits.js';

/** Takes bytes that are good until it returns. Says whether it wants more now; else socket.resume() goes on. */
export type TakeBytes = (bytes: Buffer, length: number) => boolean;

/** A connection beneath node's sockets, of which nothing was read. */
export interface Handle {
  setNoDelay(isOn: boolean): void;
  close(): void;
}

const shared = Buffer.allocUnsafeSlow(READ_BUFFER_BYTES);

/** What `new Socket` takes beside what its types say. */
interface HandleOptions {
  readonly handle: Handle | null;
  readonly allowHalfOpen: boolean;
  readonly readable: boolean;
  readonly writable: boolean;
  readonly onread: { readonly buffer: Uint8Array; readonly callback: (length: number, bytes: Buffer) => boolean };
}

/** A socket for the connection. Reads at once; bytes come in a later turn. */
export function readInto(handle: Handle | null, take: TakeBytes): Socket {
  const options: HandleOptions = {
    handle,
    allowHalfOpen: true,
    readable: true,
    writable: true,
    onread: { buffer: shared, callback: (length, bytes) => take(bytes, length) },
  };
  return new Socket(options as ConstructorParameters<typeof Socket>[0]);
}

/** The connection of `accepted`, which was accepted paused and is of no use afterwards. */
export function handleOf(accepted: Socket): Handle | null {
  const carrier = accepted as unknown as { _handle: Handle | null };
  const handle = carrier._handle;
  // Empty now, so that its end is not the end of the connection; the server counts it no more.
  carrier._handle = null;
  accepted.destroy();
  return handle;
}

/**
 * Gives the connections of a server that listens to `take` as handles: a socket that is made only to be emptied is a
 * tenth of what a connection costs. Where `take` does not want one, or a version of Node has this otherwise, the server
 * makes sockets as ever. Returns whether `take` is asked.
 */
export function acceptHandles(server: Server, take: (handle: Handle) => boolean): boolean {
  const { _handle: listening } = server as unknown as { readonly _handle: Listening | null };
  const own = listening?.onconnection;
  if (listening === null || typeof own !== 'function') return false;
  listening.onconnection = function (status, handle) {
    if (status === 0 && handle !== undefined && take(handle)) return;
    own.call(this, status, handle);
  };
  return true;
}

/** The handle of a server. */
interface Listening {
  onconnection?: (this: Listening, status: number, handle: Handle | undefined) => void;
}

/** A socket for the connection as a server would have accepted it, paused. */
export function pausedSocket(handle: Handle): Socket {
  const options = { handle, allowHalfOpen: true, pauseOnCreate: true, readable: true, writable: true };
  return new Socket(options as ConstructorParameters<typeof Socket>[0]);
}
