/**
 * Names what went wrong with the origin: from the errors of sockets, TLS and node:http to one OriginError.
 * Implements RFC 9112 §8 (a message that ends early is incomplete) in the choice of codes.
 */
import { OriginError, type OriginFailure } from '../base/errors.js';

/** How far a connection had come. */
export type DialPhase = 'connecting' | 'securing' | 'ready';
/** How much of an answer had arrived. */
export type AnswerProgress = 'none' | 'begun' | 'head';

const UNRESOLVABLE = /^(ENOTFOUND|EAI_|ENODATA|ESERVFAIL|EFORMERR|ENONAME|EBADNAME|EBADRESP)/;
const CONNECTION_LOST: ReadonlySet<string> = new Set([
  'ECONNRESET',
  'ECONNABORTED',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENETDOWN',
  'ERR_STREAM_PREMATURE_CLOSE',
  'ERR_STREAM_DESTROYED',
]);

/** The code of an error as a string; empty where it has none. */
export function codeOf(error: unknown): string {
  if (typeof error !== 'object' || error === null || !('code' in error)) return '';
  return typeof error.code === 'string' ? error.code : '';
}

function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.message === '' ? codeOf(error) || error.name : error.message;
}

function make(code: OriginFailure, what: string, cause: unknown): OriginError {
  return new OriginError(code, `${what}: ${messageOf(cause)}`, { cause, sentence: what });
}

/** For a connection that never came to be. */
export function connectFailure(error: unknown, phase: DialPhase): OriginError {
  if (error instanceof OriginError) return error;
  const code = codeOf(error);
  if (phase === 'securing') return make('origin-tls', 'no secure connection to the origin', error);
  if (UNRESOLVABLE.test(code)) return make('origin-unresolvable', 'the name of the origin cannot be resolved', error);
  if (code === 'ETIMEDOUT') return make('origin-connect-timeout', 'connecting to the origin took too long', error);
  return make('origin-refused', 'the origin cannot be connected to', error);
}

/** For an exchange that ended before its answer was complete. */
export function exchangeFailure(error: unknown, progress: AnswerProgress): OriginError {
  if (error instanceof OriginError) return error;
  const code = codeOf(error);
  if (code.startsWith('HPE_')) {
    return code.includes('EOF')
      ? lost(error, progress)
      : make('origin-malformed', 'the answer of the origin breaks the grammar', error);
  }
  if (CONNECTION_LOST.has(code) || code.startsWith('ERR_SSL_')) return lost(error, progress);
  return make('origin-aborted', 'the exchange with the origin was given up', error);
}

function lost(error: unknown, progress: AnswerProgress): OriginError {
  return progress === 'none'
    ? make('origin-reset', 'the origin closed the connection before it answered', error)
    : make('origin-truncated', 'the origin closed the connection within its answer', error);
}

/** For a connection that ended cleanly where its answer did not. */
export function closedEarly(progress: AnswerProgress): OriginError {
  return lost(new Error('the other side ended it'), progress);
}

/** For an answer whose head must not be passed on. */
export function malformed(why: string): OriginError {
  return new OriginError('origin-malformed', `the answer of the origin breaks the grammar: ${why}`);
}

/** The socket was closed, and its end had not been seen. */
export function withoutEnd(): Error {
  return Object.assign(new Error('closed without an end'), { code: 'ECONNRESET' });
}
