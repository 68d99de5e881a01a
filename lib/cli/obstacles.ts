/**
 * What of the machine around a valid configuration keeps a proxy from starting: problems to `patina check`, as they are to
 * `patina run`. What it would start without, or in spite of, is a warning; an address can be free a moment later, or be
 * that of the proxy which runs, and is seen by taking it alone.
 */
import type { LoadedConfig } from '../config/load.js';
import { TOKEN_VARIABLE, tokenProblem } from '../config/token.js';
import { diskPathProblem } from '../store/disk-place.js';

/** Each with its place in the file or on the command line. `token`: that of the environment. */
export function obstaclesOf({ settings, placeOf }: LoadedConfig, token: string | undefined): readonly string[] {
  const found: string[] = [];
  const { path } = settings.cache.disk;
  const problem = path === undefined ? undefined : diskPathProblem(path);
  if (problem?.kind === 'foreign') {
    found.push(`${placeOf(['cache', 'disk', 'path']).prefix}cache.disk.path: ${problem.sentence}`);
  }
  // A file that is named has been read already, and counts in place of it.
  if (settings.admin.tokenFile === undefined && token !== undefined && token !== '') {
    const flaw = tokenProblem(token);
    if (flaw !== undefined) found.push(`${TOKEN_VARIABLE}: ${flaw}`);
  }
  return found;
}
