/**
 * What processes leave in the directory of the disk tier for those after them: files that say what they were about, taken away
 * when that has gone well. One whose process is not there any more is of one that died of it, or meanwhile.
 */
import { existsSync, readdirSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** `opening`: it opens the file; `young`: it has had it for a short while; `looking`: it looks through it beside another. */
export type MarkKind = 'opening' | 'young' | 'looking';

/** The number of a process may be that of the one before it, as in a container: each adds a byte. */
export interface Mark {
  /** It has gone well: what was left before does not count any more. */
  done(): void;
  /** It has not, and the process lives: as if it had not begun. */
  undone(): void;
}

/** Says that this process begins with it. */
export function leaveMark(directory: string, kind: MarkKind): Mark {
  const mark = join(directory, `${kind}-${process.pid}`);
  writeFileSync(mark, '.', { flag: 'a', mode: 0o600 });
  return {
    done: () => clearDead(directory, kind),
    undone: () => {
      const before = (statSync(mark, { throwIfNoEntry: false })?.size ?? 0) - 1;
      if (before > 0) truncateSync(mark, before);
      else rmSync(mark, { force: true });
    },
  };
}

/** How many processes have died in the middle of it since one did not. Several may be at it at once: those that live are of no account. */
export function deathsIn(directory: string, kind: MarkKind): number {
  const sizes = deadMarks(directory, kind).map((mark) => statSync(mark, { throwIfNoEntry: false })?.size ?? 0);
  return sizes.reduce((sum, size) => sum + size, 0);
}

/** Whether another process is in the middle of it. */
export function isUnderWay(directory: string, kind: MarkKind): boolean {
  return marks(directory, kind).some(({ pid }) => pid !== process.pid && isAlive(pid));
}

/** This process's own goes too. */
export function clearDead(directory: string, kind: MarkKind): void {
  for (const dead of deadMarks(directory, kind)) rmSync(dead, { force: true });
}

/** One of this process's own number is of an earlier process that had the same. */
function deadMarks(directory: string, kind: MarkKind): string[] {
  const dead = marks(directory, kind).filter(({ pid }) => pid === process.pid || !isAlive(pid));
  return dead.map(({ path }) => path);
}

function marks(directory: string, kind: MarkKind): { readonly path: string; readonly pid: number }[] {
  if (!existsSync(directory)) return [];
  return readdirSync(directory).flatMap((name) => {
    const [before, number] = name.split('-');
    const pid = before === kind && /^\d+$/.test(number ?? '') ? Number(number) : 0;
    return pid === 0 ? [] : [{ path: join(directory, name), pid }];
  });
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
