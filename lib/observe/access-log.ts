/**
 * The access log, and the log of notices beside it: JSON lines for machines, readable lines for people. The only door
 * to pino, which writes the notices; request lines have a formatter of their own because they are on every hit's path.
 */
import { createRequire } from 'node:module';
import type { pino as Pino } from 'pino';
import type { Clock } from '../base/clock.js';
import { LOG_FLUSH_MS, LOG_FLUSH_WATCHED_MS } from '../base/limits.js';
import { type Events, SILENT } from './events.js';
import { FaultLines } from './fault-lines.js';
import { LineSink } from './line-sink.js';
import { defuse, isoTime } from './line-texts.js';
import type { LogDestination } from './log-destination.js';
import { ReadableLines } from './readable.js';
import { RequestLines } from './request-line.js';

// As what it is, CommonJS, it is read in less time.
const { pino } = createRequire(import.meta.url)('pino') as { readonly pino: typeof Pino };

export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'silent';

/** What a reload may change of the log. */
export interface LogSettings {
  /** `off`: no line for a request; notices are written as JSON nevertheless. */
  readonly format: 'json' | 'pretty' | 'off';
  /**
   * The least level of a notice that is written; `info` unless set. Requests are not notices: `format` decides about
   * them. At `debug` JSON has a line for every exchange with the origin too; readable lines always have.
   */
  readonly level?: LogLevel | undefined;
  /** Share of the requests that have a line, from 0 to 1; default: each. What failed always has one. */
  readonly sample?: number | undefined;
}

export interface AccessLogOptions extends LogSettings {
  readonly destination: LogDestination;
  readonly clock: Clock;
  /** Unless set: where the destination is a terminal and NO_COLOR is not set. */
  readonly isColoured?: boolean | undefined;
}

export interface AccessLog extends Events {
  /** Resolves when the lines so far are written, or cannot be. */
  flush(): Promise<void>;
  /** Opens the log file anew after it was moved away; false where the destination is no file or cannot be opened. */
  reopen(): boolean;
  /** From the next line on. */
  reconfigure(settings: LogSettings): void;
  /** Writes whole lines that another process made. Returns whether there is room for more now; else flush() tells when. */
  pass(lines: Uint8Array): boolean;
  close(): Promise<void>;
  readonly stats: { readonly droppedLines: number; readonly failedWrites: number };
}

type Level = 'trace' | 'debug' | 'info' | 'warn' | 'error';
type Circumstances = Readonly<Record<string, unknown>>;

/** Writes what is not a request. */
interface NoticeWriter {
  write(level: Level, event: string, code: string, message: string, fields: Circumstances): void;
}

const LEVEL_RANKS: Readonly<Record<LogLevel, number>> = { trace: -1, debug: 0, info: 1, warn: 2, error: 3, silent: 4 };
const MAX_CAUSES = 5;

const BREAKER_NOTICES = {
  open: ['warn', 'The origin fails; it is not asked until it recovers.'],
  'half-open': ['info', 'The origin is being tried again.'],
  closed: ['info', 'The origin is well again.'],
} as const;

/** An error with its code and causes as one string: as an object JSON would show it as {}. */
function errorWords(error: Error): string {
  const words: string[] = [];
  let cause: unknown = error;
  while (cause instanceof Error && words.length < MAX_CAUSES) {
    const code = 'code' in cause && typeof cause.code === 'string' ? ` (${cause.code})` : '';
    words.push(`${cause.name}: ${cause.message}${code}`);
    cause = cause.cause;
  }
  return words.join(' <- ');
}

function readableFields(fields: Circumstances): Record<string, unknown> {
  const shown: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(fields)) {
    if (value instanceof Error) shown[name] = errorWords(value);
    else if (typeof value === 'bigint' || value instanceof URL) shown[name] = String(value);
    else shown[name] = value;
  }
  return shown;
}

function makeJsonWriter(sink: LineSink, clock: Clock, level: LogLevel): NoticeWriter {
  const logger = pino(
    {
      level,
      base: null,
      timestamp: () => `,"time":"${isoTime(clock.wall())}"`,
      formatters: { level: (label) => ({ level: label }) },
    },
    { write: (line: string) => sink.write(defuse(line)) },
  );
  return {
    write: (at, event, code, message, fields) => {
      // Circumstances stay in an object of their own, so that none of them can pass for a field of the line.
      const shown = readableFields(fields);
      // The message is an argument, not a format: it may carry a percent sign.
      logger[at](Object.keys(shown).length === 0 ? { event, code } : { event, code, fields: shown }, '%s', message);
    },
  };
}

function makeReadableWriter(sink: LineSink, lines: ReadableLines, clock: Clock, level: LogLevel): NoticeWriter {
  const least = LEVEL_RANKS[level];
  return {
    write: (at, _event, code, message, fields) => {
      if (at === 'debug' || LEVEL_RANKS[at] < least) return;
      sink.write(lines.notice(at, code, message, readableFields(fields), clock.wall()));
    },
  };
}

/** Passes on an even share of what it is told, and all that did not go well. */
function sampled(write: Events['answered'], share: number): Events['answered'] {
  // The first has its line, unless none has.
  let due = share > 0 ? 1 - share : 0;
  return (event) => {
    if (event.status >= 500 || event.outcome === 'ERROR' || event.ending === 'aborted') {
      write(event);
      return;
    }
    due += share;
    if (due < 1) return;
    due -= 1;
    write(event);
  };
}

function makeNotices(
  { format, level = 'info' }: LogSettings,
  sink: LineSink,
  lines: ReadableLines,
  clock: Clock,
): NoticeWriter {
  return format === 'pretty' ? makeReadableWriter(sink, lines, clock, level) : makeJsonWriter(sink, clock, level);
}

/** Throws what opening a file throws, so that a bad path is found at the start. */
export function createAccessLog(options: AccessLogOptions): AccessLog {
  const { clock, format } = options;
  const sink = new LineSink({
    destination: options.destination,
    clock,
    flushMs: format === 'pretty' ? LOG_FLUSH_WATCHED_MS : LOG_FLUSH_MS,
    recovered: (lostLines) => {
      const message = 'Log lines were lost while their destination was full or failing.';
      notices.write('warn', 'notice', 'log-lines-dropped', message, { lostLines });
    },
    gather: () => jsonLines.make(),
  });
  const isColoured = options.isColoured ?? (sink.isTerminal && (process.env['NO_COLOR'] ?? '') === '');
  const lines = new ReadableLines(isColoured);
  const jsonLines = new RequestLines(sink);
  const faults = new FaultLines(clock);
  let notices = makeNotices(options, sink, lines, clock);
  let requests = makeRequestLines(options);

  function makeRequestLines({ format, level, sample = 1 }: LogSettings): Pick<Events, 'asked' | 'answered'> {
    const answered: Record<AccessLogOptions['format'], Events['answered']> = {
      json: (event) => jsonLines.write(event),
      pretty: (event) => sink.write(lines.request(event)),
      off: () => {},
    };
    const asked: Events['asked'] = (event) => {
      if (format === 'pretty') sink.write(lines.origin(event, clock.wall()));
      if (format === 'pretty' || (level !== 'debug' && level !== 'trace')) return;
      const { reason, ...fields } = event;
      notices.write('debug', 'origin', reason, `The origin was asked: ${event.end}.`, fields);
    };
    return { asked, answered: format === 'off' || sample >= 1 ? answered[format] : sampled(answered[format], sample) };
  }

  return {
    // Of what else happens the log has the notices.
    ...SILENT,
    answered: (event) => requests.answered(event),
    asked: (event) => requests.asked(event),
    breaker: (state, reason, error) => {
      const [at, message] = BREAKER_NOTICES[state];
      notices.write(at, 'notice', `breaker-${state}`, message, reason === '' ? {} : { reason, error });
    },
    notice: (at, code, message, fields = {}) => {
      faults.pass(code, fields, (told) => notices.write(at, 'notice', code, message, told));
    },
    reconfigure: (settings) => {
      notices = makeNotices(settings, sink, lines, clock);
      requests = makeRequestLines(settings);
    },
    flush: () => sink.flush(),
    reopen: () => sink.reopen(),
    pass: (lines) => sink.copy(lines),
    close: () => sink.close(),
    get stats() {
      return sink.stats;
    },
  };
}
