/** Errors with a stable code. The code is what the log, the metrics and the detail of Cache-Status show. */

/** How an exchange with the origin failed. */
export type OriginFailure =
  | 'origin-unresolvable'
  | 'origin-refused'
  | 'origin-reset'
  | 'origin-tls'
  | 'origin-connect-timeout'
  | 'origin-headers-timeout'
  | 'origin-idle-timeout'
  | 'origin-malformed'
  | 'origin-truncated'
  | 'origin-breaker-open'
  | 'origin-queue-full'
  | 'origin-aborted';

const ORIGIN_STATUS: Readonly<Record<OriginFailure, 502 | 503 | 504>> = {
  'origin-unresolvable': 502,
  'origin-refused': 502,
  'origin-reset': 502,
  'origin-tls': 502,
  'origin-connect-timeout': 504,
  'origin-headers-timeout': 504,
  'origin-idle-timeout': 504,
  'origin-malformed': 502,
  'origin-truncated': 502,
  'origin-breaker-open': 503,
  'origin-queue-full': 503,
  'origin-aborted': 502,
};

/** Whether a word from elsewhere is one of these. */
export function isOriginFailure(word: unknown): word is OriginFailure {
  return typeof word === 'string' && Object.hasOwn(ORIGIN_STATUS, word);
}

/** The origin gave no complete, well-formed answer. */
export class OriginError extends Error {
  override readonly name = 'OriginError';
  readonly code: OriginFailure;
  /** Seconds after which asking again makes sense, where known. */
  readonly retryAfterSec: number | undefined;
  /** What a stranger may be told: without the addresses and names that the message has from the system. */
  readonly sentence: string;

  constructor(
    code: OriginFailure,
    message: string,
    options?: { cause?: unknown; retryAfterSec?: number; sentence?: string },
  ) {
    super(message, options?.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.retryAfterSec = options?.retryAfterSec;
    this.sentence = asSentence(options?.sentence ?? message);
  }

  /** What a client gets for it (RFC 9110 §15.6.3-15.6.5). */
  get status(): 502 | 503 | 504 {
    return ORIGIN_STATUS[this.code];
  }
}

/** Messages of errors are parts of sentences, so that they can follow others; what a stranger reads begins and ends as one does. */
function asSentence(message: string): string {
  return `${message.charAt(0).toUpperCase()}${message.slice(1)}${message.endsWith('.') ? '' : '.'}`;
}

/** A configuration that cannot be used: the process ends with exit code 2 and these messages, one a line. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  /** Each `FILE:LINE:COLUMN: message`, or without a place where it came from a flag. */
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(problems.join('\n'));
    this.problems = problems;
  }
}

/** Where a fault of our own arose, for the log. */
export function stackOf(error: unknown): string {
  return (error instanceof Error ? error.stack : undefined) ?? String(error);
}
