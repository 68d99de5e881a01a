/** Answers as bytes for the tests of their reader: what it tells of them, and a generator of valid ones. */
import fc from 'fast-check';
import { Fields } from '../../lib/http/fields.js';
import { type AnswerHandler, AnswerReader } from '../../lib/origin/answer-reader.js';
import type { OriginResponseHead } from '../../lib/origin/contract.js';

export interface Told {
  readonly interim: { readonly status: number; readonly fields: readonly string[] }[];
  status?: number;
  reason?: string;
  fields?: readonly string[];
  body: string;
  trailers?: readonly string[];
  ending: 'complete' | 'refused' | 'open';
  keepsAlive?: boolean;
  /** Bytes that were not taken. */
  surplus: number;
}

class Hearer implements AnswerHandler {
  readonly told: Told = { interim: [], body: '', ending: 'open', surplus: 0 };
  readonly reader = new AnswerReader(this);
  readonly takesWhole: boolean;
  why = '';

  constructor(takesWhole: boolean) {
    this.takesWhole = takesWhole;
  }

  #assertOpen(what: string): void {
    if (this.told.ending !== 'open') throw new Error(`${what} after ${this.told.ending}`);
  }

  interim(status: number, fields: Fields): void {
    this.#assertOpen('interim');
    this.told.interim.push({ status, fields: fields.raw });
  }

  head({ status, reasonPhrase, fields }: OriginResponseHead): void {
    this.#assertOpen('head');
    if (this.told.status !== undefined) throw new Error('two heads');
    this.told.status = status;
    this.told.reason = reasonPhrase;
    this.told.fields = fields.raw;
  }

  data(bytes: Buffer, from: number, until: number): void {
    this.#assertOpen('data');
    if (this.told.status === undefined || until <= from) throw new Error('data without a head, or none');
    this.told.body += bytes.toString('latin1', from, until);
  }

  complete(trailers: Fields): void {
    this.#assertOpen('complete');
    this.told.ending = 'complete';
    this.told.trailers = trailers.raw;
    this.told.keepsAlive = this.reader.keepsAlive;
  }

  whole(head: OriginResponseHead, bytes: Buffer, from: number, until: number): void {
    if (!this.takesWhole) throw new Error('a whole that was not asked for');
    this.head(head);
    this.told.body = bytes.toString('latin1', from, until);
    this.complete(Fields.empty);
  }

  refuse(why: string): void {
    this.#assertOpen('refuse');
    this.told.ending = 'refused';
    this.why = why;
  }
}

/**
 * What the reader tells of `answer`, whose bytes come in pieces that end at `cuts` and lie in a larger buffer that is
 * written over after each. `isClosed`: the connection ends cleanly behind them. It is the same whether an answer that is
 * here at once is heard as a whole or in parts.
 */
export function tell(answer: string, cuts: readonly number[] = [], method = 'GET', isClosed = false): Told {
  const { told } = hear(answer, cuts, method, isClosed);
  const asWhole = hear(answer, cuts, method, isClosed, true).told;
  if (JSON.stringify(asWhole) !== JSON.stringify(told)) throw new Error('heard as a whole it differs');
  return told;
}

/** Why the answer is refused; empty where it is not. */
export function refusal(answer: string, method = 'GET'): string {
  return hear(answer, [], method, false).why;
}

function hear(answer: string, cuts: readonly number[], method: string, isClosed: boolean, takesWhole = false): Hearer {
  const hearer = new Hearer(takesWhole);
  hearer.reader.begin(method);
  const shared = Buffer.alloc(answer.length + 16);
  let from = 0;
  for (const until of [...new Set([...cuts, answer.length])].sort((a, b) => a - b)) {
    shared.fill('#');
    const length = shared.write(answer.slice(from, until), 7, 'latin1');
    const at = hearer.reader.read(shared, 7, 7 + length);
    if (hearer.told.ending !== 'refused') hearer.told.surplus += 7 + length - at;
    from = until;
  }
  if (isClosed && hearer.told.ending === 'open') hearer.reader.ended();
  return hearer;
}

export interface Sample {
  readonly method: 'GET' | 'HEAD';
  readonly bytes: string;
  /** The body ends with the connection. */
  readonly isClosed: boolean;
}

const hex = (n: number, isUpper: boolean): string => (isUpper ? n.toString(16).toUpperCase() : n.toString(16));
const TOKEN_CHARS = "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const name = fc
  .string({ unit: fc.constantFrom(...TOKEN_CHARS), minLength: 1, maxLength: 12 })
  .map((text) => `X-${text}`);
const VALUE_CHARS = Array.from({ length: 256 }, (_, code) => String.fromCharCode(code)).filter(
  (char) => char === '\t' || (char >= ' ' && char !== '\x7f'),
);
const value = fc.string({ unit: fc.constantFrom(...VALUE_CHARS), maxLength: 30 });
const blanks = fc.string({ unit: fc.constantFrom(' ', '\t'), maxLength: 3 });
const line = fc.tuple(name, blanks, value, blanks).map(([n, before, v, behind]) => `${n}:${before}${v}${behind}\r\n`);
const lines = fc.array(line, { maxLength: 6 }).map((all) => all.join(''));
const body = fc.string({ unit: fc.constantFrom('a', '\r', '\n', '0', '\xff', ':', ' '), maxLength: 80 });
const extension = fc.oneof(
  { weight: 3, arbitrary: fc.constant('') },
  fc.constantFrom(';a', ';a=b', ';a="b c"', ';a=b;c=d'),
);

const chunked = fc
  .array(fc.tuple(body, extension, fc.boolean(), fc.nat({ max: 2 })), { maxLength: 6 })
  .chain((chunks) =>
    fc.tuple(extension, lines).map(([last, trailers]) => {
      const pieces = chunks
        .filter(([content]) => content !== '')
        .map(([content, ext, isUpper, zeros]) => {
          const size = '0'.repeat(zeros) + hex(content.length, isUpper);
          return `${size}${ext}\r\n${content}\r\n`;
        });
      return `${pieces.join('')}0${last}\r\n${trailers}\r\n`;
    }),
  );

const status = fc.constantFrom(200, 201, 206, 301, 404, 410, 500, 503, 599);
const minor = fc.constantFrom('1.1', '1.0');
const reason = fc.constantFrom(' OK', ' ', ' Not \xe9 Found');
const interim = fc
  .array(fc.tuple(fc.constantFrom(102, 103, 110), lines), { maxLength: 2 })
  .map((all) => all.map(([s, fields]) => `HTTP/1.1 ${s} Hm\r\n${fields}\r\n`).join(''));

/** Valid answers of every framing. */
export const sample: fc.Arbitrary<Sample> = fc.oneof(
  fc.tuple(interim, status, reason, lines, chunked, lines).map(([i, s, r, before, content, behind]) => ({
    method: 'GET' as const,
    bytes: `${i}HTTP/1.1 ${s}${r}\r\n${before}Transfer-Encoding: chunked\r\n${behind}\r\n${content}`,
    isClosed: false,
  })),
  fc.tuple(interim, minor, status, reason, lines, body).map(([i, m, s, r, fields, content]) => ({
    method: 'GET' as const,
    bytes: `${i}HTTP/${m} ${s}${r}\r\n${fields}Content-Length: ${content.length}\r\n\r\n${content}`,
    isClosed: false,
  })),
  fc.tuple(minor, status, reason, lines, body).map(([m, s, r, fields, content]) => ({
    method: 'GET' as const,
    bytes: `HTTP/${m} ${s}${r}\r\n${fields}\r\n${content}`,
    isClosed: true,
  })),
  fc.tuple(fc.constantFrom(204, 304), lines).map(([s, fields]) => ({
    method: 'GET' as const,
    bytes: `HTTP/1.1 ${s} No\r\n${fields}\r\n`,
    isClosed: false,
  })),
  fc.tuple(status, lines, fc.nat({ max: 1000 })).map(([s, fields, length]) => ({
    method: 'HEAD' as const,
    bytes: `HTTP/1.1 ${s} OK\r\n${fields}Content-Length: ${length}\r\n\r\n`,
    isClosed: false,
  })),
);
