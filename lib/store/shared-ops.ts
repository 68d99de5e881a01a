/**
 * Operations on what several machines hold: purges and expiries by key, prefix or tag, as they stand in the shared log,
 * and what those of them that are remembered here say about a response that comes from below.
 */
import { MAX_SHARED_LOG } from '../base/shared-limits.js';
import { type Selection, type StoredResponse, urlInKey } from '../object/stored.js';

export type SharedReach =
  /** `but`: something was pushed there, and what else was pushed is not meant, save what is at `earlier`. */
  | {
      readonly kind: 'keys';
      readonly keys: readonly string[];
      readonly but?: 'pushed' | undefined;
      readonly earlier?: PushedPlace | undefined;
    }
  | { readonly kind: 'prefix'; readonly prefixes: readonly string[] }
  | { readonly kind: 'tag'; readonly tag: string }
  /** Everything: what was done meanwhile is not known. */
  | { readonly kind: 'all' };

/** Where something was pushed once more: what was pushed there before is older. */
export interface PushedPlace extends Pick<StoredResponse, 'key' | 'selection'> {
  /** When that was, by the clock of this machine; undefined: it is not known. */
  readonly pushedAt?: number | undefined;
}

export interface SharedOp {
  readonly effect: 'purge' | 'expire';
  readonly reach: SharedReach;
  /** What was asked for up to then is meant, on the server's clock. */
  readonly at: number;
  /** What was pushed at `earlier` from then on is left out: it may be the very push that this tells of, or a newer one. */
  readonly since?: number | undefined;
  /** The machine that it comes from. */
  readonly by: string;
}

/** Up to when what was pushed at `earlier` is meant. */
export function earlierUntil({ at, since }: SharedOp): number {
  return since ?? at;
}

/** What leaves something out has a word of its own: who does not know it must not take it for one that means all. */
const FETCHED = 'fetched';

export function writeOp({ effect, reach, at, since, by }: SharedOp): string {
  const what = reach.kind === 'keys' ? reach.keys : reach.kind === 'prefix' ? reach.prefixes : undefined;
  const kind = reach.kind === 'keys' && reach.but === 'pushed' ? FETCHED : reach.kind;
  const p = reach.kind === 'keys' && reach.earlier !== undefined ? wordsOfPlace(reach.earlier) : undefined;
  const w = reach.kind === 'tag' ? [reach.tag] : (what ?? []);
  return JSON.stringify({ e: effect, r: kind, w, at, by, p, s: p === undefined ? undefined : since });
}

/** Undefined where the text is no operation. */
export function readOp(text: string): SharedOp | undefined {
  let written: unknown;
  try {
    written = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof written !== 'object' || written === null) return undefined;
  const { e, r, w, at, by, p, s } = written as Readonly<Record<string, unknown>>;
  if ((e !== 'purge' && e !== 'expire') || typeof at !== 'number' || typeof by !== 'string') return undefined;
  if (!Array.isArray(w) || !w.every((one) => typeof one === 'string')) return undefined;
  const words = w as readonly string[];
  const reach = readReach(r, words, p);
  if (reach === undefined || !Number.isFinite(at)) return undefined;
  const op = { effect: e, reach, at, by } as const;
  const hasEarlier = reach.kind === 'keys' && reach.earlier !== undefined;
  return hasEarlier && typeof s === 'number' && Number.isFinite(s) ? { ...op, since: s } : op;
}

function readReach(kind: unknown, words: readonly string[], place: unknown): SharedReach | undefined {
  if (kind === 'keys') return { kind, keys: words };
  if (kind === FETCHED) {
    const earlier = readPlace(place);
    return { kind: 'keys', keys: words, but: 'pushed', ...(earlier === undefined ? {} : { earlier }) };
  }
  if (kind === 'prefix') return { kind, prefixes: words };
  if (kind === 'all') return { kind };
  const [tag] = words;
  return kind === 'tag' && tag !== undefined ? { kind, tag } : undefined;
}

function wordsOfPlace({ key, selection: { names, values } }: PushedPlace): unknown {
  return [key, names, values.map((value) => value ?? null)];
}

function readPlace(words: unknown): PushedPlace | undefined {
  if (!Array.isArray(words)) return undefined;
  const [key, names, values] = words as readonly unknown[];
  if (typeof key !== 'string' || !Array.isArray(names) || !Array.isArray(values)) return undefined;
  if (names.length !== values.length || !names.every((name) => typeof name === 'string')) return undefined;
  if (!values.every((value) => value === null || typeof value === 'string')) return undefined;
  const selection: Selection = { names, values: values.map((value: string | null) => value ?? undefined) };
  return { key, selection };
}

/** Until when what was asked for is purged, and until when it is stale. */
interface Mark {
  purgedAt: number;
  expiredAt: number;
}

export type OpVerdict = { readonly effect: 'purge' } | { readonly effect: 'expire'; readonly at: number } | undefined;

const NEVER = Number.NEGATIVE_INFINITY;

/** Operations that are remembered; of those that had to be forgotten, that they were. */
export class OpMemory {
  readonly #byWord = new Map<string, Mark>();
  readonly #prefixes: SharedOp[] = [];
  /** What was asked for up to then may have been operated on by what is forgotten: it counts as stale. */
  #doubtedAt = NEVER;

  add(op: SharedOp): void {
    const { reach } = op;
    switch (reach.kind) {
      case 'keys':
        for (const key of reach.keys) this.#mark(`${reach.but === 'pushed' ? 'f' : 'k'}${key}`, op);
        if (reach.earlier !== undefined) this.#mark(wordOfPlace(reach.earlier), { ...op, at: earlierUntil(op) });
        return;
      case 'tag':
        this.#mark(`t${reach.tag}`, op);
        return;
      case 'prefix': {
        this.#prefixes.push(op);
        const forgotten = this.#prefixes.length > MAX_SHARED_LOG ? this.#prefixes.shift() : undefined;
        if (forgotten !== undefined) this.doubt(forgotten.at);
        return;
      }
      case 'all':
        this.doubt(op.at);
    }
  }

  doubt(at: number): void {
    this.#doubtedAt = Math.max(this.#doubtedAt, at);
  }

  #mark(word: string, { effect, at }: SharedOp): void {
    const mark = this.#byWord.get(word) ?? { purgedAt: NEVER, expiredAt: NEVER };
    if (effect === 'purge') mark.purgedAt = Math.max(mark.purgedAt, at);
    else mark.expiredAt = Math.max(mark.expiredAt, at);
    this.#byWord.delete(word);
    this.#byWord.set(word, mark);
    if (this.#byWord.size <= MAX_SHARED_LOG) return;
    for (const [oldest, its] of this.#byWord) {
      this.#byWord.delete(oldest);
      this.doubt(Math.max(its.purgedAt, its.expiredAt));
      return;
    }
  }

  /** What was done to a response that was asked for at `askedAt`, on the server's clock. */
  judge(response: Named, askedAt: number): OpVerdict {
    const { key } = response;
    let expiredAt = this.#doubtedAt;
    for (const word of wordsOf(response)) {
      const mark = this.#byWord.get(word);
      if (mark === undefined) continue;
      if (askedAt <= mark.purgedAt) return { effect: 'purge' };
      expiredAt = Math.max(expiredAt, mark.expiredAt);
    }
    for (const { effect, reach, at } of this.#prefixes) {
      if (reach.kind !== 'prefix' || askedAt > at || !reach.prefixes.some((prefix) => key.startsWith(prefix))) continue;
      if (effect === 'purge') return { effect: 'purge' };
      expiredAt = Math.max(expiredAt, at);
    }
    return askedAt <= expiredAt ? { effect: 'expire', at: expiredAt } : undefined;
  }
}

type Named = Pick<StoredResponse, 'key' | 'selection' | 'tags' | 'pushed'>;

function wordOfPlace(place: PushedPlace): string {
  return `e${JSON.stringify(wordsOfPlace(place))}`;
}

/**
 * What an operation may name a response by: its key, its tags, and its key without what headers, cookies and forwarding fields
 * add to it behind a space. Who names that means all of these, and need not have seen each of them.
 */
function wordsOf({ key, selection, tags = [], pushed }: Named): string[] {
  const words = tags.map((tag) => `t${tag}`);
  const url = urlInKey(key);
  for (const name of url === key ? [key] : [key, url]) {
    words.push(`k${name}`);
    if (pushed !== true) words.push(`f${name}`);
  }
  if (pushed === true) words.push(wordOfPlace({ key, selection }));
  return words;
}
