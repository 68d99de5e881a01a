/** Events as lines for people: aligned, in words, coloured where a terminal shows them. */
import { inspect } from 'node:util';
import type { AnsweredEvent, AskedEvent, NoticeLevel, Outcome } from './events.js';
import { explainReason, failureBehind } from './reasons.js';

const SUBJECT_WIDTH = 34;
/** By its number: one letter beyond Latin-1 would have V8 keep the whole file in two bytes for each. */
const ELLIPSIS = '\u2026';
const MAX_SUBJECT_LENGTH = 72;
const WORDS_WIDTH = 44;
const DURATION_WIDTH = 9;
const ONE_LINE = { breakLength: Number.POSITIVE_INFINITY, depth: 3 } as const;

/** Select Graphic Rendition parameters. */
const COLOURS = { green: 32, yellow: 33, cyan: 36, blue: 34, magenta: 35, red: 31, dim: 2 } as const;
type Colour = keyof typeof COLOURS;

const OUTCOME_COLOURS: Readonly<Record<Outcome, Colour>> = {
  HIT: 'green',
  STALE: 'yellow',
  UPDATING: 'yellow',
  REVALIDATED: 'cyan',
  MISS: 'blue',
  EXPIRED: 'blue',
  BYPASS: 'magenta',
  ERROR: 'red',
};

/** Controls, format characters (bidirectional overrides among them), lone surrogates and line separators. */
const INVISIBLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;

/** Text that cannot forge a line, move the cursor or hide a part of itself. */
export function visible(text: string): string {
  return text.replace(INVISIBLE, (char) => `\\u{${(char.codePointAt(0) ?? 0).toString(16)}}`);
}

function paint(text: string, colour: Colour, isColoured: boolean): string {
  return isColoured ? `\x1b[${COLOURS[colour]}m${text}\x1b[0m` : text;
}

/** The time of day, where the reader is. */
function clockTime(wall: number): string {
  const at = new Date(wall);
  const two = (value: number): string => String(value).padStart(2, '0');
  return `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}.${String(at.getMilliseconds()).padStart(3, '0')}`;
}

function roughly(value: number): string {
  return value < 10 ? value.toFixed(1) : value.toFixed(0);
}

function durationWords(ms: number): string {
  if (ms < 1000) return `${roughly(ms)} ms`;
  return ms < 120_000 ? `${roughly(ms / 1000)} s` : `${(ms / 60_000).toFixed(0)} min`;
}

export function sizeWords(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`;
  if (bytes < 1024 ** 2) return `${roughly(bytes / 1024)} KB`;
  return bytes < 1024 ** 3 ? `${roughly(bytes / 1024 ** 2)} MB` : `${roughly(bytes / 1024 ** 3)} GB`;
}

function ageWords(sec: number): string {
  if (sec < 120) return `${sec} s`;
  if (sec < 7200) return `${Math.floor(sec / 60)} min`;
  return sec < 172_800 ? `${Math.floor(sec / 3600)} h` : `${Math.floor(sec / 86_400)} d`;
}

/** The sentence of a reason as part of a line; the code itself where there is none. */
function because(reason: string): string {
  const sentence = explainReason(reason)?.replace(/\.$/, '');
  return sentence === undefined ? visible(reason) : sentence.charAt(0).toLowerCase() + sentence.slice(1);
}

/** What the client got, in words. */
function outcomeWords(event: AnsweredEvent): string {
  switch (event.outcome) {
    case 'HIT':
      return 'HIT';
    case 'UPDATING':
      return 'STALE, refreshing in background';
    case 'STALE':
      return `STALE: ${because(failureBehind(event.reason) ?? event.reason)}`;
    case 'REVALIDATED':
      return 'REVALIDATED, the origin says not modified';
    case 'MISS':
      return event.reason === 'uri-miss' ? 'MISS, fetched from the origin' : `MISS: ${because(event.reason)}`;
    case 'EXPIRED':
      return 'EXPIRED, the origin sent a new one';
    case 'BYPASS':
      return `PASS: ${because(event.reason)}`;
    case 'ERROR':
      return `ERROR: ${because(event.reason)}`;
  }
}

/** What the origin did, in words. */
function originWords(event: AskedEvent): string {
  switch (event.end) {
    case 'stored':
      return `sent ${sizeWords(event.bodyBytes)}, stored`;
    case 'not-modified':
      return `not modified, ${sizeWords(event.savedBytes)} not sent again`;
    case 'uncacheable':
      return `sent ${sizeWords(event.bodyBytes)}, not stored: ${because(event.reason)}`;
    case 'error':
      return `error: ${because(event.reason)}`;
    case 'failed':
      return `no answer: ${because(event.reason)}`;
    case 'abandoned':
      return `given up: ${because(event.reason)}`;
  }
}

function originColour(event: AskedEvent): Colour {
  if (event.end === 'error' || event.end === 'failed') return 'red';
  return event.end === 'not-modified' ? 'cyan' : 'dim';
}

function statusColour(status: number): Colour {
  if (status >= 500) return 'red';
  return status >= 400 ? 'yellow' : 'dim';
}

/** Path and query of a key: the rest of the line has no room for more. */
function targetOf(key: string): string {
  const from = key.indexOf('/', key.indexOf('://') + 3);
  return from < 0 ? key : key.slice(from);
}

function subjectColumn(text: string): string {
  const shown = visible(text);
  return (shown.length > MAX_SUBJECT_LENGTH ? `${shown.slice(0, MAX_SUBJECT_LENGTH - 1)}${ELLIPSIS}` : shown).padEnd(
    SUBJECT_WIDTH,
  );
}

export class ReadableLines {
  readonly #isColoured: boolean;

  constructor(isColoured: boolean) {
    this.#isColoured = isColoured;
  }

  request(event: AnsweredEvent): string {
    const words = outcomeWords(event) + (event.collapsed ? ', waited on another' : '');
    const parts = [
      // When it ended, so that the lines of a request and of its exchange with the origin follow each other in time.
      this.#time(event.startedWall + event.durationMs),
      subjectColumn(`${event.method} ${event.target}`),
      paint(String(event.status), statusColour(event.status), this.#isColoured),
      paint(words.padEnd(WORDS_WIDTH), OUTCOME_COLOURS[event.outcome], this.#isColoured),
      durationWords(event.durationMs).padStart(DURATION_WIDTH),
    ];
    if (event.ageSec !== undefined) parts.push(`age ${ageWords(event.ageSec)}`);
    if (event.ending === 'aborted') parts.push(paint('the client left early', 'yellow', this.#isColoured));
    return `${parts.join('  ')}\n`;
  }

  origin(event: AskedEvent, wall: number): string {
    const words = originWords(event).padEnd(WORDS_WIDTH);
    const line = [
      subjectColumn(`  origin ${targetOf(event.key)}`),
      event.status === undefined ? '---' : String(event.status),
      words,
      durationWords(event.durationMs).padStart(DURATION_WIDTH),
    ].join('  ');
    return `${this.#time(wall)}  ${paint(line, originColour(event), this.#isColoured)}\n`;
  }

  notice(
    level: NoticeLevel,
    code: string,
    message: string,
    fields: Readonly<Record<string, unknown>>,
    wall: number,
  ): string {
    const colour: Colour = level === 'error' ? 'red' : level === 'warn' ? 'yellow' : 'dim';
    const details = Object.entries(fields).map(
      ([name, value]) => ` ${name}=${typeof value === 'string' ? value : inspect(value, ONE_LINE)}`,
    );
    const line = visible(`${level.toUpperCase()}  ${message} [${code}]${details.join('')}`);
    return `${this.#time(wall)}  ${paint(line, colour, this.#isColoured)}\n`;
  }

  #time(wall: number): string {
    return paint(clockTime(wall), 'dim', this.#isColoured);
  }
}
