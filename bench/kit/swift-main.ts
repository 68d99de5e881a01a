/**
 * An origin for loads: what it answers is in the path (`/BYTES/TTL/...`, or `/BYTES/TTL+STALE/...` where
 * it may be served stale meanwhile), and it does next to nothing else, so that its
 * own work is small beside that of the proxy. It takes GET alone, keeps connections, and counts.
 */
import { createServer, type Socket } from 'node:net';
import type { SwiftCount, SwiftMessage } from './swift.js';

/** Written at once; larger bodies go out in pieces of this size, as fast as they are taken. */
const PIECE_BYTES = 256 * 1024;
const PIECE = Buffer.alloc(PIECE_BYTES, 'abcdefghijklmnopqrstuvwxyz');
const ETAG = '"v1"';
/** A path whose name begins so is answered with a Vary, or with a large field. */
const VARIES = 'vary-';
const LARGE_HEADED = 'head-';
const LARGE_FIELD = `X-Large: ${'h'.repeat(16_000)}\r\n`;
/** Heads kept ready: one for each pair of size and ttl. */
const MAX_READY = 1000;

let count = 0;
let conditional = 0;
let watched = 0;
/** How a request for the target that is watched begins. */
let watchedLine: string | undefined;
let date = '';
const ready = new Map<string, string>();

function renewDate(): void {
  date = new Date().toUTCString();
  ready.clear();
}
renewDate();
setInterval(renewDate, 1000);

/** `60` or `60+600` as Cache-Control. */
function lifetimeOf(ttl: string): string {
  const [fresh, stale] = ttl.split('+');
  return stale === undefined ? `max-age=${fresh}` : `max-age=${fresh}, stale-while-revalidate=${stale}`;
}

function moreFields(named: string): string {
  if (named.startsWith(VARIES)) return 'Vary: X-Flood\r\n';
  return named.startsWith(LARGE_HEADED) ? LARGE_FIELD : '';
}

function headOf(bytes: string, ttl: string, more: string): string {
  const name = `${bytes}/${ttl}/${more.length}`;
  let head = ready.get(name);
  if (head === undefined) {
    head =
      `HTTP/1.1 200 OK\r\nDate: ${date}\r\nContent-Type: application/octet-stream\r\nCache-Control: ${lifetimeOf(ttl)}\r\n` +
      `ETag: ${ETAG}\r\n${more}Content-Length: ${bytes}\r\n\r\n`;
    if (ready.size < MAX_READY) ready.set(name, head);
  }
  return head;
}

function notModified(ttl: string): string {
  return `HTTP/1.1 304 Not Modified\r\nDate: ${date}\r\nCache-Control: ${lifetimeOf(ttl)}\r\nETag: ${ETAG}\r\n\r\n`;
}

/** Writes a large body; the next request of this connection waits for its end. */
function pour(socket: Socket, bytes: number, done: () => void): void {
  let left = bytes;
  const more = () => {
    while (left > 0) {
      const piece = left < PIECE_BYTES ? PIECE.subarray(0, left) : PIECE;
      left -= piece.length;
      if (!socket.write(piece) && left > 0) {
        socket.once('drain', more);
        return;
      }
    }
    done();
  };
  more();
}

const TARGET = /^GET \/(\d+)\/(\d+(?:\+\d+)?)\/(\S*) HTTP\/1\.1\r\n/;

/** Serves one connection. */
function serve(socket: Socket): void {
  let unread = '';
  let isPouring = false;
  const work = () => {
    for (let end = unread.indexOf('\r\n\r\n'); end >= 0 && !isPouring; end = unread.indexOf('\r\n\r\n')) {
      const head = unread.slice(0, end + 4);
      unread = unread.slice(end + 4);
      answer(head);
    }
  };
  const answer = (head: string) => {
    count++;
    if (watchedLine !== undefined && head.startsWith(watchedLine)) watched++;
    const [, bytes = '', ttl = '', named = ''] = TARGET.exec(head) ?? [];
    if (bytes === '') {
      socket.end('HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n');
      return;
    }
    if (/\r\nif-none-match: *"v1"\r\n/i.test(head)) {
      conditional++;
      socket.write(notModified(ttl), 'latin1');
      return;
    }
    const length = Number(bytes);
    socket.cork();
    socket.write(headOf(bytes, ttl, moreFields(named)), 'latin1');
    if (length <= PIECE_BYTES) {
      socket.write(PIECE.subarray(0, length));
      socket.uncork();
      return;
    }
    socket.uncork();
    isPouring = true;
    pour(socket, length, () => {
      isPouring = false;
      work();
    });
  };
  socket.setNoDelay(true);
  socket.on('error', () => socket.destroy());
  socket.on('data', (chunk: Buffer) => {
    unread += chunk.toString('latin1');
    work();
  });
}

const server = createServer(serve);

process.on('message', (message: SwiftMessage) => {
  process.send?.({ count, conditional, watched } satisfies SwiftCount);
  count = 0;
  conditional = 0;
  watched = 0;
  if (message !== 'take') watchedLine = `GET ${message.watch} `;
});
process.once('disconnect', () => process.exit(0));

server.listen(Number(process.argv[2]), '127.0.0.1', 4096);
