/** A front on a free port with a stub for the engine: what it was handed, what it told, and a clock that a test moves. */
import type { Test } from 'tap';
import type { ClientRequest, Reply, ReplySink } from '../../lib/engine/contract.js';
import type { Front, FrontOptions } from '../../lib/front/contract.js';
import { createFront } from '../../lib/front/front.js';
import type { Tunnel } from '../../lib/front/pass-lane.js';
import { Fields } from '../../lib/http/fields.js';
import { type AnsweredEvent, SILENT } from '../../lib/observe/events.js';
import { type Arrivals, createArrivals } from '../kit/barrier.js';
import { FakeClock } from '../kit/clock.js';
import { HAS_FAST_LANE } from '../kit/lane.js';

export interface Handed {
  readonly request: ClientRequest;
  readonly sink: ReplySink;
}

export interface House {
  readonly front: Front;
  readonly port: number;
  readonly clock: FakeClock;
  /** Requests that reached the engine. */
  readonly handed: Handed[];
  readonly arrivals: Arrivals;
  readonly answered: AnsweredEvent[];
  readonly answers: Arrivals;
  /** Codes of the notices. */
  readonly notices: string[];
}

export const NO_TUNNEL: Tunnel = {
  web() {
    throw new Error('nothing passes here');
  },
  upgrade() {
    throw new Error('nothing passes here');
  },
};

/** A reply from memory. */
export function replyOf(body: string | readonly Buffer[], more: Partial<Reply> = {}): Reply {
  const chunks = typeof body === 'string' ? [Buffer.from(body, 'latin1')] : body;
  let length = 0;
  for (const chunk of chunks) length += chunk.length;
  return {
    status: 200,
    reasonPhrase: 'OK',
    fields: Fields.of({ Date: 'Thu, 01 Jan 2026 00:00:00 GMT', 'Content-Type': 'text/plain' }),
    payload: { kind: 'bytes', chunks, length },
    note: { outcome: 'HIT', reason: 'fresh', rule: 'defaults', ageSec: 3, collapsed: false },
    ...more,
  };
}

type Answer = (request: ClientRequest, sink: ReplySink) => void;

/** Answers each request with its target, unless `answer` says otherwise. */
export async function openHouse(t: Test, answer?: Answer, options: Partial<FrontOptions> = {}): Promise<House> {
  const clock = new FakeClock();
  const handed: Handed[] = [];
  const answered: AnsweredEvent[] = [];
  const notices: string[] = [];
  const arrivals = createArrivals();
  const answers = createArrivals();
  const front = createFront({
    listen: { host: '127.0.0.1', port: 0 },
    clock,
    tunnel: NO_TUNNEL,
    fastLane: HAS_FAST_LANE,
    handler: {
      handle(request, sink) {
        handed.push({ request, sink });
        arrivals.arrive();
        if (answer === undefined) sink.reply(replyOf(`you asked for ${request.target}`));
        else answer(request, sink);
      },
    },
    events: {
      ...SILENT,
      answered(event) {
        answered.push(event);
        answers.arrive();
      },
      notice(_level, code) {
        notices.push(code);
      },
    },
    ...options,
  });
  const address = await front.start();
  t.teardown(() => front.close());
  const port = Number(address.slice(address.lastIndexOf(':') + 1));
  return { front, port, clock, handed, arrivals, answered, answers, notices };
}

/** Moves time on second by second, with the event loop turning in between, as a running process would. */
export async function pass(clock: FakeClock, ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += 1000) {
    clock.advance(Math.min(1000, ms - passed));
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
}

/** Waits until `holds`, while the event loop turns; the runner's own timeout ends it where that never comes. */
export async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise<void>((resolve) => setImmediate(resolve));
}
