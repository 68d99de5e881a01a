/** What of a reload waits for the next start is said when it comes into force. */
import type { Config } from '../config/schema.js';
import type { Events } from '../observe/events.js';

export function noteNextStart(events: Events, before: Config, next: Config): void {
  const [old, now] = [before.cache.disk, next.cache.disk];
  if (old.path !== now.path || old.sizeBytes !== now.sizeBytes) {
    events.notice('warn', 'disk-at-next-start', 'cache.disk has changed: that takes effect at the next start.');
  }
  if (before.workers !== next.workers) {
    events.notice('warn', 'workers-at-next-start', 'workers has changed: that takes effect at the next start.');
  }
}
