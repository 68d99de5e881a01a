/** What the tests of the origin side share: a listener that records one exchange, and a client in front of a port. */
import type { Clock } from '../../lib/base/clock.js';
import type { OriginError } from '../../lib/base/errors.js';
import { Fields } from '../../lib/http/fields.js';
import { SILENT } from '../../lib/observe/events.js';
import { createOriginClient, type OriginClientOptions } from '../../lib/origin/client.js';
import type { OriginClient, OriginListener, OriginRequest, OriginResponseHead } from '../../lib/origin/contract.js';
import { FakeClock } from '../kit/clock.js';

/** Records what it hears, and throws at an order that the contract forbids. */
export class Recorder implements OriginListener {
  readonly story: string[] = [];
  readonly interim: { status: number; fields: Fields }[] = [];
  readonly chunks: Buffer[] = [];
  response: OriginResponseHead | undefined;
  trailers: Fields | undefined;
  error: OriginError | undefined;
  readonly over: Promise<'end' | 'fail'>;
  readonly hasHead: Promise<OriginResponseHead>;
  #over: (how: 'end' | 'fail') => void = () => {};
  #hasHead: (head: OriginResponseHead) => void = () => {};
  #wake: () => void = () => {};
  onData: (chunk: Buffer) => void = () => {};

  constructor() {
    this.over = new Promise((resolve) => {
      this.#over = resolve;
    });
    this.hasHead = new Promise((resolve) => {
      this.#hasHead = resolve;
    });
  }

  #note(what: string, ...before: string[]): void {
    const last = this.story.at(-1) ?? 'start';
    if (!before.includes(last)) throw new Error(`${what} after ${last}`);
    this.story.push(what);
  }

  inform(status: number, fields: Fields): void {
    this.#note('inform', 'start', 'inform');
    this.interim.push({ status, fields });
  }

  head(head: OriginResponseHead): void {
    this.#note('head', 'start', 'inform');
    this.response = head;
    this.#hasHead(head);
  }

  data(chunk: Buffer): void {
    this.#note('data', 'head', 'data');
    this.chunks.push(chunk);
    this.onData(chunk);
    this.#wake();
  }

  end(trailers: Fields): void {
    this.#note('end', 'head', 'data');
    this.trailers = trailers;
    this.#over('end');
  }

  fail(error: OriginError): void {
    this.#note('fail', 'start', 'inform', 'head', 'data');
    this.error = error;
    this.#over('fail');
  }

  protected noteWhole(head: OriginResponseHead, content: Buffer): void {
    this.#note('whole', 'start', 'inform');
    this.response = head;
    this.#hasHead(head);
    // It is good for this call alone.
    if (content.length > 0) this.chunks.push(Buffer.from(content));
    this.trailers = Fields.empty;
    this.#over('end');
  }

  get body(): string {
    return Buffer.concat(this.chunks).toString('latin1');
  }

  /** Resolves once at least `bytes` bytes of the body are here. */
  async received(bytes: number): Promise<void> {
    while (Buffer.concat(this.chunks).length < bytes) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  /** The end in one word: `end`, or the code of the failure. */
  async ending(): Promise<string> {
    return (await this.over) === 'end' ? 'end' : (this.error?.code ?? 'no code');
  }
}

/** The same, and it hears as a whole what is here at once. */
export class WholeRecorder extends Recorder {
  whole(head: OriginResponseHead, content: Buffer): void {
    this.noteWhole(head, content);
  }
}

export const TIMES = { connectTimeoutMs: 1_000, headersTimeoutMs: 5_000, idleTimeoutMs: 2_000 };

export function clientFor(url: URL, options: Partial<OriginClientOptions> = {}): OriginClient {
  const clock: Clock = options.clock ?? new FakeClock();
  return createOriginClient({ url, events: SILENT, connections: 4, ...TIMES, ...options, clock });
}

export const get = (target = '/', fields: Fields = Fields.of({ Host: 'a.example' })): OriginRequest => ({
  method: 'GET',
  target,
  fields,
});
