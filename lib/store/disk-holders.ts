/**
 * Who has the file of a disk tier open by which lock, told among all processes that see its directory, those in other containers
 * too: each has a socket there, at which nobody answers any more once its process has ended, however that was.
 *
 * Each says so first and looks for others then: of two that come at once at least one sees the other.
 */
import { randomBytes } from 'node:crypto';
import { closeSync, existsSync, openSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { connect, createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { clearLeftovers } from './disk-leftovers.js';

const NAME = /^holder-([0-9a-z.]+)-\d+-[0-9a-f]+$/;
/** One that is not heard yet. */
const UNHEARD = /^holder-.*\.new$/;

interface Held {
  readonly lock: string;
  readonly name: string;
  readonly server: Server;
}

/** By this process, by directory: until it ends. */
const held = new Map<string, Held>();
let isUntoldAtExit = false;

/** Says that this process has it open, or is going to, by a lock of that name: by a file, of which the path is returned. Throws where that cannot be said. */
export function tellHolder(directory: string, lock: string): string {
  const told = held.get(directory);
  // Where its file was taken away nobody hears of it any more.
  if (told?.lock === lock && existsSync(join(directory, told.name))) return join(directory, told.name);
  untellHolder(directory);
  const name = `holder-${lock}-${process.pid}-${randomBytes(4).toString('hex')}`;
  const server = createServer((socket) => socket.destroy());
  // What went wrong is told later than it is known.
  server.on('error', () => {});
  const unheard = `${name}.new`;
  // Workers of node:cluster have their sockets by way of another process otherwise.
  within(directory, (path) => server.listen({ path: path(unheard), exclusive: true }));
  if (!server.listening) throw new Error(`no socket can be made in ${directory}: it may be full`);
  server.unref();
  // Under its name it is one that answers from the first moment.
  const path = join(directory, name);
  renameSync(join(directory, unheard), path);
  if (!isUntoldAtExit) process.once('exit', untellAll);
  isUntoldAtExit = true;
  held.set(directory, { lock, name, server });
  clearLeftovers(directory, UNHEARD, path);
  return path;
}

/** It has not, and is not going to for now. */
export function untellHolder(directory: string): void {
  const own = held.get(directory);
  if (own === undefined) return;
  held.delete(directory);
  own.server.close();
  rmSync(join(directory, own.name), { force: true });
}

function untellAll(): void {
  for (const directory of [...held.keys()]) untellHolder(directory);
}

/** Sockets of others, as it seems: by another lock, or by the same one. */
export function othersIn(directory: string, lock: string): { strange: string[]; alike: string[] } {
  const own = held.get(directory)?.name;
  const names = readdirSync(directory).filter((name) => name !== own && NAME.test(name));
  const isAlike = (name: string): boolean => NAME.exec(name)?.[1] === lock;
  return { strange: names.filter((name) => !isAlike(name)), alike: names.filter(isAlike) };
}

/** Whether somebody is behind one of these; those of the dead go. */
export async function isAnyAlive(directory: string, names: readonly string[]): Promise<boolean> {
  const alive = await Promise.all(names.map((name) => isAnswered(directory, name)));
  names.forEach((name, at) => {
    if (alive[at] === false) rmSync(join(directory, name), { force: true });
  });
  return alive.includes(true);
}

function isAnswered(directory: string, name: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = within(directory, (path) => connect({ path: path(name) }));
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', ({ code }: NodeJS.ErrnoException) => resolve(code !== 'ECONNREFUSED' && code !== 'ENOENT'));
  });
}

/** The path of a socket may be no longer than some hundred bytes, which that of a directory often is. */
function within<T>(directory: string, run: (path: (name: string) => string) => T): T {
  const handle = openSync(directory, 'r');
  try {
    return run((name) => (process.platform === 'linux' ? `/proc/self/fd/${handle}/${name}` : join(directory, name)));
  } finally {
    closeSync(handle);
  }
}
