/**
 * One answered request as one line of JSON. By hand: every hit that is logged pays for its line, and this costs a tenth
 * of a general serialiser. The line is written as bytes, straight into the batch that goes to the log, and what stands in
 * a line before it is copied from there: that takes the same short time whatever its length.
 */
import type { AnsweredEvent } from './events.js';
import type { LineBatch } from './line-batch.js';
import type { LineSink } from './line-sink.js';

/** Printable ASCII without the quote and the backslash: what JSON takes as it is. */
const PLAIN = /^[ !#-[\]-~]*$/;
/** What JSON leaves alone but a terminal or a line reader may act on: DEL, C1 controls, line and paragraph separators. */
const UNSAFE = /[\x7f-\x9f\u2028\u2029]/g;

/** The same JSON text with nothing in it that can end a line early or move a cursor. */
export function defuse(json: string): string {
  return json.replace(UNSAFE, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** A JSON string, defused. */
export function quote(text: string): string {
  if (PLAIN.test(text)) return `"${text}"`;
  return defuse(JSON.stringify(text));
}

function quoteOrNull(text: string | undefined): string {
  return text === undefined ? 'null' : quote(text);
}

/** A second, as the beginning of an instant of RFC 3339, UTC. */
function isoSecond(second: number): string {
  return new Date(second * 1000).toISOString().slice(0, 20);
}

/** The instant as in RFC 3339, UTC. */
export function isoTime(wall: number): string {
  return new Date(Math.floor(wall)).toISOString();
}

// A line is these five texts and what stands between them: milliseconds of the time, target, bytes, duration and age.

function timeText(second: number): string {
  return `{"level":"info","time":"${isoSecond(second)}`;
}

function askerText({ remoteAddress, method, host }: AnsweredEvent): string {
  return `Z","event":"request","client":${quote(remoteAddress)},"method":${quote(method)},"host":${quote(host)},"target":`;
}

function isSameAsker(a: AnsweredEvent, b: AnsweredEvent): boolean {
  return a.remoteAddress === b.remoteAddress && a.method === b.method && a.host === b.host;
}

function statusText({ httpVersion, status }: AnsweredEvent): string {
  return `,"protocol":${quote(httpVersion)},"status":${status},"bytes":`;
}

function isSameStatus(a: AnsweredEvent, b: AnsweredEvent): boolean {
  return a.status === b.status && a.httpVersion === b.httpVersion;
}

function verdictText({ outcome, reason, rule }: AnsweredEvent): string {
  return `,"outcome":"${outcome}","reason":${quote(reason)},"rule":${quote(rule)},"age":`;
}

function isSameVerdict(a: AnsweredEvent, b: AnsweredEvent): boolean {
  return a.outcome === b.outcome && a.reason === b.reason && a.rule === b.rule;
}

function endText({ collapsed, ending, userAgent, referer }: AnsweredEvent): string {
  return `,"collapsed":${collapsed},"ending":"${ending}","ua":${quoteOrNull(userAgent)},"referer":${quoteOrNull(referer)}}\n`;
}

function isSameEnd(a: AnsweredEvent, b: AnsweredEvent): boolean {
  return a.collapsed === b.collapsed && a.ending === b.ending && a.userAgent === b.userAgent && a.referer === b.referer;
}

/** What a line holds beside its texts: names of members, punctuation, numbers. */
const MOST_OTHER_BYTES = 512;
/** \u0000 */
const MOST_BYTES_OF_A_UNIT = 6;

/** No line of it has more bytes. */
function mostBytesOf(event: AnsweredEvent): number {
  const { remoteAddress, method, host, target, httpVersion, reason, rule, userAgent = '', referer = '' } = event;
  const asker = remoteAddress.length + method.length + host.length + target.length + httpVersion.length;
  const texts = asker + reason.length + rule.length + userAgent.length + referer.length;
  return texts * MOST_BYTES_OF_A_UNIT + MOST_OTHER_BYTES;
}

/** Texts of one kind that are remembered: a power of two. */
const PLACES = 16;

/** Which place a text has; another with the same takes it over. NaN, of an empty text, is 0. */
function placeOf(what: number): number {
  return what & (PLACES - 1);
}

/** Where texts of the last lines stand in the batch, and what they were made for. */
class Stretches<Source> {
  readonly #sources: (Source | undefined)[] = Array.from({ length: PLACES });
  readonly #from = new Int32Array(PLACES);
  readonly #to = new Int32Array(PLACES);

  /** Another batch is filled. */
  forget(): void {
    this.#sources.fill(undefined);
  }

  at(place: number): Source | undefined {
    return this.#sources[place];
  }

  /** Writes the text of this place once more. Returns where it ends. */
  repeat(place: number, bytes: Buffer, at: number): number {
    const from = this.#from[place] ?? 0;
    const to = this.#to[place] ?? 0;
    bytes.copyWithin(at, from, to);
    return at + to - from;
  }

  /** Writes another text, which takes this place. Returns where it ends. */
  write(place: number, bytes: Buffer, at: number, source: Source, text: string): number {
    const end = at + bytes.write(text, at);
    this.#sources[place] = source;
    this.#from[place] = at;
    this.#to[place] = end;
    return end;
  }
}

export class RequestLines {
  readonly #sink: LineSink;
  /** In which the stretches are. */
  #batch: LineBatch | undefined;
  readonly #times = new Stretches<number>();
  readonly #askers = new Stretches<AnsweredEvent>();
  readonly #statuses = new Stretches<AnsweredEvent>();
  readonly #verdicts = new Stretches<AnsweredEvent>();
  readonly #ends = new Stretches<AnsweredEvent>();

  constructor(sink: LineSink) {
    this.#sink = sink;
  }

  /** Field names are stable: every one is on every line. */
  write(event: AnsweredEvent): void {
    const batch = this.#sink.room(mostBytesOf(event));
    if (batch === undefined) return;
    if (batch !== this.#batch) this.#begin(batch);
    this.#sink.added(this.#put(batch.bytes, batch.length, event) - batch.length);
  }

  #begin(batch: LineBatch): void {
    this.#batch = batch;
    this.#times.forget();
    for (const stretches of [this.#askers, this.#statuses, this.#verdicts, this.#ends]) stretches.forget();
  }

  #put(bytes: Buffer, from: number, event: AnsweredEvent): number {
    const wall = Math.floor(event.startedWall);
    const second = Math.floor(wall / 1000);
    let at = this.#putTime(bytes, from, second);
    at = putThree(bytes, at, wall - second * 1000);
    at = this.#putAsker(bytes, at, event);
    at = putQuoted(bytes, at, event.target);
    at = this.#putStatus(bytes, at, event);
    at = putNumber(bytes, at, event.bodyBytes);
    at = putMs(bytes, at, event.durationMs);
    at = this.#putVerdict(bytes, at, event);
    at = event.ageSec === undefined ? putText(bytes, at, 'null') : putNumber(bytes, at, event.ageSec);
    return this.#putEnd(bytes, at, event);
  }

  #putTime(bytes: Buffer, at: number, second: number): number {
    if (this.#times.at(0) === second) return this.#times.repeat(0, bytes, at);
    return this.#times.write(0, bytes, at, second, timeText(second));
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

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const SPACE = 0x20;
const TILDE = 0x7e;
const ZERO = 0x30;
const POINT = 0x2e;
/** Characters up to which a text is written one by one: calls into V8 take as long as so many. */
const MOST_BY_CHARACTER = 64;
/** Up to here a number is written digit by digit. */
const MOST_SWIFT = 0x7fffffff;

function putText(bytes: Buffer, at: number, text: string): number {
  return at + bytes.write(text, at, 'latin1');
}

/** A JSON string, defused. */
function putQuoted(bytes: Buffer, at: number, text: string): number {
  const end = text.length <= MOST_BY_CHARACTER ? putPlain(bytes, at + 1, text) : putLongPlain(bytes, at + 1, text);
  if (end < 0) return at + bytes.write(quote(text), at);
  bytes[at] = QUOTE;
  bytes[end] = QUOTE;
  return end + 1;
}

/** Where a text of printable ASCII, without what JSON escapes, ends in the bytes; -1 where it has something else. */
function putPlain(bytes: Buffer, from: number, text: string): number {
  const { length } = text;
  for (let at = 0; at < length; at++) {
    const code = text.charCodeAt(at);
    if (code < SPACE || code > TILDE || code === QUOTE || code === BACKSLASH) return -1;
    bytes[from + at] = code;
  }
  return from + length;
}

/** The same for a text that one call looks at, and another writes, sooner. */
function putLongPlain(bytes: Buffer, from: number, text: string): number {
  return PLAIN.test(text) ? putText(bytes, from, text) : -1;
}

function putNumber(bytes: Buffer, at: number, value: number): number {
  if (!Number.isInteger(value) || value < 0 || value > MOST_SWIFT) return putText(bytes, at, String(value));
  let end = at + 1;
  for (let rest = value; rest >= 10; rest = (rest / 10) | 0) end++;
  for (let to = end - 1, rest = value; to >= at; to--, rest = (rest / 10) | 0) bytes[to] = ZERO + (rest % 10);
  return end;
}

/** Three digits of a number below a thousand. */
function putThree(bytes: Buffer, at: number, value: number): number {
  bytes[at] = ZERO + ((value / 100) | 0);
  bytes[at + 1] = ZERO + (((value / 10) | 0) % 10);
  bytes[at + 2] = ZERO + (value % 10);
  return at + 3;
}

const MS_NAME = Buffer.from(',"ms":');

/** Milliseconds to the microsecond, without zeros at the end. */
function putMs(bytes: Buffer, from: number, ms: number): number {
  let at = from;
  for (let i = 0; i < MS_NAME.length; i++) bytes[at++] = MS_NAME[i] ?? 0;
  const us = Math.round(ms * 1000);
  if (!(us >= 0 && us <= MOST_SWIFT)) return putText(bytes, at, String(us / 1000));
  const whole = (us / 1000) | 0;
  at = putNumber(bytes, at, whole);
  const part = us - whole * 1000;
  if (part === 0) return at;
  bytes[at] = POINT;
  at = putThree(bytes, at + 1, part);
  while (bytes[at - 1] === ZERO) at--;
  return at;
}
