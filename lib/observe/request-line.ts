/** One answered request as one line of JSON. By hand: it costs a fifth of a general serialiser, at 100,000 lines a second. */
import type { AnsweredEvent } from './events.js';

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

let knownSecond = Number.NaN;
let knownPrefix = '';

/** The instant as in RFC 3339, UTC; only its milliseconds are made anew within one second. */
export function isoTime(wall: number): string {
  const whole = Math.floor(wall);
  const second = Math.floor(whole / 1000);
  if (second !== knownSecond) {
    knownPrefix = new Date(second * 1000).toISOString().slice(0, 20);
    knownSecond = second;
  }
  return `${knownPrefix}${String(whole - second * 1000).padStart(3, '0')}Z`;
}

/**
 * What neighbouring lines mostly have in common is put together once: joining some forty pieces for each line, and
 * flattening them when it is written, costs three times as much.
 */
let knownAsker: AnsweredEvent | undefined;
let askerText = '';
let knownAnswer: AnsweredEvent | undefined;
let answerText = '';

function formatAsker(event: AnsweredEvent): string {
  const known = knownAsker;
  if (
    known === undefined ||
    known.remoteAddress !== event.remoteAddress ||
    known.method !== event.method ||
    known.host !== event.host
  ) {
    knownAsker = event;
    askerText = `"event":"request","client":${quote(event.remoteAddress)},"method":${quote(event.method)},"host":${quote(event.host)},"target":`;
  }
  return askerText;
}

function formatAnswer(event: AnsweredEvent): string {
  const known = knownAnswer;
  if (
    known === undefined ||
    known.outcome !== event.outcome ||
    known.reason !== event.reason ||
    known.rule !== event.rule ||
    known.ageSec !== event.ageSec ||
    known.collapsed !== event.collapsed ||
    known.ending !== event.ending ||
    known.userAgent !== event.userAgent ||
    known.referer !== event.referer
  ) {
    knownAnswer = event;
    answerText =
      `,"outcome":"${event.outcome}","reason":${quote(event.reason)},"rule":${quote(event.rule)}` +
      `,"age":${event.ageSec ?? 'null'},"collapsed":${event.collapsed},"ending":"${event.ending}"` +
      `,"ua":${quoteOrNull(event.userAgent)},"referer":${quoteOrNull(event.referer)}}\n`;
  }
  return answerText;
}

/** Field names are stable: every one is on every line. */
export function formatRequestLine(event: AnsweredEvent): string {
  return `{"level":"info","time":"${isoTime(event.startedWall)}",${formatAsker(event)}${quote(event.target)},"protocol":${quote(event.httpVersion)},"status":${event.status},"bytes":${event.bodyBytes},"ms":${Math.round(event.durationMs * 1000) / 1000}${formatAnswer(event)}`;
}
