/** The sentences of shared-contract, said to a Redis or Valkey. What comes back is looked at before it is believed. */
import { createHash, randomBytes } from 'node:crypto';
import { MAX_VARIANTS } from '../base/limits.js';
import { MAX_SHARED_LOG, MAX_SHARED_TAG_NAMES, SHARED_LOG_LIFE_MS } from '../base/shared-limits.js';
import type { SharedClientOptions } from './shared-client.js';
import type {
  KeepOrder,
  KeepVerdict,
  LeasePlace,
  LookOrder,
  LookReply,
  OpsPage,
  ScanPage,
  SharedListener,
  SharedTable,
} from './shared-contract.js';
import { type Argument, makeScript, type Reply, type Script, SharedLink } from './shared-link.js';
import { APPEND_OP, DROP, KEEP, LOOK, NOTE_TAG, PURGE, READ_OPS, RELEASE, RENEW, SPEAK } from './shared-scripts.js';

const SCRIPTS = {
  look: makeScript(LOOK),
  renew: makeScript(RENEW),
  keep: makeScript(KEEP),
  release: makeScript(RELEASE),
  purge: makeScript(PURGE),
  drop: makeScript(DROP),
  noteTag: makeScript(NOTE_TAG),
  appendOp: makeScript(APPEND_OP),
  readOps: makeScript(READ_OPS),
  speak: makeScript(SPEAK),
} as const satisfies Readonly<Record<string, Script>>;

/** Marks an entry of the log among what is published; news have another one. */
export const OP_MARK = 'O';
/** All of a message that is about nothing. */
export const NO_NEWS = Buffer.from('-');
const LOOK_KINDS: ReadonlySet<string> = new Set(['found', 'held', 'elsewhere', 'alone', 'none']);
const NAME = /^[\w-]{22}$/;
const DIGEST_CHARS = 22;

/** 132 bits of a SHA-256, safe in the name of a key. */
export function digestOf(text: string | Uint8Array): string {
  return createHash('sha256').update(text).digest('base64url').slice(0, DIGEST_CHARS);
}

/** The reply was none that this command has. */
export class SharedReplyError extends Error {
  override readonly name = 'SharedReplyError';
}

export class RedisTable implements SharedTable {
  readonly #link: SharedLink;
  readonly #prefix: string;
  readonly #channel: string;

  constructor(options: SharedClientOptions, prefix: string) {
    this.#prefix = prefix;
    this.#channel = `${prefix}news`;
    this.#link = new SharedLink(options, this.#channel);
  }

  /** The braces make one slot of all that belongs to a name. */
  #key(name: string): string {
    return `${this.#prefix}{${name}}`;
  }

  #chunkKey(name: string, body: string, index: number): string {
    return `${this.#key(name)}${body}.${index}`;
  }

  #tagKey(tag: string): string {
    return `${this.#prefix}tag:{${digestOf(tag)}}`;
  }

  get #logKey(): string {
    return `${this.#prefix}log:{ops}`;
  }

  async look(order: LookOrder): Promise<LookReply> {
    const { name, variant, holder, leaseMs, knownAt, mode } = order;
    const args = [variant, holder, leaseMs, knownAt === undefined ? '' : knownAt.toFixed(3), mode];
    const [now, kind, left, records, alien] = listOf(await this.#link.run(SCRIPTS.look, this.#key(name), args));
    const word = textOf(kind);
    if (!LOOK_KINDS.has(word)) throw new SharedReplyError('look');
    return {
      serverNow: numberOf(now),
      kind: word as LookReply['kind'],
      leftMs: numberOf(left),
      records: listOf(records).map(bytesOf),
      isAlien: alien === 1,
    };
  }

  async renew({ name, variant, holder }: LeasePlace, leaseMs: number): Promise<boolean> {
    return (await this.#link.run(SCRIPTS.renew, this.#key(name), [variant, holder, leaseMs])) === 1;
  }

  async keep(order: KeepOrder): Promise<KeepVerdict> {
    const { name, variant, holder, recordVariant, key, record, isPush, news, otherwise } = order;
    const args: Argument[] = [variant, holder, recordVariant, key, record, isPush ? '1' : '0'];
    args.push(this.#channel, news, otherwise, MAX_VARIANTS);
    const verdict = textOf(await this.#link.run(SCRIPTS.keep, this.#key(name), args));
    if (verdict !== 'kept' && verdict !== 'older' && verdict !== 'purged') throw new SharedReplyError('keep');
    return verdict;
  }

  async release({ name, variant, holder }: LeasePlace, news: Buffer, aloneMs: number): Promise<void> {
    await this.#link.run(SCRIPTS.release, this.#key(name), [variant, holder, aloneMs, this.#channel, news]);
  }

  async purgeName(name: string, at: number, tombMs: number, isKnownOnly: boolean): Promise<number> {
    const args = [at.toFixed(3), tombMs, isKnownOnly ? '1' : '0'];
    return numberOf(await this.#link.run(SCRIPTS.purge, this.#key(name), args));
  }

  async records(name: string): Promise<readonly (readonly [variant: string, record: Buffer])[]> {
    const all = listOf(await this.#link.command('HGETALL', [this.#key(name)]));
    const found: (readonly [string, Buffer])[] = [];
    for (let at = 0; at + 1 < all.length; at += 2) {
      const field = textOf(all[at]);
      if (field.startsWith('r')) found.push([field.slice(1), bytesOf(all[at + 1])]);
    }
    return found;
  }

  async drop(name: string, variant: string, record: Buffer): Promise<boolean> {
    return (await this.#link.run(SCRIPTS.drop, this.#key(name), [variant, record])) === 1;
  }

  async readChunk(name: string, body: string, index: number): Promise<Buffer | undefined> {
    const reply = await this.#link.command('GET', [this.#chunkKey(name, body, index)]);
    return reply === null ? undefined : bytesOf(reply);
  }

  async writeChunk(name: string, body: string, index: number, bytes: Buffer, ttlMs: number): Promise<void> {
    await this.#link.command('SET', [this.#chunkKey(name, body, index), bytes, 'PX', Math.ceil(ttlMs)]);
  }

  async extendChunk(name: string, body: string, index: number, ttlMs: number): Promise<boolean> {
    return (await this.#link.command('PEXPIRE', [this.#chunkKey(name, body, index), Math.ceil(ttlMs)])) === 1;
  }

  async noteTag(tag: string, name: string, until: number, serverNow: number): Promise<void> {
    const args = [name, until.toFixed(3), serverNow.toFixed(3), MAX_SHARED_TAG_NAMES];
    await this.#link.run(SCRIPTS.noteTag, this.#tagKey(tag), args);
  }

  async takeTagged(tag: string, count: number): Promise<readonly string[]> {
    const reply = listOf(await this.#link.command('ZPOPMIN', [this.#tagKey(tag), count]));
    const names: string[] = [];
    for (let at = 0; at < reply.length; at += 2) {
      const name = textOf(reply[at]);
      if (NAME.test(name)) names.push(name);
    }
    return names;
  }

  async appendOp(text: string): Promise<void> {
    await this.#link.run(SCRIPTS.appendOp, this.#logKey, [
      MAX_SHARED_LOG,
      text,
      this.#channel,
      OP_MARK,
      SHARED_LOG_LIFE_MS,
    ]);
  }

  async publishOp(text: string): Promise<void> {
    await this.#link.command('PUBLISH', [this.#channel, OP_MARK + text]);
  }

  /** As the scripts do it, and where the log is: another server of a Cluster that is gone is told of by what is asked there. */
  async speak(): Promise<void> {
    try {
      await this.#link.run(SCRIPTS.speak, this.#logKey, [this.#channel, NO_NEWS]);
    } catch (error) {
      // What is said of a script does not name the command in it that is denied.
      throw new SharedReplyError(`PUBLISH: ${error instanceof Error ? error.message : String(error)}`, {
        cause: error,
      });
    }
  }

  async readOps(after: string | undefined, count: number): Promise<OpsPage> {
    const reply = listOf(await this.#link.run(SCRIPTS.readOps, this.#logKey, [after ?? '', count, SHARED_LOG_LIFE_MS]));
    const entries = listOf(reply[2]).map((entry): readonly [string, string] => {
      const [id, fields] = listOf(entry);
      return [textOf(id), textOf(listOf(fields)[1])];
    });
    const first = textOf(reply[1]);
    return {
      serverNow: numberOf(reply[0]),
      dataset: await this.#dataset(),
      firstId: first === '' ? undefined : first,
      entries,
    };
  }

  /** Asked for as something to be written: a server that is full, or a replica, refuses that, and would fail at each lease. */
  async #dataset(): Promise<string> {
    const key = `${this.#logKey}dataset`;
    await this.#link.command('SETNX', [key, randomBytes(12).toString('hex')]);
    await this.#link.command('PEXPIRE', [key, SHARED_LOG_LIFE_MS]);
    return textOf(await this.#link.command('GET', [key]));
  }

  async scan(cursor: string | undefined): Promise<ScanPage> {
    const escaped = this.#prefix.replace(/[\\*?[\]]/g, '\\$&');
    const page = await this.#link.scan(`${escaped}{${'?'.repeat(DIGEST_CHARS)}}`, cursor);
    const from = this.#prefix.length + 1;
    return {
      cursor: page.cursor,
      names: page.keys.map((key) => key.slice(from, -1)).filter((name) => NAME.test(name)),
    };
  }

  isOfOne(error: unknown): boolean {
    return this.#link.isOfOne(error);
  }

  listen(to: SharedListener): void {
    this.#link.open(to);
  }

  reconnect(): void {
    this.#link.reconnect();
  }

  close(): void {
    this.#link.close();
  }
}

function listOf(reply: Reply | undefined): readonly Reply[] {
  if (!Array.isArray(reply)) throw new SharedReplyError('a list was expected');
  return reply as readonly Reply[];
}

function bytesOf(reply: Reply | undefined): Buffer {
  if (!Buffer.isBuffer(reply)) throw new SharedReplyError('bytes were expected');
  return reply;
}

function textOf(reply: Reply | undefined): string {
  return bytesOf(reply).toString();
}

function numberOf(reply: Reply | undefined): number {
  const value = typeof reply === 'number' ? reply : Number(textOf(reply));
  if (!Number.isFinite(value)) throw new SharedReplyError('a number was expected');
  return value;
}
