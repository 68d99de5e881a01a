/** Ends a connection so that its other side cannot take the end for a clean one. Implements RFC 9112 §8. */
import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/**
 * Sends a reset. socket.resetAndDestroy() first ends the stream and resets when that is done; where anybody destroys the
 * socket in between, the reset is refused and the descriptor stays open for ever (a test shows it). So the reset is asked
 * for as part of destroying, which node does for its own flag. Where the end is on its way already, plain closing has to
 * do. TLS knows no reset: there a cut tells itself by the farewell that is missing.
 */
export function cutOff(socket: Socket): void {
  if (socket.destroyed) return;
  // An end is not said before the bytes that wait here.
  const isEnding = socket.writableEnded && !socket.writableFinished && socket.writableLength === 0;
  const isPlain = !('encrypted' in socket);
  if (isPlain && !isEnding && !socket.connecting) (socket as { resetAndClosing?: boolean }).resetAndClosing = true;
  socket.destroy();
}

/**
 * Calls `cut` for a reply that broke off, when its turn has come: those before it are replied to first. Of one that the end
 * of the connection would have ended, nothing is said then: not begun it cannot be taken for whole, and a reset would
 * take from the client what it has not read of the others.
 */
export function cutInTurn(res: ServerResponse, isDelimitedByClose: boolean, cut: () => void): void {
  if (res.socket !== null) {
    cut();
    return;
  }
  res.once('socket', (socket: Socket) => {
    if (isDelimitedByClose) socket.end();
    process.nextTick(cut);
  });
}
