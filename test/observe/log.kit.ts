/** A log on a destination that tests script. */
import type { Test } from 'tap';
import { LOG_CLOSE_TIMEOUT_MS } from '../../lib/base/limits.js';
import { type AccessLogOptions, createAccessLog } from '../../lib/observe/access-log.js';
import { FakeClock } from '../kit/clock.js';

/** A destination that a test lets go on, or fail, batch by batch. */
export class ScriptedStream {
  text = '';
  writes = 0;
  /** What the next writes are answered with; when empty: success, at once. */
  readonly script: ('hang' | string)[] = [];
  #hanging: (() => void) | undefined;

  write(bytes: Uint8Array, done: (error?: Error | null) => void): void {
    this.writes++;
    const step = this.script.shift();
    const succeed = (): void => {
      this.text += Buffer.from(bytes).toString();
      done();
    };
    if (step === undefined) succeed();
    else if (step === 'hang') this.#hanging = succeed;
    else done(Object.assign(new Error(step), { code: step }));
  }

  release(): void {
    this.#hanging?.();
    this.#hanging = undefined;
  }

  get lines(): string[] {
    return this.text.split('\n').slice(0, -1);
  }
}

/** With a clock that stands still. */
export function makeLog(t: Test, options: Partial<AccessLogOptions> = {}) {
  const stream = new ScriptedStream();
  const clock = new FakeClock();
  const log = createAccessLog({ format: 'json', destination: stream, clock, ...options });
  t.teardown(() => {
    const closed = log.close();
    clock.advance(LOG_CLOSE_TIMEOUT_MS);
    return closed;
  });
  return { stream, clock, log };
}
