/**
 * The disk tier's file, on lmdb (imported here alone): ordered tables of bytes, read through the page cache, written in
 * transactions that happen as a whole or not at all, whenever the process dies.
 *
 * Reads are for any thread, writes for the one that writes: a commit that fails throws there, and nothing has changed.
 */
import { statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type * as Lmdb from 'lmdb';
import type { PutOptions, RootDatabase, Transaction } from 'lmdb';
import { Views } from '../base/views.js';
import { readsTooFar } from './disk-ahead.js';
import { DiskFailure } from './disk-contract.js';
import { DEVICE, growthOf } from './disk-growth.js';

const require = createRequire(import.meta.url);

export const TABLES = ['records', 'varied', 'bodies', 'uses', 'expiries', 'tags', 'doomed', 'shares', 'meta'] as const;
export type TableName = (typeof TABLES)[number];

export interface DiskTable {
  /** A copy. */
  get(key: Uint8Array): Buffer | undefined;
  /** The same without a copy, good until anything else is read. */
  view(key: Uint8Array): Buffer | undefined;
  /**
   * The same as of a moment that may be past: the first look begins it, letGo() or refresh() ends it. A moment costs several lookups, and
   * all else here begins one in each turn of the event loop, with a timer to end it.
   */
  look(key: Uint8Array): Buffer | undefined;
  has(key: Uint8Array): boolean;
  /** Shows the entries from `from` up to but not including `until`, in order, until `visit` says false. */
  range(from: Uint8Array, until: Uint8Array, visit: (key: Buffer, value: Buffer) => boolean): void;
  /** The same for the keys alone. */
  keys(from: Uint8Array, until: Uint8Array, visit: (key: Buffer) => boolean): void;
  /** Inside write() alone. What takes pages of its own (takesPages) is not put anew, nor taken away, by the write() that has put it. */
  put(key: Uint8Array, value: Uint8Array): void;
  /** The same where nothing is there; false where something is, which stays. */
  add(key: Uint8Array, value: Uint8Array): boolean;
  /** Inside write() alone. */
  remove(key: Uint8Array): void;
  /** Takes all out. Inside write() alone. */
  clear(): void;
  /** Fetches into the page cache what is going to be read, in another thread. */
  prefetch(keys: readonly Uint8Array[]): void;
  readonly count: number;
  readonly usedBytes: number;
}

export interface DiskFile {
  /** It is in there, alone but for what tells of its processes. */
  readonly directory: string;
  /** Tells it from another one that has come in its place. */
  readonly inode: number;
  readonly tables: Readonly<Record<TableName, DiskTable>>;
  /**
   * Has the file grown for a transaction that is to write so much, if it is not: throws a DiskFailure where that cannot be. To
   * lmdb a write that fails is as good as a fault of memory, and may be the end of the process. `breathe` is called in between.
   */
  makeRoom(bytes: number, breathe: () => void): void;
  /** All that `run` writes, or nothing: throws where that failed. It outlives this process, and a loss of power too. */
  write(run: () => void): void;
  /** From now on reads see what other threads and processes have written. */
  refresh(): void;
  /** The moment of look() is over: pages that have been replaced since may be used again. */
  letGo(): void;
  /** Bytes in use, the tables' own included. */
  readonly usedBytes: number;
  /** Bytes of the file: what is not in use any more is used again before it grows. */
  readonly fileBytes: number;
  close(): Promise<void>;
}

/** Six bodies of 1 KB fit into one page of this size, and two into one of half of it. */
export const DISK_PAGE_BYTES = 8192;
/** Owner alone: what is stored may be meant for few. */
const FILE_MODE = 0o600;
/** A key that is behind all others. */
export const BEHIND_ALL = Buffer.alloc(16, 0xff);
/** What lmdb calls its file. */
export const DISK_FILE_NAME = 'data.mdb';
/** Address space, not memory: so that growing never maps the file anew. */
const MAP_FACTOR = 2;
const MIN_MAP_BYTES = 1024 ** 3;

/** An entry that takes more than this with its head stands in pages of its own: two have to fit into one. */
const MAX_NODE_BYTES = DISK_PAGE_BYTES / 2 - 14;
const NODE_HEAD_BYTES = 8;

/** Whether lmdb gives a value pages of its own. */
export function takesPages(key: Uint8Array, value: Uint8Array): boolean {
  return NODE_HEAD_BYTES + key.length + value.length > MAX_NODE_BYTES;
}

const ABORTABLE = 1;
const COMMIT_AT_ONCE = 2;

/** Throws where the file that was opened in a directory is not there any more, whatever is in its place. */
export function mindTakenAway(directory: string, inode: number): void {
  const path = join(directory, DISK_FILE_NAME);
  if (statSync(path, { throwIfNoEntry: false })?.ino !== inode) {
    throw new DiskFailure('ENOENT', `${path} was taken away: it is made anew at the next start`);
  }
}

type Root = RootDatabase<Buffer, Uint8Array>;

function openRoot(directory: string, sizeBytes: number, noReadAhead: boolean): Root {
  // Read where there is a disk tier: it is a good part of a start.
  const { open } = require('lmdb') as typeof Lmdb;
  return open({
    path: directory,
    // A dot in the name would make it the name of a file.
    noSubdir: false,
    encoding: 'binary',
    keyEncoding: 'binary',
    maxDbs: TABLES.length + 1,
    maxReaders: 256,
    pageSize: DISK_PAGE_BYTES,
    mapSize: Math.max(MIN_MAP_BYTES, sizeBytes * MAP_FACTOR),
    // A process that dies while its device syncs would take the file from the one that waits to do so (decision 0017).
    overlappingSync: false,
    // Its types know of neither.
    ...({ permissionsMode: FILE_MODE, noReadAhead } as object),
  }) as Root;
}

/** Opens or makes the file in a directory that is there. Throws what lmdb throws. `noReadAhead`: lookups bring in their pages alone. */
export function openDiskFile(
  directory: string,
  sizeBytes: number,
  noReadAhead: boolean = readsTooFar(directory),
  device = DEVICE,
): DiskFile {
  const root = openRoot(directory, sizeBytes, noReadAhead);
  const moment = new Moment(root);
  const opened = TABLES.map((name) => [name, tableOf(root, name, moment)]);
  const tables = Object.fromEntries(opened) as Record<TableName, DiskTable>;
  const path = join(directory, DISK_FILE_NAME);
  const fileBytes = (): number => {
    const { lastPageNumber } = root.getStats() as { lastPageNumber: number };
    return (lastPageNumber + 1) * DISK_PAGE_BYTES;
  };
  const growth = growthOf(directory, path, sizeBytes, device);
  const inode = statSync(path).ino;
  return {
    directory,
    inode,
    tables,
    makeRoom(bytes, breathe) {
      mindTakenAway(directory, inode);
      growth.ahead(fileBytes(), bytes, breathe);
    },
    write(run) {
      // What is written to a file that has lost its name ends with the processes that have it open.
      mindTakenAway(directory, inode);
      root.transactionSync(run, ABORTABLE | COMMIT_AT_ONCE);
      growth.behind(fileBytes());
    },
    refresh() {
      moment.end();
      root.resetReadTxn();
    },
    letGo() {
      moment.end();
    },
    get usedBytes() {
      return TABLES.reduce((sum, name) => sum + tables[name].usedBytes, 0);
    },
    get fileBytes() {
      return fileBytes();
    },
    async close() {
      moment.end();
      await root.close();
      growth.close();
    },
  };
}

/** What lmdb's lookups take beside the key. */
interface LookOptions {
  readonly transaction: Transaction;
}

interface Untold {
  getBinaryFast(key: Uint8Array, options: LookOptions): Buffer | undefined;
  putSync(key: Uint8Array, value: Buffer, options: PutOptions): boolean;
}

const NEW_ALONE: PutOptions = { noOverwrite: true };

/** lmdb takes the address of what is not small, and finds none where threads have it in common: the process dies of that. */
function withAddress(value: Uint8Array): Buffer {
  return value.buffer instanceof SharedArrayBuffer ? Buffer.from(value) : (value as Buffer);
}

/** A state of the file that lookups see for longer than a turn of the event loop. */
class Moment {
  readonly #root: Root;
  #options: LookOptions | undefined;

  constructor(root: Root) {
    this.#root = root;
  }

  /** Begins where there is none. */
  get options(): LookOptions {
    this.#options ??= { transaction: this.#root.useReadTransaction() };
    return this.#options;
  }

  end(): void {
    this.#options?.transaction.done();
    this.#options = undefined;
  }
}

interface TableStats {
  readonly entryCount: number;
  readonly treeBranchPageCount: number;
  readonly treeLeafPageCount: number;
  readonly overflowPages: number;
}

function tableOf(root: Root, name: TableName, moment: Moment): DiskTable {
  const db = root.openDB<Buffer, Uint8Array>({ name, encoding: 'binary', keyEncoding: 'binary' });
  // What its types do not tell.
  const { getBinaryFast, putSync } = db as unknown as Untold;
  const stats = (): TableStats => db.getStats() as TableStats;
  let seen: Buffer | undefined;
  let views = new Views(Buffer.alloc(0));
  // What lmdb gives is one buffer, longer than it says, for each lookup.
  const viewOf = (bytes: Buffer | undefined): Buffer | undefined => {
    if (bytes === undefined) return undefined;
    if (bytes !== seen) {
      seen = bytes;
      views = new Views(Buffer.from(bytes.buffer, bytes.byteOffset));
    }
    return views.until(bytes.length);
  };
  return {
    get: (key) => db.getBinary(key),
    view: (key) => viewOf(db.getBinaryFast(key)),
    look: (key) => viewOf(getBinaryFast.call(db, key, moment.options)),
    has: (key) => db.doesExist(key),
    range(from, until, visit) {
      for (const { key, value } of db.getRange({ start: from, end: until })) if (!visit(key as Buffer, value)) return;
    },
    keys(from, until, visit) {
      for (const key of db.getKeys({ start: from, end: until })) if (!visit(key as Buffer)) return;
    },
    put(key, value) {
      db.putSync(key, withAddress(value));
    },
    add: (key, value) => putSync.call(db, key, withAddress(value), NEW_ALONE),
    remove(key) {
      db.removeSync(key);
    },
    clear() {
      db.clearSync();
    },
    prefetch(keys) {
      // It only warms the page cache: where it fails, the read that follows says so.
      db.prefetch([...keys], () => undefined)?.catch(() => undefined);
    },
    get count() {
      return stats().entryCount;
    },
    get usedBytes() {
      const { treeBranchPageCount, treeLeafPageCount, overflowPages } = stats();
      return (treeBranchPageCount + treeLeafPageCount + overflowPages) * DISK_PAGE_BYTES;
    },
  };
}
