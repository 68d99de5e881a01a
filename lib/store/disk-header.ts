/**
 * Looks at the file of the disk tier before lmdb does. lmdb maps it into memory and believes what it says: a file that is
 * shorter than it should be, or whose first pages are not its own, ends the process, and no error can be caught.
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { DISK_PAGE_BYTES } from './disk-file.js';

/** The two first pages say, each in its turn, where the tables begin. */
const META_PAGES = 2;
const META_MAGIC = 0xbeefc0de;
const META_VERSION = 2;
/** Places in such a page. */
const AT = { magic: 24, version: 28, pageSize: 48, freeRoot: 88, mainRoot: 136, lastPage: 144, txn: 152 } as const;
const META_BYTES = 160;
/** Places in the head of any other page, and what its kind is there. */
const AT_NUMBER = 0;
const AT_KIND = 18;
const BRANCH_OR_LEAF = 0x03;
const NO_PAGE = 0xffff_ffff_ffff_ffffn;

/** What is wrong with a file; undefined where nothing is seen, or there is none. Throws where it cannot be read. */
export function fileFlaw(path: string): string | undefined {
  const handle = openExisting(path);
  if (handle === undefined) return undefined;
  try {
    const { size } = fstatSync(handle);
    // As it is made: lmdb begins anew in it.
    if (size === 0) return undefined;
    if (size < META_PAGES * DISK_PAGE_BYTES) return 'it is cut short';
    return flawIn(handle);
  } finally {
    closeSync(handle);
  }
}

function openExisting(path: string): number | undefined {
  try {
    return openSync(path, 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

function flawIn(handle: number): string | undefined {
  const metas = Array.from({ length: META_PAGES }, (_, at) => pageHead(handle, BigInt(at)));
  // After them: another process may have it grow, and say so in them, at any moment.
  const size = BigInt(fstatSync(handle).size);
  for (const meta of metas) {
    const isOurs =
      meta.readUInt32LE(AT.magic) === META_MAGIC &&
      meta.readUInt32LE(AT.version) === META_VERSION &&
      meta.readUInt32LE(AT.pageSize) === DISK_PAGE_BYTES;
    if (!isOurs) return 'it does not begin as it should';
    // The writer sees to it that a file is as long as it says (disk-file.ts).
    if ((meta.readBigUInt64LE(AT.lastPage) + 1n) * BigInt(DISK_PAGE_BYTES) > size) return 'it is cut short';
  }
  const latest = metas.reduce((one, other) =>
    other.readBigUInt64LE(AT.txn) > one.readBigUInt64LE(AT.txn) ? other : one,
  );
  for (const at of [AT.freeRoot, AT.mainRoot]) {
    const root = latest.readBigUInt64LE(at);
    if (root === NO_PAGE) continue;
    if (root > latest.readBigUInt64LE(AT.lastPage)) return 'its tables begin behind its end';
    const head = pageHead(handle, root);
    const isTable = head.readBigUInt64LE(AT_NUMBER) === root && (head.readUInt16LE(AT_KIND) & BRANCH_OR_LEAF) !== 0;
    if (!isTable) return 'its tables are not where they should be';
  }
  return undefined;
}

function pageHead(handle: number, page: bigint): Buffer {
  const head = Buffer.alloc(META_BYTES);
  readSync(handle, head, 0, META_BYTES, page * BigInt(DISK_PAGE_BYTES));
  return head;
}
