/**
 * Whether what is stored for a URL is to be asked about, because its sitemap says that the page was changed. Pure.
 *
 * What decides is whether the origin was asked after the change. A lastmod is a span: of one that names a day nobody knows
 * whether the page was changed again after we asked, so the origin is asked again while the span lasts, ever so often and
 * no more, and once when it is over. What names an instant is asked about once.
 */
import { LASTMOD_LOOKS_MAX } from '../base/warm-limits.js';
import type { Lastmod } from './contract.js';

/** What warming remembers of a URL. All on the wall clock. */
export interface Acted {
  /** Beginning of the lastmod that was seen last. */
  readonly from: number;
  /** When the origin was last asked because of one; minus infinity: never. */
  readonly at: number;
}

export function isDue(lastmod: Lastmod, storedAskedAt: number, acted: Acted | undefined, now: number): boolean {
  const askedAt = Math.max(storedAskedAt, acted?.at ?? Number.NEGATIVE_INFINITY);
  // Whatever the clocks say, the origin says that there was a change since we last heard of one.
  if (acted !== undefined && lastmod.from > acted.from) return true;
  if (lastmod.until <= askedAt) return false;
  // A date to come is of a clock that is ahead, or a mistake: once, and again when it has come.
  if (lastmod.from > now) return acted === undefined;
  if (lastmod.from > askedAt || acted === undefined) return true;
  return now >= lastmod.until || now - askedAt >= (lastmod.until - lastmod.from) / LASTMOD_LOOKS_MAX;
}
