/** What the machine says of the path of a disk tier, and is no obstacle: as it is told when a proxy starts. */
import { existsSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import type { Warning } from '../config/lint.js';
import { DEVICE } from '../store/disk-growth.js';
import { lockRemark } from '../store/disk-lock.js';
import { diskPathProblem } from '../store/disk-place.js';

const PATH = ['cache', 'disk', 'path'] as const;

/** Of a `path` that is configured. Changes nothing. */
export function diskWarnings(path: string | undefined, device = DEVICE): readonly Warning[] {
  if (path === undefined) return [];
  const problem = diskPathProblem(path);
  if (problem?.kind === 'foreign') return [];
  if (problem !== undefined) {
    return [{ code: 'disk-path', path: PATH, sentence: `${problem.sentence}: it starts without a disk tier` }];
  }
  const remark = lockRemark(nearest(resolve(path)), device);
  return remark === undefined ? [] : [{ code: remark.code, path: PATH, sentence: remark.sentence.replace(/\.$/, '') }];
}

/** The path, or what it is to be made in. */
function nearest(path: string): string {
  return existsSync(path) ? path : nearest(dirname(path));
}
