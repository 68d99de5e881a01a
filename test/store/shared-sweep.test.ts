// Goal: issue 5, of what a push takes the place of nothing is left in the tier that machines share, and the push itself stays, as does what is newer or was pushed for others. Method: a table that holds the records of one name.
import t from 'tap';
import type { StoredResponse } from '../../lib/object/stored.js';
import type { SharedTable } from '../../lib/store/shared-contract.js';
import type { SharedGuard } from '../../lib/store/shared-guard.js';
import type { SharedOp } from '../../lib/store/shared-ops.js';
import { encodeShared, nameOf, variantOf } from '../../lib/store/shared-record.js';
import { hasFetched, sweepShared } from '../../lib/store/shared-sweep.js';
import { makeStored } from './make-stored.js';

const KEY = 'http://a.test/a';
const PUSHED_AT = 1_000_000;

const GUARD = {
  background: async (work: () => Promise<unknown>) => ({ value: await work() }),
} as unknown as SharedGuard;

type Shape = readonly [language: string, pushed: boolean, askedAt: number];

function recordOf([language, pushed, askedAt]: Shape): readonly [variant: string, record: Buffer] {
  const made = makeStored({ key: KEY, language, bornAt: askedAt, bodyBytes: 5 });
  const stored: StoredResponse = { ...made, requestedAt: askedAt, ...(pushed && { pushed }) };
  const place = { id: 'x'.repeat(22), bytes: 5, until: askedAt + 60_000 };
  return [variantOf(stored.selection), encodeShared(stored, place, 0)];
}

/** A table with these records alone; and what is left of them. */
function tableOf(shapes: readonly Shape[]) {
  let records = shapes.map(recordOf);
  const table = {
    records: async (name: string) => (name === nameOf(KEY) ? records : []),
    drop: async (_name: string, _variant: string, record: Buffer) => {
      const before = records.length;
      records = records.filter(([, own]) => own !== record);
      return records.length < before;
    },
  } as unknown as SharedTable;
  const isLeft = (shape: Shape): boolean => records.some(([, own]) => own.equals(recordOf(shape)[1]));
  return { table, isLeft };
}

const reach = { kind: 'keys', keys: [KEY], but: 'pushed' } as const;
const earlier = { key: KEY, selection: { names: ['accept-language'], values: ['de'] } };
const op = (more: Partial<SharedOp>): SharedOp => ({ effect: 'purge', reach, at: PUSHED_AT, by: 'x', ...more });

t.test('issue 5: a push that cannot be shared takes out what is older, and nothing that is as new', async (t) => {
  const rows: readonly (readonly [shape: Shape, isLeft: boolean, what: string])[] = [
    [['de', false, PUSHED_AT], false, 'what the origin had sent'],
    [['fr', false, PUSHED_AT - 1], false, 'what it had sent for others'],
    [['fr', false, PUSHED_AT + 1], true, 'what it was asked for since'],
    [['de', true, PUSHED_AT - 20], false, 'what was pushed there before'],
    [['de', true, PUSHED_AT], true, 'the very push, where it came to be shared late'],
    [['fr', true, PUSHED_AT - 20], true, 'what was pushed for others'],
  ];
  for (const [shape, isLeft, what] of rows) {
    const held = tableOf([shape]);
    await sweepShared(held.table, GUARD, op({ reach: { ...reach, earlier }, since: PUSHED_AT - 20 }));
    t.equal(held.isLeft(shape), isLeft, what);
  }
});

t.test('issue 5: one that is shared leaves whatever was pushed, of which the log need not be told', async (t) => {
  const shapes: readonly Shape[] = [
    ['de', true, PUSHED_AT - 20],
    ['fr', false, PUSHED_AT],
    ['en', false, PUSHED_AT + 1],
  ];
  const held = tableOf(shapes);
  t.equal(await hasFetched(held.table, GUARD, KEY, PUSHED_AT), true);
  await sweepShared(held.table, GUARD, op({}));
  t.same(shapes.map(held.isLeft), [true, false, true]);
  t.equal(await hasFetched(held.table, GUARD, KEY, PUSHED_AT), false);
});
