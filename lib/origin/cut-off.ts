/** Ends a connection so that its other side cannot take the end for a clean one. */
import type { Socket } from 'node:net';

/**
 * Sends a reset. socket.resetAndDestroy() first ends the stream and resets when that is done; where anybody destroys the
 * socket in between, the reset is refused and the descriptor stays open for ever (a test shows it). So the reset is asked
 * for as part of destroying, which node does for its own flag. Where the stream was ended already, plain closing has to
 * do. TLS knows no reset: there a cut tells itself by the farewell that is missing.
 */
export function cutOff(socket: Socket): void {
  if (socket.destroyed) return;
  const isEnding = socket.writableEnded && !socket.writableFinished;
  const isPlain = !('encrypted' in socket);
  if (isPlain && !isEnding && !socket.connecting) (socket as { resetAndClosing?: boolean }).resetAndClosing = true;
  socket.destroy();
}
