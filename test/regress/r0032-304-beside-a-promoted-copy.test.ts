// Goal: RFC 9111 §4.3.4, a 304 freshens what is served, also where memory got a copy of it from disk meanwhile.
// Method: a response that is on disk alone, found by a refresh and, while that is under way, by a client: it comes up as bytes, which know it again by what it says, or, with tags, as an object.
import t from 'tap';
import { Fields } from '../../lib/http/fields.js';
import type { StoredResponse } from '../../lib/object/stored.js';
import { setUp } from '../store/disk-walk.kit.js';
import { freshened } from '../store/make-stored.js';

const KEY = 'http://a.test/';
const APART = 3073;

for (const [title, bodyBytes, tags] of [
  ['beside its record', 100, undefined],
  ['in pages of its own', APART, undefined],
  ['of a response with tags', 100, ['x']],
] as const) {
  t.test(`RFC 9111 §4.3.4: a late 304 replaces the copy in memory of a body ${title}`, async (t) => {
    const { bench, clock, make } = setUp(t);
    bench.store.put({ ...make({ bodyBytes }), tags });
    const again = await bench.reopened();
    const { store } = again;
    const [begun] = store.known(KEY);
    if (begun === undefined) throw new Error('it is not on disk');
    const choose = ([first]: readonly StoredResponse[]): StoredResponse | undefined => first;
    const promoted = store.recall(KEY, choose);
    t.not(promoted, undefined);
    t.equal(store.peek(KEY)?.length, 1, 'memory has it, be it as bytes');
    clock.advance(10);
    const next = freshened(begun, clock.now(), Fields.of({ ETag: '"2"' }));
    t.ok(store.swap(begun, next));
    t.same(
      store.known(KEY).map(({ fields }) => fields.first('etag')),
      ['"2"'],
    );
    t.equal(store.recall(KEY, choose)?.fields.first('etag') ?? store.peek(KEY)?.[0]?.fields.first('etag'), '"2"');
    await again.tier.settled();
    t.same(
      (await again.reopened()).store.known(KEY).map(({ fields }) => fields.first('etag')),
      ['"2"'],
      'and it is on disk',
    );
  });
}
