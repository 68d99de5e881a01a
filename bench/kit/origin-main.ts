/** An origin of its own process, so that its work is not counted as the proxy's: behaves as it is told, and counts. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import type { Asked, Behaviour, OriginMessage } from './origin.js';

/** Requests noted between two questions; further ones are only counted. */
const MAX_NOTED = 100_000;
const TRICKLE_PIECES = 200;

let behaviour: Behaviour | undefined;
let body = Buffer.alloc(0);
let asked: Asked[] = [];
let askedCount = 0;

function note(one: Asked): void {
  askedCount++;
  if (asked.length < MAX_NOTED) asked.push(one);
}

async function trickle(res: ServerResponse, overMs: number): Promise<void> {
  const step = Math.max(1, Math.ceil(body.length / TRICKLE_PIECES));
  const pauseMs = overMs / Math.ceil(body.length / step);
  for (let at = 0; at < body.length && !res.destroyed; at += step) {
    res.write(body.subarray(at, at + step));
    await pause(pauseMs);
  }
  res.end();
}

async function answer(req: IncomingMessage, res: ServerResponse, now: Behaviour): Promise<void> {
  const etag = now.fields['ETag'];
  const isKnown = etag !== undefined && req.headers['if-none-match'] === etag && now.status === 200;
  const status = isKnown ? 304 : now.status;
  note({
    atMs: performance.now(),
    status: now.hangs ? 0 : status,
    isConditional: req.headers['if-none-match'] !== undefined,
  });
  req.resume();
  if (now.hangs) return;
  if (now.delayMs > 0) await pause(now.delayMs);
  if (isKnown) {
    res.writeHead(304, now.fields).end();
    return;
  }
  res.writeHead(status, { 'Content-Type': 'application/octet-stream', ...now.fields, 'Content-Length': body.length });
  if (req.method === 'HEAD') res.end();
  else if (now.trickleMs > 0) await trickle(res, now.trickleMs);
  else res.end(body);
}

const server = createServer((req, res) => {
  if (behaviour === undefined) res.writeHead(500).end();
  else void answer(req, res, behaviour);
});
server.keepAliveTimeout = 0;

process.on('message', (message: OriginMessage) => {
  if (message.kind === 'take') {
    process.send?.({ count: askedCount, asked });
    asked = [];
    askedCount = 0;
    return;
  }
  behaviour = message.behaviour;
  if (body.length !== behaviour.bodyBytes) body = Buffer.alloc(behaviour.bodyBytes, 'abcdefghijklmnopqrstuvwxyz');
  process.send?.(true);
});
process.once('disconnect', () => process.exit(0));

server.listen(Number(process.argv[2]), '127.0.0.1');
