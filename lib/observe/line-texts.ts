/**
 * The texts of a request's line that many lines have alike, in the order in which they stand there: between them are
 * milliseconds of the time, target, bytes, duration and age.
 */
import type { AnsweredEvent } from './events.js';

/** Printable ASCII without the quote and the backslash: what JSON takes as it is. */
export const PLAIN = /^[ !#-[\]-~]*$/;
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

export function timeText(second: number): string {
  return `{"level":"info","time":"${isoSecond(second)}`;
}

export function askerText({ remoteAddress, method, host }: AnsweredEvent): string {
  return `Z","event":"request","client":${quote(remoteAddress)},"method":${quote(method)},"host":${quote(host)},"target":`;
}

export function isSameAsker(a: AnsweredEvent, b: AnsweredEvent): boolean {
  return a.remoteAddress === b.remoteAddress && a.method === b.method && a.host === b.host;
}

export function statusText({ httpVersion, status }: AnsweredEvent): string {
  return `,"protocol":${quote(httpVersion)},"status":${status},"bytes":`;
}

export function isSameStatus(a: AnsweredEvent, b: AnsweredEvent): boolean {
  return a.status === b.status && a.httpVersion === b.httpVersion;
}

export function verdictText({ outcome, reason, rule }: AnsweredEvent): string {
  return `,"outcome":"${outcome}","reason":${quote(reason)},"rule":${quote(rule)},"age":`;
}

export function isSameVerdict(a: AnsweredEvent, b: AnsweredEvent): boolean {
  return a.outcome === b.outcome && a.reason === b.reason && a.rule === b.rule;
}

export function endText({ collapsed, ending, userAgent, referer }: AnsweredEvent): string {
  return `,"collapsed":${collapsed},"ending":"${ending}","ua":${quoteOrNull(userAgent)},"referer":${quoteOrNull(referer)}}\n`;
}

export function isSameEnd(a: AnsweredEvent, b: AnsweredEvent): boolean {
  return a.collapsed === b.collapsed && a.ending === b.ending && a.userAgent === b.userAgent && a.referer === b.referer;
}

/** Whether nothing but time and duration tells their lines apart. */
export function isSameRequest(a: AnsweredEvent, b: AnsweredEvent): boolean {
  return (
    a.target === b.target &&
    a.ageSec === b.ageSec &&
    a.bodyBytes === b.bodyBytes &&
    isSameAsker(a, b) &&
    isSameStatus(a, b) &&
    isSameVerdict(a, b) &&
    isSameEnd(a, b)
  );
}

/** What a line holds beside its texts: names of members, punctuation, numbers. */
const MOST_OTHER_BYTES = 512;
/** \u0000 */
const MOST_BYTES_OF_A_UNIT = 6;

/** No line of it has more bytes. */
export function mostBytesOf(event: AnsweredEvent): number {
  const { remoteAddress, method, host, target, httpVersion, reason, rule, userAgent = '', referer = '' } = event;
  const asker = remoteAddress.length + method.length + host.length + target.length + httpVersion.length;
  const texts = asker + reason.length + rule.length + userAgent.length + referer.length;
  return texts * MOST_BYTES_OF_A_UNIT + MOST_OTHER_BYTES;
}
