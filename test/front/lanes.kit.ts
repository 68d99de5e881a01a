/** The same proxy twice, once with each lane, and what a client gets of either for the same bytes. */
import type { Test } from 'tap';
import type { AnsweredEvent } from '../../lib/observe/events.js';
import { turns } from '../kit/barrier.js';
import { FakeClock } from '../kit/clock.js';
import { metric, type OpenOptions, type OpenProxy, openProxy } from '../kit/proxy-kit.js';
import { connectRaw } from '../kit/raw-client.js';
import type { Answer, RecordedRequest } from '../kit/scripted-origin.js';

export interface Twins {
  readonly fast: OpenProxy & { readonly clock: FakeClock };
  readonly full: OpenProxy & { readonly clock: FakeClock };
}

const DATED = ['Date', 'Thu, 01 Jan 2026 00:00:00 GMT', 'Content-Type', 'text/plain'];
const STORED = [...DATED, 'Cache-Control', 'max-age=60, stale-while-revalidate=600', 'ETag', '"v1"'];

/** Answers by path: stored, varied, private, failing, large. */
export function answerOf(request: RecordedRequest): Answer {
  const { target, method } = request;
  const path = target.replace(/\?.*/, '');
  if (path === '/down') return { status: 503, fields: DATED, body: 'down' };
  if (path === '/gone') return { status: 404, fields: [...DATED, 'Cache-Control', 'max-age=5'], body: 'gone' };
  if (path === '/private') return { fields: [...DATED, 'Cache-Control', 'private'], body: 'for one' };
  if (path === '/nothing') return { fields: STORED, body: '' };
  if (path === '/empty') return { status: 204, fields: STORED };
  if (path === '/varied') {
    return { fields: [...STORED, 'Vary', 'Accept-Language'], body: `in ${request.field('accept-language')}` };
  }
  if (path === '/modified') return { fields: [...STORED, 'Last-Modified', 'Mon, 01 Dec 2025 00:00:00 GMT'], body: 'm' };
  if (path === '/cached-elsewhere') return { fields: [...STORED, 'Age', '7', 'CDN-Cache', 'HIT'], body: 'aged' };
  if (path === '/large') return { fields: STORED, body: 'x'.repeat(300_000) };
  if (request.field('if-none-match') === '"v1"') return { status: 304, fields: STORED };
  return { fields: STORED, body: `${method} ${target}` };
}

export async function openTwins(
  t: Test,
  conf: Readonly<Record<string, unknown>> = {},
  { token, next }: Pick<OpenOptions, 'token' | 'next'> = {},
): Promise<Twins> {
  const open = async (lane: 'on' | 'off') => {
    const clock = new FakeClock();
    const confOf = (its: Readonly<Record<string, unknown>>) => ({ name: 'twin', ...its, fast_lane: lane });
    const house = await openProxy(t, {
      clock,
      conf: confOf(conf),
      ...(token === undefined ? {} : { token }),
      ...(next === undefined ? {} : { next: () => confOf(next()) }),
    });
    house.origin.respond(answerOf);
    return { ...house, clock };
  };
  return { fast: await open('on'), full: await open('off') };
}

/** Resolves once neither of the two has anything under way at the origin. */
export async function rested({ fast, full }: Twins): Promise<void> {
  for (const house of [fast, full]) await restedOne(house);
}

/** The same for one of them. */
export async function restedOne(house: OpenProxy): Promise<void> {
  while (metric(await house.metrics(), 'patina_fills_in_flight') > 0) await turns(1);
}

/** All that came on one connection until it ended, and how it ended. */
export interface Heard {
  readonly text: string;
  readonly ending: string;
  readonly events: readonly Partial<AnsweredEvent>[];
}

/** What is done between two pieces. */
type Pause = (house: OpenProxy) => Promise<void>;

const someTurns: Pause = () => turns(2);

/** Sends pieces with pauses between them, then ends the client's side, and hears the rest. */
export async function hear(house: OpenProxy, pieces: readonly Buffer[], pause = someTurns): Promise<Heard> {
  const before = house.answered.length;
  const client = await connectRaw(house.port);
  const heard: Buffer[] = [];
  client.socket.on('data', (chunk: Buffer) => heard.push(chunk));
  for (const piece of pieces) {
    client.send(piece);
    if (pieces.length > 1) await pause(house);
  }
  client.finish();
  const ending = await client.ended;
  await turns(2);
  const text = Buffer.concat(heard).toString('latin1');
  // Chance has a part in these: the boundary of several ranges, and how long a failing origin is left alone.
  const certain = (text.includes('multipart/byteranges') ? text.replace(/(Content-Length: )\d+/g, '$1some') : text)
    .replace(/patina-[0-9a-z]+/g, 'patina-boundary')
    .replace(/(Retry-After: )\d+/g, '$1some');
  const isMultipart = text.includes('multipart/byteranges');
  const events = house.answered.slice(before).map(({ durationMs, bodyBytes, ...event }) => {
    // RFC 9112 §3.3: HTTP/1.0 may name no host, and then it is the address, which each of the two has for itself.
    const host = event.host === `127.0.0.1:${house.port}` ? 'its own address' : event.host;
    return { ...event, host, bodyBytes: isMultipart ? -1 : bodyBytes, hasTime: durationMs >= 0 };
  });
  // Node's parser reads on while requests run, and so tells of a refused one before they are answered.
  events.sort((one, other) => (JSON.stringify(one) < JSON.stringify(other) ? -1 : 1));
  return { text: certain, ending, events };
}

/** Whether both lanes do the same about these bytes. */
export async function compare(
  t: Test,
  { fast, full }: Twins,
  name: string,
  pieces: readonly Buffer[],
  pause = someTurns,
): Promise<Heard> {
  const one = await hear(fast, pieces, pause);
  const other = await hear(full, pieces, pause);
  if (one.text !== other.text || one.ending !== other.ending) t.strictSame(one, other, name);
  else if (JSON.stringify(one.events) !== JSON.stringify(other.events)) t.strictSame(one.events, other.events, name);
  return one;
}
