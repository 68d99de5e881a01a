/** What machines tell each other when something has come of a lease: a few words, and the new record where it is small. */
import { MAX_SHARED_NEWS_BYTES } from '../base/shared-limits.js';

/** Marks news among what is published; entries of the log have another mark. */
const NEWS_MARK = 'N';
const HEAD_BYTES = 5;

export interface News {
  /** The machine that it comes from. */
  readonly by: string;
  readonly key: string;
  /** Of the lease. */
  readonly variant: string;
  /** `kept`: a record; `pushed`: one that an operator made. Else what came of it, in the words of the one who wrote it. */
  readonly what: 'kept' | 'pushed' | 'left' | 'alone' | 'uncacheable' | 'failed';
  /** For `uncacheable` and `failed`: how. */
  readonly how: Readonly<Record<string, unknown>>;
  readonly record: Buffer | undefined;
}

export function writeNews({ by, key, variant, what, how, record }: News): Buffer {
  const words = Buffer.from(JSON.stringify({ by, key, variant, what, how }));
  const head = Buffer.alloc(HEAD_BYTES);
  head.write(NEWS_MARK, 0, 'latin1');
  head.writeUInt32LE(words.length, 1);
  const isSmall = record !== undefined && words.length + record.length <= MAX_SHARED_NEWS_BYTES;
  return Buffer.concat(isSmall ? [head, words, record] : [head, words]);
}

const WHATS: ReadonlySet<unknown> = new Set(['kept', 'pushed', 'left', 'alone', 'uncacheable', 'failed']);

/** Undefined where the bytes are no news. */
export function readNews(bytes: Buffer): News | undefined {
  if (bytes.length < HEAD_BYTES || bytes.toString('latin1', 0, 1) !== NEWS_MARK) return undefined;
  const until = HEAD_BYTES + bytes.readUInt32LE(1);
  if (until > bytes.length) return undefined;
  let words: unknown;
  try {
    words = JSON.parse(bytes.toString('utf8', HEAD_BYTES, until));
  } catch {
    return undefined;
  }
  if (typeof words !== 'object' || words === null) return undefined;
  const { by, key, variant, what, how } = words as Readonly<Record<string, unknown>>;
  if (typeof by !== 'string' || typeof key !== 'string' || typeof variant !== 'string') return undefined;
  if (!WHATS.has(what) || typeof how !== 'object' || how === null) return undefined;
  return {
    by,
    key,
    variant,
    what: what as News['what'],
    how: how as News['how'],
    record: until < bytes.length ? bytes.subarray(until) : undefined,
  };
}
