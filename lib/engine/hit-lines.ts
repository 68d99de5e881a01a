/** What hits say behind the fields that are stored, made once for each reason. */
import { formatCacheStatus } from '../http/cache-status.js';
import type { HitLines, ReplyNote } from './contract.js';

/** RFC 9211 §2.4: before its value, here of one digit. */
const TTL = 'ttl=';

export class LinesOfHits {
  #via = '';
  readonly #known = new Map<string, HitLines>();
  #lastReason: string | undefined;
  #last!: HitLines;

  /** `reason`: one of a closed list. `via`: our member of Via. */
  for(reason: string, via: string): HitLines {
    if (reason === this.#lastReason && via === this.#via) return this.#last;
    if (via !== this.#via) this.#known.clear();
    this.#via = via;
    let lines = this.#known.get(reason);
    if (lines === undefined) {
      const status = formatCacheStatus({ kind: 'hit', ttlSec: 0, detail: reason });
      const ttlAt = status.indexOf(TTL) + TTL.length;
      lines = { via, beforeTtl: status.slice(0, ttlAt), behindTtl: status.slice(ttlAt + 1) };
      this.#known.set(reason, lines);
    }
    this.#lastReason = reason;
    this.#last = lines;
    return lines;
  }
}

/** The note of one reply after another. */
export class HitNote implements ReplyNote {
  readonly outcome = 'HIT';
  readonly collapsed = false;
  reason = '';
  rule = '';
  ageSec = 0;
}
