/**
 * The origin of the conversations in talks.test.ts: the first segment of a path names how it is answered. What belongs to
 * a path is known from it and from the version in its ETag, and no two of them have a common stretch of bytes.
 */
import { createHash } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { finish, type RecordedRequest, readBody, reset, type Step, send } from '../kit/scripted-origin.js';

/** Least and most bytes of the body of a kind. */
const SIZES: Readonly<Record<string, readonly [number, number]>> = {
  ok: [0, 3_000],
  large: [100_000, 900_000],
  stream: [1_000_000, 3_000_000],
  chunked: [0, 200_000],
  trailers: [1, 30_000],
  close: [0, 100_000],
  slow: [0, 3_000],
  dribble: [1_000, 60_000],
  interim: [0, 3_000],
  none: [0, 0],
  failing: [1, 300],
  gone: [1, 300],
  moved: [1, 300],
  cut: [1_000, 200_000],
  cutchunk: [1_000, 200_000],
  fickle: [1_000, 100_000],
};

const STATUSES: Readonly<Record<string, number>> = { none: 204, failing: 503, gone: 404, moved: 301 };
const VERSION_MS = 400;
const KNOWN_BODIES = 256;
const SLOWEST_MS = 120;
const PIECES = 6;
const SETTLE_MS = 5;

export const kindOf = (path: string): string => path.split('/')[1] ?? '';
export const talkStatus = (path: string): number => STATUSES[kindOf(path)] ?? 200;

/** A number that belongs to a text. */
function numberOf(text: string): number {
  return createHash('sha1').update(text).digest().readUInt32LE(0);
}

export function talkLength(path: string): number {
  const [least, most] = SIZES[kindOf(path)] ?? [0, 0];
  return least + (numberOf(path) % (most - least + 1));
}

const bodies = new Map<string, Buffer>();

/** The body of a path in a version. */
export function talkBody(path: string, version: string): Buffer {
  const name = `${path} ${version}`;
  const known = bodies.get(name);
  if (known !== undefined) return known;
  const length = talkLength(path);
  const body = Buffer.alloc(length + 4);
  let state = numberOf(name) | 1;
  for (let at = 0; at < length; at += 4) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    body.writeInt32LE(state, at);
  }
  if (bodies.size >= KNOWN_BODIES) bodies.clear();
  const made = body.subarray(0, length);
  bodies.set(name, made);
  return made;
}

const wait =
  (ms: number): Step =>
  () =>
    pause(ms);

function headOf(path: string, version: string, more: string): string {
  const life = kindOf(path) === 'stream' ? 'no-store' : 'max-age=1, stale-while-revalidate=2';
  const lines = [`ETag: "${version}"`, `Cache-Control: ${life}`, 'Content-Type: application/octet-stream'];
  return `HTTP/1.1 ${talkStatus(path)} Told\r\n${lines.join('\r\n')}\r\n${more}\r\n`;
}

/** The ETag of everything at a moment. */
export const talkTag = (wall: number): string => `"v${Math.floor(wall / VERSION_MS)}"`;

/** What is asked for with GET or HEAD. */
function fetched(request: RecordedRequest, random: () => number): Step[] {
  const path = request.target;
  const kind = kindOf(path);
  const tag = talkTag(Date.now());
  const version = tag.slice(1, -1);
  if (request.field('if-none-match') === tag && talkStatus(path) === 200) {
    return [send(`HTTP/1.1 304 Not Modified\r\nETag: ${tag}\r\nCache-Control: max-age=1\r\n\r\n`)];
  }
  const body = talkBody(path, version);
  const isHead = request.method === 'HEAD';
  const sized = headOf(path, version, `Content-Length: ${body.length}\r\n`);
  const chunked = (more = ''): string => headOf(path, version, `Transfer-Encoding: chunked\r\n${more}`);
  const half = body.subarray(0, body.length / 2);
  const end = random() < 0.5 ? finish() : reset();
  if (kind === 'none') return [send(headOf(path, version, ''))];
  if (isHead) return [send(kind === 'chunked' ? chunked() : sized)];
  switch (kind) {
    case 'chunked':
      return [send(chunked()), ...chunksOf(body, random).map(send), send('0\r\n\r\n')];
    case 'trailers':
      return [
        send(chunked('Trailer: X-Sum\r\n')),
        ...chunksOf(body, random).map(send),
        send('0\r\nX-Sum: 1\r\nX-Other: a\r\n\r\n'),
      ];
    case 'close':
      return [send(headOf(path, version, 'Connection: close\r\n')), send(body), finish()];
    case 'slow':
      return [wait(random() * SLOWEST_MS), send(sized), send(body)];
    case 'dribble':
      return [send(sized), ...piecesOf(body).flatMap((piece) => [send(piece), wait(random() * SETTLE_MS)])];
    case 'interim':
      return [
        send('HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n'.repeat(1 + Math.floor(random() * 3))),
        wait(random() * SETTLE_MS),
        send(sized),
        send(body),
      ];
    case 'cuthead':
      return [send('HTTP/1.1 200 OK\r\nETag: "'), wait(SETTLE_MS), end];
    case 'cut':
      return [send(sized), send(half), wait(SETTLE_MS), end];
    case 'cutchunk':
      return [send(chunked()), ...chunksOf(half, random).map(send), wait(SETTLE_MS), end];
    case 'fickle':
      return random() < 0.5 ? [send(sized), send(half), end] : [send(sized), send(body)];
    default:
      return [send(sized), send(body)];
  }
}

function piecesOf(body: Buffer): Buffer[] {
  const each = Math.ceil(body.length / PIECES);
  return Array.from({ length: PIECES }, (_, at) => body.subarray(at * each, (at + 1) * each));
}

function chunksOf(body: Buffer, random: () => number): Buffer[] {
  const chunks: Buffer[] = [];
  for (let at = 0; at < body.length; ) {
    const size = 1 + Math.floor(random() ** 4 * body.length);
    const data = body.subarray(at, at + size);
    chunks.push(Buffer.concat([Buffer.from(`${data.length.toString(16)}\r\n`), data, Buffer.from('\r\n')]));
    at += size;
  }
  return chunks;
}

/** What the answer to a request with content says of it. */
export function echoOf(method: string, path: string, content: Buffer): string {
  return `${method} ${path} ${content.length} ${createHash('sha1').update(content).digest('hex')}`;
}

const echo: Step = async (socket, request) => {
  if (request.field('expect') !== undefined) socket.write('HTTP/1.1 100 Continue\r\n\r\n');
  if ((await request.ending) === 'cut-off') return;
  const text = echoOf(request.method, request.target, request.body);
  socket.write(`HTTP/1.1 200 Told\r\nContent-Length: ${text.length}\r\n\r\n${request.method === 'HEAD' ? '' : text}`);
};

/** What this origin does about a request. */
export function talkSteps(request: RecordedRequest, random: () => number): Step[] {
  if (kindOf(request.target) === 'echo') return [echo];
  return [readBody(), ...fetched(request, random)];
}
