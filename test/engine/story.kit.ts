/**
 * An origin that knows the truth of each page, and clients that remember when they came: what a story is told with.
 * Each content has one body; each answer says in X-Exchange which exchange it came by and in X-Body what it is of.
 */
import type { Rule } from '../../lib/config/rule.js';
import type { Reply } from '../../lib/engine/contract.js';
import { formatHttpDate } from '../../lib/http/dates.js';
import { Fields } from '../../lib/http/fields.js';
import type { FakeClock } from '../kit/clock.js';
import { PlayedClient, type PlayedExchange } from '../kit/walk.js';

/** What a page is, until it changes. */
export interface Page {
  readonly path: string;
  readonly version: number;
  readonly changedWall: number;
  readonly control: string;
  readonly vary: '' | 'Accept-Language' | 'Cookie';
  readonly validator: 'strong' | 'weak' | 'modified' | 'none';
  readonly status: 200 | 404 | 301;
  readonly bytes: number;
  /** Made for the one who asks: with X-Client, with Authorization where there is some, or for everybody. */
  readonly madeFor: 'client' | 'user' | 'everybody';
}

/** One body that the origin gives out, and to whom. */
export interface Content {
  readonly id: number;
  readonly page: Page;
  readonly owner: string;
  readonly language: string | undefined;
  readonly cookie: string | undefined;
  readonly body: string;
}

/** One exchange as the origin remembers it. */
export interface Told {
  readonly number: number;
  readonly exchange: PlayedExchange;
  readonly path: string;
  readonly client: string;
  readonly askedStep: number;
  readonly askedAt: number;
  /** The page when the request went out. */
  readonly page: Page;
  upstreamAgeSec: number;
  headAt: number | undefined;
  /** Of its answer: for the one alone who asked. */
  isBound: boolean;
  /** What is still to come of its answer. */
  rest: string | undefined;
  isOver: boolean;
}

export const CONTROLS = [
  'max-age=10',
  'max-age=5, stale-while-revalidate=10',
  'max-age=2, stale-while-revalidate=5, stale-if-error=20',
  'public, max-age=4',
  'max-age=3, must-revalidate',
  's-maxage=6',
  'no-cache',
  'max-age=0, stale-while-revalidate=30',
  'max-age=3600',
  '',
] as const;
export const CONTROLS_OF_ONE = ['private, max-age=10', 'no-store', 'private'] as const;
/** Without leave to share an answer to Authorization (RFC 9111 §3.5). */
export const CONTROLS_OF_USERS = ['max-age=10', 'max-age=5, stale-while-revalidate=10', 'no-cache'] as const;

export class StoryClient extends PlayedClient {
  readonly number: string;
  readonly path: string;
  readonly method: string;
  readonly fields: Fields;
  readonly cameStep: number;
  readonly #clock: FakeClock;
  repliedAt = 0;
  hasLeft = false;
  isJudged = false;

  constructor(
    clock: FakeClock,
    number: string,
    path: string,
    method: string,
    fields: Fields,
    step: number,
    slow: boolean,
  ) {
    super(slow);
    this.number = number;
    this.#clock = clock;
    this.path = path;
    this.method = method;
    this.fields = fields;
    this.cameStep = step;
  }

  override reply(reply: Reply): void {
    this.repliedAt = this.#clock.now();
    super.reply(reply);
  }
}

export class StoryOrigin {
  readonly pages = new Map<string, Page>();
  readonly contents: Content[] = [];
  readonly told: Told[] = [];
  #noticedCount = 0;
  readonly #byKey = new Map<string, Content>();
  readonly #clock: FakeClock;
  readonly #rule: Rule;

  constructor(clock: FakeClock, rule: Rule) {
    this.#clock = clock;
    this.#rule = rule;
  }

  page(path: string): Page {
    const page = this.pages.get(path);
    if (page === undefined) throw new Error(`no page ${path}`);
    return page;
  }

  /** Remembers the exchanges that began since the last call. */
  notice(exchanges: readonly PlayedExchange[], step: number): void {
    for (const exchange of exchanges.slice(this.#noticedCount)) this.remember(exchange, step);
    this.#noticedCount = exchanges.length;
  }

  remember(exchange: PlayedExchange, step: number): Told {
    const path = exchange.request.target;
    const told: Told = {
      number: this.told.length,
      exchange,
      path,
      client: exchange.field('x-client') ?? '',
      askedStep: step,
      askedAt: this.#clock.now(),
      page: this.page(path),
      upstreamAgeSec: 0,
      headAt: undefined,
      isBound: false,
      rest: undefined,
      isOver: false,
    };
    this.told.push(told);
    return told;
  }

  get pending(): Told[] {
    return this.told.filter(({ exchange, headAt, isOver }) => !exchange.isAborted && !isOver && headAt === undefined);
  }

  get streaming(): Told[] {
    return this.told.filter(({ exchange, rest, isOver }) => !exchange.isAborted && !isOver && rest !== undefined);
  }

  /** What the page is for a request with these fields. */
  contentFor(page: Page, field: (name: string) => string | undefined): Content {
    const language = page.vary === 'Accept-Language' ? field('accept-language') : undefined;
    const cookie = page.vary === 'Cookie' ? field('cookie') : undefined;
    const user = field('authorization');
    const owner = page.madeFor === 'client' ? (field('x-client') ?? '') : page.madeFor === 'user' && user ? user : '';
    const key = `${page.path} v${page.version} ${language} ${cookie} ${owner}`;
    const known = this.#byKey.get(key);
    if (known !== undefined) return known;
    const id = this.contents.length;
    let body = '';
    for (let n = 0; body.length < page.bytes; n++) body += `${id}.${n};`;
    const content = { id, page, owner, language, cookie, body: body.slice(0, page.bytes) };
    this.contents.push(content);
    this.#byKey.set(key, content);
    return content;
  }

  validators({ id, page }: Content): Record<string, string> {
    const modified = { 'Last-Modified': formatHttpDate(page.changedWall) };
    switch (page.validator) {
      case 'strong':
        return { ETag: `"${id}"`, ...modified };
      case 'weak':
        return { ETag: `W/"${id}"` };
      case 'modified':
        return modified;
      case 'none':
        return {};
    }
  }

  /** An answer that is not the page: an error, a refusal. */
  refuse(told: Told, status: number, control: string, fields: Record<string, string> = {}): void {
    const common = this.common(told, control, { ageSec: 0, sendsDate: true, setsCookie: false });
    if (control === '') told.isBound = true;
    told.exchange.respond(status, { ...common, ...fields }, `no ${told.number}`);
    told.isOver = true;
  }

  /** The fields of each answer, whatever its status. */
  common(
    told: Told,
    control: string,
    choice: { ageSec: number; sendsDate: boolean; setsCookie: boolean },
  ): Record<string, string> {
    const { exchange } = told;
    told.headAt = this.#clock.now();
    told.upstreamAgeSec = choice.ageSec;
    const isForUser = exchange.field('authorization') !== undefined && !/public|s-maxage|must-revalidate/.test(control);
    // Where the operator gave the lifetime, the operator said that cookies make no difference.
    const isGuess =
      this.#rule.ttl.kind !== 'fixed' && exchange.field('cookie') !== undefined && !/max-?age/.test(control);
    told.isBound = /private|no-store/.test(control) || isForUser || isGuess;
    const fields: Record<string, string> = { 'X-Exchange': String(told.number) };
    if (control !== '') fields['Cache-Control'] = control;
    if (choice.ageSec > 0) fields['Age'] = String(choice.ageSec);
    if (choice.sendsDate) fields['Date'] = formatHttpDate(this.#clock.wall());
    if (choice.setsCookie) fields['Set-Cookie'] = `own=${told.client}`;
    return fields;
  }

  /** Answers by the truth: 304 where the condition says so, 206 where a range is asked for, else the page. */
  answer(
    told: Told,
    page: Page,
    choice: {
      ageSec: number;
      sendsDate: boolean;
      setsCookie: boolean;
      ignoresRange: boolean;
      isBare: boolean;
      isSized: boolean;
      chunks: number;
      ending: 'whole' | 'open' | 'broken' | 'short';
    },
  ): void {
    const { exchange } = told;
    const field = (name: string): string | undefined => exchange.field(name);
    const content = this.contentFor(page, field);
    const common = this.common(told, page.control, choice);
    const validators = this.validators(content);
    if (this.#isUnmodified(content, field)) {
      // What it does not say of sharing stays as the stored response said.
      if (page.control === '') told.isBound = false;
      // Merged into the body of another content, this would betray it.
      const about = { ...common, 'X-Body': String(content.id) };
      exchange.head(304, choice.isBare ? about : { ...validators, ...about });
      exchange.end();
      told.isOver = true;
      return;
    }
    if (choice.setsCookie && this.#rule.setCookie === 'refuse') told.isBound = true;
    const vary: Record<string, string> = page.vary === '' ? {} : { Vary: page.vary };
    const fields = { ...common, ...validators, ...vary, 'X-Body': String(content.id) };
    const range =
      choice.ignoresRange || page.status !== 200 || exchange.request.method !== 'GET'
        ? undefined
        : this.#range(content, field);
    if (range === 'unsatisfiable') {
      exchange.respond(416, { ...fields, 'Content-Range': `bytes */${content.body.length}` });
      told.isOver = true;
      return;
    }
    // The rest of a stored part: what it does not say of sharing stays as it was said of that (RFC 9111 §3.4).
    if (range !== undefined && field('if-range') !== undefined && page.control === '') told.isBound = false;
    const text = range === undefined ? content.body : content.body.slice(range.from, range.until);
    const place =
      range === undefined ? {} : { 'Content-Range': `bytes ${range.from}-${range.until - 1}/${content.body.length}` };
    const size = choice.isSized ? { 'Content-Length': String(text.length) } : {};
    exchange.head(range === undefined ? page.status : 206, { ...fields, ...place, ...size });
    told.rest = exchange.request.method === 'HEAD' ? '' : text;
    this.#send(told, choice);
  }

  #send(told: Told, choice: { chunks: number; ending: 'whole' | 'open' | 'broken' | 'short'; isSized: boolean }): void {
    const whole = told.rest ?? '';
    const cut = choice.ending === 'whole' ? whole.length : Math.floor(whole.length / 2);
    const step = Math.max(1, Math.ceil(cut / choice.chunks));
    for (let at = 0; at < cut; at += step) told.exchange.data(whole.slice(at, Math.min(cut, at + step)));
    told.rest = whole.slice(cut);
    if (choice.ending === 'open') return;
    told.isOver = true;
    // A body whose length nobody said cannot be known to be short.
    if (choice.ending === 'whole' || (choice.ending === 'short' && choice.isSized)) told.exchange.end();
    else told.exchange.fail('origin-truncated');
  }

  /** More of a body that is on its way. */
  goOn(told: Told, how: 'some' | 'end' | 'fail'): void {
    const rest = told.rest ?? '';
    const { exchange } = told;
    const cut = how === 'end' ? rest.length : Math.floor(rest.length / 2);
    if (cut > 0) exchange.data(rest.slice(0, cut));
    told.rest = rest.slice(cut);
    if (how === 'some') return;
    told.isOver = true;
    if (how === 'end') exchange.end();
    else exchange.fail('origin-reset');
  }

  #isUnmodified(content: Content, field: (name: string) => string | undefined): boolean {
    const { page } = content;
    if (page.status !== 200) return false;
    const { ETag: tag, 'Last-Modified': modified } = this.validators(content);
    const tags = field('if-none-match');
    if (tags !== undefined)
      return tags === '*' || (tag !== undefined && tags.split(', ').some((one) => weak(one) === weak(tag)));
    const since = field('if-modified-since');
    return since !== undefined && modified === since;
  }

  #range(
    content: Content,
    field: (name: string) => string | undefined,
  ): { from: number; until: number } | 'unsatisfiable' | undefined {
    const match = /^bytes=(\d*)-(\d*)$/.exec(field('range') ?? '');
    const only = field('if-range');
    if (match === null || (only !== undefined && only !== this.validators(content)['ETag'])) return undefined;
    const total = content.body.length;
    const [, first = '', last = ''] = match;
    const from = first === '' ? Math.max(0, total - Number(last)) : Number(first);
    const until = first === '' || last === '' ? total : Math.min(total, Number(last) + 1);
    return from >= until ? 'unsatisfiable' : { from, until };
  }
}

export function weak(tag: string): string {
  return tag.replace(/^W\//, '');
}

/** Request fields of a client of a story. */
export function clientFields(number: string, chosen: Readonly<Record<string, string | undefined>>): Fields {
  const fields: Record<string, string> = { Host: 'example.test', 'X-Client': number };
  for (const [name, value] of Object.entries(chosen)) if (value !== undefined && value !== '') fields[name] = value;
  return Fields.of(fields);
}
