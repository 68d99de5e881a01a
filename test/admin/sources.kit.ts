/** Sources for an admin listener without a proxy: an engine that nobody asks. */
import { createLastRefreshes } from '../../lib/admin/last-refresh.js';
import { answerObjects } from '../../lib/admin/objects.js';
import type { AdminSources } from '../../lib/admin/routes.js';
import { SILENT } from '../../lib/observe/events.js';
import { makeWalk } from '../kit/walk.js';

export function makeSources(sources: Partial<AdminSources> = {}): AdminSources {
  const { clock, engine } = makeWalk();
  return {
    health: () => ({ version: '1.2.3' }),
    ready: () => ({ ready: true, reasons: [] }),
    metrics: async () => ({ contentType: 'text/plain; version=0.0.4; charset=utf-8', body: 'patina_objects 3\n' }),
    token: () => undefined,
    objects: (query) =>
      answerObjects(
        {
          clock,
          store: engine.parts.store,
          lastRefreshes: createLastRefreshes(clock),
          keysOf: (url) => engine.purging.keysOf(url),
          explain: (request) => engine.explain(request),
        },
        query,
      ),
    operations: { clock, events: SILENT, operations: engine.operations },
    config: () => ({}),
    reload: async () => ({ changed: [] }),
    warm: () => 0,
    drain: () => {},
    ...sources,
  };
}
