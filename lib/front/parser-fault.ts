/**
 * What an error of node:http's parser means for the client that caused it.
 * Implements RFC 9112 §3 (414), RFC 6585 §5 (431) and RFC 9110 §9.1 (501).
 */
import { isToken } from '../http/tokens.js';
import { REFUSALS, type Refusal } from './refusal.js';

interface ParserError extends Error {
  readonly code?: string | undefined;
  /** The bytes that were being parsed. */
  readonly rawPacket?: unknown;
  /** How far into them the parser came. */
  readonly bytesParsed?: unknown;
}

/**
 * The refusal that answers it. `broken`: the connection failed, and there is nobody to answer. `surplus`: bytes after a
 * request that said it was the last (RFC 9112 §9.6); they are not looked at, and its reply ends the connection.
 */
export function readParserFault(error: ParserError): Refusal | 'broken' | 'surplus' {
  const { code } = error;
  if (code === undefined || !code.startsWith('HPE_')) return 'broken';
  switch (code) {
    case 'HPE_CLOSED_CONNECTION':
      return 'surplus';
    case 'HPE_HEADER_OVERFLOW':
      return isWithinRequestLine(error) ? REFUSALS.targetLength : REFUSALS.fieldsBytes;
    case 'HPE_CHUNK_EXTENSIONS_OVERFLOW':
      return REFUSALS.extensions;
    case 'HPE_INVALID_METHOD':
      return isUnknownMethod(error) ? REFUSALS.method : REFUSALS.malformed;
    case 'HPE_INVALID_EOF_STATE':
      return REFUSALS.cutOff;
    default:
      return REFUSALS.malformed;
  }
}

/** The packet as text, and where in it the parser gave up. */
function place(error: ParserError): { text: string; at: number } | undefined {
  const { rawPacket, bytesParsed } = error;
  if (!(rawPacket instanceof Uint8Array) || typeof bytesParsed !== 'number') return undefined;
  return {
    text: Buffer.from(rawPacket.buffer, rawPacket.byteOffset, rawPacket.length).toString('latin1'),
    at: bytesParsed,
  };
}

/**
 * Whether a head that grew too large did so in its first line. Told from the last bytes that came alone: a line that
 * dribbles in counts as fields.
 */
function isWithinRequestLine(error: ParserError): boolean {
  const found = place(error);
  if (found === undefined) return false;
  const endOfHead = found.text.lastIndexOf('\r\n\r\n', found.at);
  const head = found.text.slice(endOfHead < 0 ? 0 : endOfHead + 4, found.at);
  return !head.includes('\r\n') && /^[A-Z-]+ /.test(head);
}

/** Whether the line is a request line but for a method that the parser does not know. */
function isUnknownMethod(error: ParserError): boolean {
  const found = place(error);
  if (found === undefined) return false;
  const from = found.text.lastIndexOf('\n', found.at - 1) + 1;
  const until = found.text.indexOf('\r\n', from);
  const [method = '', target, version, ...more] = found.text.slice(from, until < 0 ? undefined : until).split(' ');
  return isToken(method) && target !== undefined && version?.startsWith('HTTP/1.') === true && more.length === 0;
}
