/**
 * What one client says in a conversation of talks.test.ts, and what it may be told: a random line of requests of both
 * lanes, how they are cut into pieces, and how the client goes. All of it comes from the seed.
 */
import { echoOf, kindOf, talkBody, talkLength, talkStatus, talkTag } from './talk-origin.js';

/** A reply as far as it came. */
export interface Told {
  readonly status: number;
  readonly body: Buffer;
  /** All of it came. */
  readonly isWhole: boolean;
  field(name: string): string | undefined;
}

/** One request of a conversation. */
export interface Asked {
  readonly name: string;
  readonly method: string;
  readonly bytes: Buffer;
  /** Sent once the client was told to go on, or has its answer. */
  readonly content: Buffer | undefined;
  /** The reply may break off, and the connection with it. */
  readonly mayBreak: boolean;
  /** By a reset, for to HTTP/1.0 a clean end would look like the end of the body: it may take from the replies before. */
  readonly mayReset: boolean;
  /** It is the last that is answered. */
  readonly isLast: boolean;
  /** What is wrong with its reply. */
  readonly flawOf: (told: Told) => string | undefined;
}

/** `waits`: for all replies; `ends`: its side behind the last request; `cuts-head`: the same in the next head; `leaves`, `resets`: at any time. */
export type Going = 'waits' | 'ends' | 'cuts-head' | 'leaves' | 'resets';
/** `stalls`: takes nothing for a while in the middle; `late`: nothing until all is said. */
export type Reading = 'eager' | 'slow' | 'stalls' | 'late';

export interface Plan {
  readonly asked: readonly Asked[];
  readonly pieces: readonly (readonly [Buffer, number])[];
  readonly going: Going;
  readonly reading: Reading;
  /** Received bytes after which a client that stalls, leaves or resets does so. */
  readonly turningPoint: number;
}

type Random = () => number;

const HOST = 'talk.example';
const PATHS_PER_KIND = 5;
const GOOD = [
  'ok', 'ok', 'ok', 'ok', 'large', 'large', 'stream', 'chunked', 'trailers', 'close', 'slow', 'dribble', 'interim', 'none', 'gone', 'moved',
]; // biome-ignore format: one table
const FAULTY = ['failing', 'cut', 'cutchunk', 'cuthead', 'fickle'];
const BREAKING: ReadonlySet<string> = new Set(['cut', 'cutchunk', 'fickle']);
/** What the proxy says by itself where the origin failed, or where it is left alone after that. */
const FAILED: ReadonlySet<number> = new Set([502, 503, 504]);
const MAX_REQUESTS = 24;
const LONGEST_PAUSE_MS = 12;

const pick = <T>(among: readonly T[], random: Random): T => among[Math.floor(random() * among.length)] as T;

function head(method: string, target: string, version: string, ...lines: string[]): string {
  return [`${method} ${target} ${version}`, `Host: ${HOST}`, ...lines, '', ''].join('\r\n');
}

/** Whether the reply carries what belongs to the path, whole or as a beginning. */
function flawOfFetched(
  method: string,
  path: string,
  told: Told,
  range?: readonly [number, number],
): string | undefined {
  const { status, body, isWhole } = told;
  if (FAILED.has(status) && /(^|, )patina;/.test(told.field('cache-status') ?? '')) return undefined;
  if (status === 304) return body.length === 0 ? undefined : '304 with content';
  if (status === 206 && range === undefined) return '206 without Range';
  if (status !== talkStatus(path) && status !== 206) return `status ${status}`;
  const version = /^"(v\d+)"$/.exec(told.field('etag') ?? '')?.[1];
  if (version === undefined) return `ETag ${told.field('etag')}`;
  const whole = talkBody(path, version);
  const [from, until] = status === 206 && range !== undefined ? range : [0, whole.length];
  const part = whole.subarray(from, until);
  if (status === 206 && told.field('content-range') !== `bytes ${from}-${until - 1}/${whole.length}`)
    return `Content-Range ${told.field('content-range')}`;
  const length = told.field('content-length');
  if (length !== undefined && Number(length) !== part.length) return `Content-Length ${length}, not ${part.length}`;
  if (method === 'HEAD') return body.length === 0 ? undefined : 'content after HEAD';
  if (!body.equals(part.subarray(0, body.length))) return `${body.length} bytes, of another`;
  if (!isWhole) return undefined;
  if (body.length !== part.length) return `whole with ${body.length} bytes of ${part.length}`;
  return status !== 206 && kindOf(path).startsWith('cut') && whole.length > 0 ? 'whole, which it cannot be' : undefined;
}

function fetching(
  method: string,
  path: string,
  bytes: string,
  isLast = false,
  range?: readonly [number, number],
): Asked {
  return {
    name: bytes.slice(0, bytes.indexOf('\r\n')),
    method,
    bytes: Buffer.from(bytes, 'latin1'),
    content: undefined,
    mayBreak: BREAKING.has(kindOf(path)),
    mayReset: BREAKING.has(kindOf(path)) && bytes.includes(' HTTP/1.0\r\n'),
    isLast,
    flawOf: (told) => flawOfFetched(method, path, told, range),
  };
}

function pathOf(random: Random): string {
  const kind = pick(random() < 0.93 ? GOOD : FAULTY, random);
  return `/${kind}/${Math.floor(random() * PATHS_PER_KIND)}`;
}

/** What the fast lane takes. */
function plain(random: Random): Asked {
  const path = pathOf(random);
  const method = random() < 0.15 ? 'HEAD' : 'GET';
  const wish = random();
  const length = talkLength(path);
  if (wish < 0.1 && method === 'GET' && talkStatus(path) === 200 && length > 1) {
    const from = Math.floor(random() * (length - 1));
    const until = from + 1 + Math.floor(random() * (length - from));
    return fetching(method, path, head(method, path, 'HTTP/1.1', `Range: bytes=${from}-${until - 1}`), false, [
      from,
      until,
    ]);
  }
  const lines: string[] = [];
  if (wish > 0.95) lines.push('Cache-Control: no-cache');
  else if (wish > 0.9) lines.push(`If-None-Match: ${talkTag(Date.now() - random() * 1_000)}`);
  else if (wish > 0.87) lines.push('Cache-Control: only-if-cached');
  else if (wish > 0.84) lines.push(`X-Filler: ${'f'.repeat(Math.floor(random() * 20_000))}`);
  return fetching(method, path, head(method, path, 'HTTP/1.1', ...lines));
}

/** What it hands over, and goes on behind it. */
function other(random: Random, number: number): Asked {
  const way = random();
  const path = pathOf(random);
  if (way < 0.15) return fetching('GET', path, head('GET', path, 'HTTP/1.1', 'TE: trailers', 'Connection: TE'));
  if (way < 0.3) return fetching('GET', path, head('GET', path, 'HTTP/1.1', 'X-Empty:'));
  if (way < 0.45) return fetching('GET', path, head('GET', `http://${HOST}${path}`, 'HTTP/1.1'));
  if (way < 0.55) {
    const lines = ['Connection: keep-alive'];
    // Without a length it would end the connection: that is the other kind.
    const sized = `/ok/${number % PATHS_PER_KIND}`;
    return fetching('GET', sized, head('GET', sized, 'HTTP/1.0', ...lines));
  }
  return sending(random, number);
}

function sending(random: Random, number: number): Asked {
  const path = `/echo/${number}-${Math.floor(random() * 1e9)}`;
  const content = Buffer.alloc(Math.floor(random() ** 3 * 300_000), `${path} `);
  const method = pick(['POST', 'PUT', 'PATCH', 'DELETE', 'GET'], random);
  const waits = random() < 0.2 && content.length > 0;
  const expects = waits ? ['Expect: 100-continue'] : [];
  const isChunked = random() < 0.4 && content.length > 0;
  const framed = isChunked ? chunked(content, random) : content;
  const framing = isChunked ? 'Transfer-Encoding: chunked' : `Content-Length: ${content.length}`;
  const start = Buffer.from(head(method, path, 'HTTP/1.1', framing, ...expects), 'latin1');
  const wanted = echoOf(method, path, content);
  return {
    name: `${method} ${path} ${framing} ${expects}`,
    method,
    bytes: waits ? start : Buffer.concat([start, framed]),
    content: waits ? framed : undefined,
    mayBreak: false,
    mayReset: false,
    isLast: false,
    flawOf({ status, body, isWhole, field }) {
      if (FAILED.has(status) && field('cache-status') !== undefined) return undefined;
      if (status !== 200) return `status ${status}`;
      if (isWhole && body.toString() !== wanted) return `${body.toString('latin1')}, not ${wanted}`;
      return wanted.startsWith(body.toString()) ? undefined : `begins ${body.toString('latin1')}, not ${wanted}`;
    },
  };
}

function chunked(content: Buffer, random: Random): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0; at < content.length; ) {
    const size = 1 + Math.floor(random() ** 3 * content.length);
    const data = content.subarray(at, at + size);
    parts.push(Buffer.from(`${data.length.toString(16)}\r\n`), data, Buffer.from('\r\n'));
    at += size;
  }
  return Buffer.concat([...parts, Buffer.from('0\r\n\r\n')]);
}

const BAD: readonly (readonly [string, number])[] = [
  ['GET /ok/1 HTTP/1.1\r\n\r\n', 400],
  [`GET /ok/1 HTTP/1.1\r\nHost: ${HOST}\r\nHost: ${HOST}\r\n\r\n`, 400],
  [`GET /ok/1 HTTP/1.2\r\nHost: ${HOST}\r\n\r\n`, 400],
  [`GET /ok/1 HTTP/1.1\r\nHost: ${HOST}\r\nX : y\r\n\r\n`, 400],
  [`POST /echo/1 HTTP/1.1\r\nHost: ${HOST}\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`, 400],
  [`GET /${'u'.repeat(8_200)} HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`, 414],
  [`GET /ok/1 HTTP/1.1\r\nHost: ${HOST}\r\nX-Long: ${'l'.repeat(33_000)}\r\n\r\n`, 431],
  [`GET /ok/1 HTTP/1.1\r\nHost: ${HOST}\r\n${'A: b\r\n'.repeat(101)}\r\n`, 431],
  ['CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n', 501],
  ['\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', 400],
];

/** The last that is answered of a connection. */
function last(random: Random): Asked {
  const path = pathOf(random);
  const way = random();
  if (way < 0.4) return fetching('GET', path, head('GET', path, 'HTTP/1.1', 'Connection: close'), true);
  if (way < 0.55) return fetching('GET', path, head('GET', path, 'HTTP/1.0'), true);
  const [bytes, status] = pick(BAD, random);
  return {
    name: bytes.slice(0, 60),
    method: 'GET',
    bytes: Buffer.from(bytes, 'latin1'),
    content: undefined,
    mayBreak: false,
    mayReset: false,
    isLast: true,
    flawOf: (told) => (told.status === status ? undefined : `status ${told.status} for what is ${status}`),
  };
}

/** Small pieces, large ones, or all at once. */
function cutUp(whole: Buffer, random: Random): (readonly [Buffer, number])[] {
  const pieces: (readonly [Buffer, number])[] = [];
  const size = pick([40, 400, 20_000, 2_000_000], random);
  const rush = random();
  for (let at = 0; at < whole.length; ) {
    const length = 1 + Math.floor(random() * Math.max(size, whole.length / 60));
    const waits = random() < rush ? 0 : random() * LONGEST_PAUSE_MS;
    pieces.push([whole.subarray(at, at + length), waits]);
    at += length;
  }
  return pieces;
}

export function makePlan(random: Random): Plan {
  const asked: Asked[] = [];
  const count = 1 + Math.floor(random() ** 2 * MAX_REQUESTS);
  const fullShare = pick([0, 0.05, 0.3], random);
  while (asked.length < count) asked.push(random() < fullShare ? other(random, asked.length) : plain(random));
  const endsSo = random() < 0.3;
  if (endsSo) asked.push(last(random));
  const going: Going = endsSo
    ? pick(['waits', 'waits', 'ends', 'resets'], random)
    : pick(['waits', 'waits', 'ends', 'ends', 'cuts-head', 'cuts-head', 'leaves', 'resets'], random);
  const pieces: (readonly [Buffer, number])[] = [];
  let together: Buffer[] = [];
  for (const { bytes, content } of asked) {
    together.push(bytes);
    if (content === undefined) continue;
    pieces.push(...cutUp(Buffer.concat(together), random), [Buffer.alloc(0), -1]);
    together = [content];
  }
  // RFC 9112 §9.6: nothing that comes behind a last request is looked at.
  if (endsSo && random() < 0.4) together.push(Buffer.from(head('GET', '/never/1', 'HTTP/1.1'), 'latin1'));
  if (going === 'cuts-head') {
    const next = random() < 0.7 ? head('GET', '/never/2', 'HTTP/1.1') : head('POST', '/never/3', 'HTTP/1.1');
    together.push(Buffer.from(next.slice(0, 1 + Math.floor(random() * (next.length - 2))), 'latin1'));
  }
  pieces.push(...cutUp(Buffer.concat(together), random));
  const reading = pick<Reading>(['eager', 'eager', 'slow', 'stalls', 'late'], random);
  return { asked, pieces, going, reading, turningPoint: Math.floor(random() ** 3 * 4_000_000) };
}
