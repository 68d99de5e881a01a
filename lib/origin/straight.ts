/**
 * Writes one piece to the kernel without node's stream before it. The kernel takes all of a small message at once, but for
 * one who does not read; to account for a write that is over when it returns is a fifth of what a hit costs in JavaScript
 * (decisions/0026). What the kernel did not take is written on by the handle, and the stream queues behind it.
 */
import { Socket } from 'node:net';

/** What Node's handle of a write in flight has, as far as it is used here. */
interface WriteRequest {
  oncomplete: (status: number) => void;
  /** Must not be collected before the kernel has it. */
  bytes: Buffer | string | undefined;
  /** Above 0 for as long as Node has it for a write that was not over when it returned; below 0 before and afterwards. */
  getAsyncId(): number;
}

/** What is used of the handle of a TCP socket. */
interface Handle {
  /** 0, or the code of an error. The request is of use again where Node has not kept it. */
  writeBuffer(request: WriteRequest, bytes: Buffer): number;
  /** The same of text of which each character is a byte. */
  writeLatin1String(request: WriteRequest, text: string): number;
}

type MakeRequest = new () => WriteRequest;

/**
 * Node's class of requests, which it shows to handles alone: so one that only looks is given a write. Undefined where a
 * version of Node has this otherwise; then all is written by the stream (test/front/straight.test.ts fails there).
 */
function findRequestClass(): MakeRequest | undefined {
  let found: unknown;
  const look = (request: object): number => {
    found = request.constructor;
    return 0;
  };
  const handle = { readStart: () => 0, readStop: () => 0, getAsyncId: () => 0, close: () => {}, writeBuffer: look };
  try {
    new Socket({ handle, readable: false, writable: true } as ConstructorParameters<typeof Socket>[0]).write(
      Buffer.alloc(1),
    );
  } catch {
    // It wants more of a handle than this one has.
    return undefined;
  }
  if (typeof found !== 'function' || found === Object) return undefined;
  return typeof (found.prototype as Partial<WriteRequest>).getAsyncId === 'function'
    ? (found as MakeRequest)
    : undefined;
}

const Request = findRequestClass();
/** The request of the next write. Only one that is left unfinished takes it away. */
let spare = Request === undefined ? undefined : new Request();

/** Whether this version of Node lets us. */
export const canWriteStraight = Request !== undefined;

/** `taken`: the kernel has it. `begun`: it has not all of it. `failed`: and the socket is destroyed. `not`: nothing happened. */
export type Straight = 'taken' | 'begun' | 'failed' | 'not';

/**
 * Where nothing waits to be written; the caller knows that nothing which was begun here is unfinished. Text is written as
 * latin1.
 */
export function writeStraight(socket: Socket, bytes: Buffer | string): Straight {
  const handle = (socket as unknown as { readonly _handle: Handle | null })._handle;
  if (spare === undefined || handle === null || !socket.writable) return 'not';
  if (socket.writableLength > 0 || socket.writableCorked > 0) return 'not';
  const fault = typeof bytes === 'string' ? handle.writeLatin1String(spare, bytes) : handle.writeBuffer(spare, bytes);
  if (fault !== 0) {
    socket.destroy();
    return 'failed';
  }
  // Not whether bytes are left: a client that reads meanwhile may have let libuv finish a write which Node has begun to wait
  // for, and to use its request for another one ends the process.
  if (spare.getAsyncId() < 0) return 'taken';
  leaveUnfinished(socket, spare, bytes);
  return 'begun';
}

function leaveUnfinished(socket: Socket, request: WriteRequest, bytes: Buffer | string): void {
  request.bytes = bytes;
  request.oncomplete = (status) => {
    if (status < 0) socket.destroy();
  };
  spare = Request === undefined ? undefined : new Request();
}
