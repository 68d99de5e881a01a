/**
 * The head of a reply as text: status line, field lines, and the length of what follows.
 * Implements RFC 9112 §6 (framing) and RFC 9110 §8.6.
 */
import { MAX_KNOWN_FIELD_NAMES } from '../base/limits.js';
import type { Payload, Reply } from '../engine/contract.js';
import { isValue } from '../http/lines.js';
import { isToken } from '../http/tokens.js';

/** What a head depends on beside the reply. */
export interface HeadContext {
  /** Of the request. */
  readonly method: string;
  readonly debugHeader: string | undefined;
}

export const NO_PAYLOAD: Payload = { kind: 'none' };

/** RFC 9110 §6.4.1: answers to HEAD, and these, have no content whatever their fields say. */
export function isBodiless(method: string, status: number): boolean {
  return method === 'HEAD' || status === 304 || status === 204;
}

/** Whether nobody knows yet how long it will be. */
export function isUnsized(payload: Payload): boolean {
  return payload.kind === 'reader' && payload.length === undefined;
}

/** A reply that cannot be sent: a field of it is none. */
export class UnwritableField extends Error {
  override readonly name = 'UnwritableField';
}

/** A reply to an HTTP/1.1 client: its whole head. Throws UnwritableField. */
export function plainHead(reply: Reply, method: string, debugHeader: string | undefined, isLast = false): string {
  const payload = isBodiless(method, reply.status) ? NO_PAYLOAD : reply.payload;
  let head = headOf(reply, payload, { method, debugHeader });
  if (isUnsized(payload)) head += 'Transfer-Encoding: chunked\r\n';
  return isLast ? `${head}Connection: close\r\n\r\n` : `${head}\r\n`;
}

/** Status line and field lines, the Content-Length that the payload makes and no other framing, and the debug header. */
export function headOf(reply: Reply, payload: Payload, { method, debugHeader }: HeadContext): string {
  const { raw } = reply.fields;
  if (!isValue(reply.reasonPhrase)) throw new UnwritableField('the reason phrase has a control byte');
  let head = `HTTP/1.1 ${reply.status} ${reply.reasonPhrase}\r\n`;
  let told: string | undefined;
  for (let i = 0; i < raw.length; i += 2) {
    const name = raw[i] as string;
    const value = raw[i + 1] as string;
    const kind = lineKind(name);
    if (kind === 'plain') {
      // What a cache of the same name behind us said is not what happened here.
      if (debugHeader !== undefined && isSameName(name, debugHeader)) continue;
      if (!isValue(value)) throw new UnwritableField(`${name} has a control byte in its value`);
      head += `${name}: ${value}\r\n`;
    } else if (kind === 'length') told ??= value;
  }
  const length = contentLength(reply, payload, method, told);
  if (length !== undefined) head += `Content-Length: ${length}\r\n`;
  return debugHeader === undefined ? head : `${head}${debugHeader}: ${reply.note.outcome}\r\n`;
}

function isSameName(name: string, other: string): boolean {
  return name.length === other.length && name.toLowerCase() === other.toLowerCase();
}

function contentLength(reply: Reply, payload: Payload, method: string, told: string | undefined): string | undefined {
  // RFC 9110 §8.6: none on 204.
  if (reply.status === 204) return undefined;
  if (payload.kind !== 'none') return payload.length === undefined ? undefined : String(payload.length);
  // RFC 9110 §8.6: on the answer to HEAD, and on 304, it is the length that a GET would have had, or it is absent.
  if (method !== 'HEAD' && reply.status !== 304) return '0';
  const whole = reply.payload;
  if (whole.kind !== 'none' && whole.length !== undefined) return String(whole.length);
  return told !== undefined && DIGITS.test(told) ? told : undefined;
}

const DIGITS = /^\d+$/;

/** `framing`: ours to write; `length`: ours too, but told where there is no body to measure; `plain`: as it is. */
type LineKind = 'plain' | 'length' | 'framing';

/** What was found out about a field name, by the name as it is written. The same few names come with every reply. */
const LINE_KINDS = new Map<string, LineKind>();

function lineKind(name: string): LineKind {
  const known = LINE_KINDS.get(name);
  if (known !== undefined) return known;
  if (!isToken(name)) throw new UnwritableField(`${JSON.stringify(name)} is no field name`);
  // An origin that makes names up costs the others their place, not memory.
  if (LINE_KINDS.size >= MAX_KNOWN_FIELD_NAMES) LINE_KINDS.clear();
  const kind = FRAMING.get(name.toLowerCase()) ?? 'plain';
  LINE_KINDS.set(name, kind);
  return kind;
}

const FRAMING: ReadonlyMap<string, LineKind> = new Map([
  ['content-length', 'length'],
  ['connection', 'framing'],
  ['keep-alive', 'framing'],
  ['transfer-encoding', 'framing'],
]);
