/** Reads the content of a request whole, where it is small enough; where not, none of it is lost to who reads it next. */
import type { IncomingMessage } from 'node:http';

/**
 * Calls `done` with the content once all of it is here, or with undefined once it is known to be more than `maxBytes`.
 * Not called where the message breaks off before that: the connection says so by itself.
 */
export function readContent(req: IncomingMessage, maxBytes: number, done: (content: Buffer | undefined) => void): void {
  if (Number(req.headers['content-length'] ?? 0) > maxBytes) {
    done(undefined);
    return;
  }
  const chunks: Buffer[] = [];
  let bytes = 0;
  const stop = (): void => {
    req.off('data', take);
    req.off('end', finish);
  };
  const take = (chunk: Buffer): void => {
    chunks.push(chunk);
    bytes += chunk.length;
    if (bytes <= maxBytes) return;
    stop();
    req.pause();
    req.unshift(Buffer.concat(chunks));
    done(undefined);
  };
  const finish = (): void => {
    stop();
    done(Buffer.concat(chunks, bytes));
  };
  req.on('data', take);
  req.on('end', finish);
}
