// Goal: RFC 9112 §9.6, of a request whose reply came before its end no more is read for nobody than a bound. Method: a stream in place of the request.
import type { ClientRequest, IncomingMessage } from 'node:http';
import { PassThrough } from 'node:stream';
import t from 'tap';
import { MAX_LINGER_BYTES } from '../../lib/base/limits.js';
import { Upload } from '../../lib/origin/pass-upload.js';
import { turns } from '../kit/barrier.js';

const PIECE = Buffer.alloc(1024 * 1024);

t.test('what is left of an upload is dropped up to a bound, and not read beyond it', async (t) => {
  const [req, request] = [new PassThrough(), new PassThrough()];
  const upload = new Upload(
    Object.assign(req, { rawTrailers: [] }) as unknown as IncomingMessage,
    Object.assign(request, { headersSent: true }) as unknown as ClientRequest,
    { begun() {}, moved() {}, sent() {} },
  );
  upload.begin();
  req.write(PIECE);
  await turns();
  upload.stop();
  let dropped = 0;
  for (let piece = 0; piece < 3 * (MAX_LINGER_BYTES / PIECE.length) && !req.isPaused(); piece++) {
    req.write(PIECE);
    await turns();
    dropped += PIECE.length;
  }
  t.ok(req.isPaused());
  t.ok(dropped > MAX_LINGER_BYTES - 2 * PIECE.length && dropped <= MAX_LINGER_BYTES + 2 * PIECE.length, `${dropped}`);
});
