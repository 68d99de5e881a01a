// Goal: issue 5, a walk below memory leaves out nothing that was there when it began, however far the disk is behind. Method: walks in small pieces, with what waits written between two of them.
import t from 'tap';
import type { BelowReach } from '../../lib/store/contract.js';
import { setUp, type Walk } from './disk-walk.kit.js';

const UNDER = 'http://a.test/';

/** Keys in the order in which a walk shows them; `between` runs behind its first piece. */
async function walked({ bench }: Walk, reach: BelowReach, between: () => unknown): Promise<string[]> {
  const keys: string[] = [];
  let after: string | undefined;
  let pieces = 0;
  do {
    after = bench.store.scanBelow(reach, after, 4, ({ key }) => keys.push(key));
    if (pieces++ === 0) await between();
  } while (after !== undefined);
  return keys;
}

/** On disk alone, with a tag. */
function put({ bench, make }: Walk, key: string): void {
  bench.tier.put({ ...make({ key }), tags: ['all'] });
}

/** So many of them, written. */
async function filled(walk: Walk, count: number): Promise<string[]> {
  const keys = Array.from({ length: count }, (_, at) => `${UNDER}${at}`);
  for (const key of keys) put(walk, key);
  await walk.bench.tier.settled();
  return keys;
}

const REACHES: readonly BelowReach[] = [
  { kind: 'prefix', prefix: UNDER },
  { kind: 'tag', tag: 'all' },
];

for (const reach of REACHES) {
  t.test(
    `issue 5: what waits when a walk by ${reach.kind} begins is shown, though it is written meanwhile`,
    async (t) => {
      const walk = setUp(t);
      const keys = await filled(walk, 9);
      // In front of the others, and in place of one of them.
      const early = [`${UNDER}!`, `${UNDER}1`];
      for (const key of early) put(walk, key);
      const shown = await walked(walk, reach, () => walk.bench.tier.settled());
      t.same([...shown].sort(), [...new Set([...keys, ...early])].sort());
    },
  );

  t.test(`issue 5: what waits throughout a walk by ${reach.kind} is shown once`, async (t) => {
    const walk = setUp(t);
    const keys = await filled(walk, 9);
    const waiting = ['!', '1', '35', '9z'].map((end) => `${UNDER}${end}`);
    for (const key of waiting) put(walk, key);
    const shown = await walked(walk, reach, () => {});
    t.same([...shown].sort(), [...new Set([...keys, ...waiting])].sort());
  });
}
