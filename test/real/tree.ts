/** A real tree of files for an origin to serve: copies from node_modules, and some files made for the purpose. */
import { createHash } from 'node:crypto';
import {
  appendFileSync,
  closeSync,
  copyFileSync,
  createReadStream,
  mkdirSync,
  openSync,
  readdirSync,
  statSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { dirname, extname, join, relative } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { checkoutRoot } from '../../bench/kit/root.js';

const FILE_COUNT = 1_200;
const LARGEST_COPY_BYTES = 4 * 1024 * 1024;
const LARGE_FILE_BYTES = 100 * 1000 * 1000;
const SECOND_MS = 1000;
const DAY_MS = 86_400_000;

/** Something that an origin serves and a client can compare. */
export interface Resource {
  /** Path of the URL. */
  readonly target: string;
  /** SHA-256 of what the origin has now. */
  digest(): Promise<string>;
  /** Changes it, and what identifies it. */
  change(): Promise<void>;
}

class TreeFile implements Resource {
  readonly target: string;
  readonly #file: string;
  #digest: string | undefined;

  constructor(root: string, file: string) {
    this.target = `/${relative(root, file).split('/').map(encodeURIComponent).join('/')}`;
    this.#file = file;
  }

  async digest(): Promise<string> {
    if (this.#digest === undefined) {
      const hash = createHash('sha256');
      await pipeline(createReadStream(this.#file), hash);
      this.#digest = hash.digest('hex');
    }
    return this.#digest;
  }

  async change(): Promise<void> {
    appendFileSync(this.#file, `changed at ${Date.now()}\n`);
    const now = Date.now() / SECOND_MS;
    utimesSync(this.#file, now, now);
    this.#digest = undefined;
  }
}

function* walk(dir: string): Generator<string> {
  for (const entry of readdirSync(dir, { withFileTypes: true })) {
    // Files and folders with a leading dot are not served by every origin.
    if (entry.name.startsWith('.')) continue;
    const path = join(dir, entry.name);
    if (entry.isDirectory()) yield* walk(path);
    else if (entry.isFile() && statSync(path).size <= LARGEST_COPY_BYTES) yield path;
  }
}

/** Files of as many types as there are: one of each extension in turn. */
function choose(from: string): string[] {
  const byType = new Map<string, string[]>();
  for (const file of walk(from)) {
    const type = extname(file).toLowerCase();
    const files = byType.get(type);
    if (files === undefined) byType.set(type, [file]);
    else files.push(file);
  }
  const chosen: string[] = [];
  for (let round = 0; chosen.length < FILE_COUNT; round++) {
    const before = chosen.length;
    for (const files of byType.values()) {
      const file = files[round];
      if (file !== undefined && chosen.length < FILE_COUNT) chosen.push(file);
    }
    if (chosen.length === before) break;
  }
  return chosen;
}

function writeLargeFile(file: string): void {
  const block = Buffer.alloc(1_000_000);
  const descriptor = openSync(file, 'w');
  for (let written = 0; written < LARGE_FILE_BYTES; written += block.length) {
    for (let i = 0; i < block.length; i += 4) block.writeUInt32LE((i * 2654435761 + written) >>> 0, i);
    writeSync(descriptor, block);
  }
  closeSync(descriptor);
}

/** Fills `root` and returns what is in it. */
export function makeTree(root: string): Resource[] {
  const from = join(checkoutRoot(), 'node_modules');
  const files: string[] = [];
  const add = (path: string, write: (file: string) => void) => {
    const file = join(root, path);
    mkdirSync(dirname(file), { recursive: true });
    write(file);
    files.push(file);
  };
  for (const source of choose(from)) add(relative(from, source), (file) => copyFileSync(source, file));
  add('made/100MB.bin', writeLargeFile);
  add('made/empty.txt', (file) => writeFileSync(file, ''));
  add('made/one-byte.txt', (file) => writeFileSync(file, 'x'));
  add('made/odd name, 100% é & co.txt', (file) => writeFileSync(file, 'a name that needs escapes\n'));
  // Different dates in the past, so that a change is one to the second as well.
  const yesterday = (Date.now() - DAY_MS) / SECOND_MS;
  for (const [i, file] of files.entries()) utimesSync(file, yesterday - i, yesterday - i);
  return files.map((file) => new TreeFile(root, file));
}
