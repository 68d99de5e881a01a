/** What is told of a request that is over. */
import type { ReplyNote } from '../engine/contract.js';
import type { Fields } from '../http/fields.js';
import type { AnsweredEvent } from '../observe/events.js';
import type { Refusal } from './refusal.js';

export type ReplyEnding = AnsweredEvent['ending'];

/** RFC 9110 has no code for it; 499 is what proxies log for a client that left before there was an answer. */
export const CLIENT_LEFT = 499;

/** Of a client that left before there was an answer. */
export const LEFT_NOTE: ReplyNote = {
  outcome: 'ERROR',
  reason: 'client-left',
  rule: '',
  ageSec: undefined,
  collapsed: false,
};

export function refusedNote(refused: Refusal): ReplyNote {
  return { outcome: 'ERROR', reason: refused.reason, rule: '', ageSec: undefined, collapsed: false };
}

/** What is known of the request. */
interface Asked {
  readonly method: string;
  readonly host: string;
  readonly target: string;
  readonly remoteAddress: string;
  readonly httpVersion: '1.0' | '1.1';
  readonly startedAt: number;
  readonly fields: Fields;
}

/** Made by a constructor, which costs less than a literal of so many members. */
export class Answered implements AnsweredEvent {
  readonly method: string;
  readonly host: string;
  readonly target: string;
  readonly remoteAddress: string;
  readonly httpVersion: '1.0' | '1.1';
  readonly status: number;
  readonly outcome: AnsweredEvent['outcome'];
  readonly reason: string;
  readonly rule: string;
  readonly ageSec: number | undefined;
  readonly bodyBytes: number;
  readonly durationMs: number;
  readonly collapsed: boolean;
  readonly ending: ReplyEnding;
  readonly userAgent: string | undefined;
  readonly referer: string | undefined;
  readonly startedWall: number;

  constructor(
    { method, host, target, remoteAddress, httpVersion, startedAt, fields }: Asked,
    wallLead: number,
    status: number,
    note: ReplyNote,
    bodyBytes: number,
    ending: ReplyEnding,
    now: number,
  ) {
    this.method = method;
    this.host = host;
    this.target = target;
    this.remoteAddress = remoteAddress;
    this.httpVersion = httpVersion;
    this.status = status;
    this.outcome = note.outcome;
    this.reason = note.reason;
    this.rule = note.rule;
    this.ageSec = note.ageSec;
    this.bodyBytes = bodyBytes;
    this.durationMs = now - startedAt;
    this.collapsed = note.collapsed;
    this.ending = ending;
    this.userAgent = fields.first('user-agent');
    this.referer = fields.first('referer');
    this.startedWall = Math.floor(startedAt + wallLead);
  }
}
