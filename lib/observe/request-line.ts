/**
 * Answered requests as lines of JSON. By hand: every hit that is logged pays for its line, and this costs a tenth of a
 * general serialiser. Lines are written as bytes, straight into the batch that goes to the log, and what stands in a
 * line before is copied from there: that takes the same short time whatever its length. Several are made in a row:
 * between two answers nothing that they need is in the caches of the processor any more, and a line took twice as long.
 */
import { LOG_LINES_TOGETHER } from '../base/limits.js';
import type { AnsweredEvent } from './events.js';
import type { LineBatch } from './line-batch.js';
import { LineBefore } from './line-before.js';
import { putMs, putMsName, putNumber, putQuoted, putText, putThree } from './line-bytes.js';
import type { LineSink } from './line-sink.js';
import {
  askerText,
  endText,
  isSameAsker,
  isSameEnd,
  isSameStatus,
  isSameVerdict,
  mostBytesOf,
  statusText,
  timeText,
  verdictText,
} from './line-texts.js';
import { placeOf, Stretches } from './stretches.js';

export class RequestLines {
  readonly #sink: LineSink;
  /** What lines are still to be made of, in the first `#count` places. */
  readonly #told: AnsweredEvent[] = [];
  #count = 0;
  /** In which the stretches are. */
  #batch: LineBatch | undefined;
  readonly #before = new LineBefore();
  readonly #times = new Stretches<number>();
  readonly #askers = new Stretches<AnsweredEvent>();
  readonly #statuses = new Stretches<AnsweredEvent>();
  readonly #verdicts = new Stretches<AnsweredEvent>();
  readonly #ends = new Stretches<AnsweredEvent>();

  constructor(sink: LineSink) {
    this.#sink = sink;
  }

  /** Takes a request, which does not change any more. Its line is made with others, or when make() is called. */
  write(event: AnsweredEvent): void {
    this.#told[this.#count++] = event;
    if (this.#count === LOG_LINES_TOGETHER) this.make();
    else if (this.#count === 1) this.#sink.expect();
  }

  /** Makes the lines of what was taken. Field names are stable: every one is on every line. */
  make(): void {
    const count = this.#count;
    this.#count = 0;
    for (let i = 0; i < count; i++) this.#make(this.#told[i] as AnsweredEvent);
  }

  #make(event: AnsweredEvent): void {
    const batch = this.#sink.room(mostBytesOf(event));
    if (batch === undefined) return;
    if (batch !== this.#batch) this.#begin(batch);
    this.#sink.added(this.#put(batch.bytes, batch.length, event) - batch.length);
  }

  #begin(batch: LineBatch): void {
    this.#batch = batch;
    this.#before.forget();
    this.#times.forget();
    for (const stretches of [this.#askers, this.#statuses, this.#verdicts, this.#ends]) stretches.forget();
  }

  #put(bytes: Buffer, from: number, event: AnsweredEvent): number {
    const wall = Math.floor(event.startedWall);
    const second = Math.floor(wall / 1000);
    const millisecond = wall - second * 1000;
    const before = this.#before;
    if (before.isOf(event, second)) return before.repeat(bytes, from, millisecond, event.durationMs);
    before.begin(event, second, from);
    const millisecondAt = this.#putTime(bytes, from, second);
    let at = putThree(bytes, millisecondAt, millisecond);
    at = this.#putAsker(bytes, at, event);
    at = putQuoted(bytes, at, event.target);
    at = this.#putStatus(bytes, at, event);
    const durationFrom = putMsName(bytes, putNumber(bytes, at, event.bodyBytes));
    const durationUntil = putMs(bytes, durationFrom, event.durationMs);
    at = this.#putVerdict(bytes, durationUntil, event);
    at = event.ageSec === undefined ? putText(bytes, at, 'null') : putNumber(bytes, at, event.ageSec);
    return before.end(millisecondAt, durationFrom, durationUntil, this.#putEnd(bytes, at, event));
  }

  #putTime(bytes: Buffer, at: number, second: number): number {
    // Requests that took long began in other seconds than those that end beside them.
    const place = placeOf(second);
    if (this.#times.at(place) === second) return this.#times.repeat(place, bytes, at);
    return this.#times.write(place, bytes, at, second, timeText(second));
  }

  #putAsker(bytes: Buffer, at: number, event: AnsweredEvent): number {
    const { remoteAddress, method } = event;
    const place = placeOf(remoteAddress.charCodeAt(remoteAddress.length - 1) + remoteAddress.length + method.length);
    const known = this.#askers.at(place);
    if (known !== undefined && isSameAsker(event, known)) return this.#askers.repeat(place, bytes, at);
    return this.#askers.write(place, bytes, at, event, askerText(event));
  }

  #putStatus(bytes: Buffer, at: number, event: AnsweredEvent): number {
    const place = placeOf(event.status);
    const known = this.#statuses.at(place);
    if (known !== undefined && isSameStatus(event, known)) return this.#statuses.repeat(place, bytes, at);
    return this.#statuses.write(place, bytes, at, event, statusText(event));
  }

  #putVerdict(bytes: Buffer, at: number, event: AnsweredEvent): number {
    const place = placeOf(event.outcome.length + event.reason.length + event.rule.length);
    const known = this.#verdicts.at(place);
    if (known !== undefined && isSameVerdict(event, known)) return this.#verdicts.repeat(place, bytes, at);
    return this.#verdicts.write(place, bytes, at, event, verdictText(event));
  }

  #putEnd(bytes: Buffer, at: number, event: AnsweredEvent): number {
    const { userAgent = '', referer = '' } = event;
    const place = placeOf(userAgent.length + referer.length);
    const known = this.#ends.at(place);
    if (known !== undefined && isSameEnd(event, known)) return this.#ends.repeat(place, bytes, at);
    return this.#ends.write(place, bytes, at, event, endText(event));
  }
}
