// Goal: every store keeps the contract of lib/store/contract.ts, whatever lies below memory. Method: the same claims over memory, over memory with a disk, and over what only the disk has any more; then any order of calls beside a plain model.
import fc from 'fast-check';
import t, { type Test } from 'tap';
import { Fields } from '../../lib/http/fields.js';
import { Body } from '../../lib/object/body.js';
import type { StoredResponse } from '../../lib/object/stored.js';
import { SILENT } from '../../lib/observe/events.js';
import type { Store } from '../../lib/store/contract.js';
import { LateStore } from '../../lib/store/late.js';
import { createMemoryStore } from '../../lib/store/memory.js';
import { FakeClock } from '../kit/clock.js';
import { type DiskBench, openDisk } from '../kit/disk.js';
import { freshened, makeStored, type StoredShape } from './make-stored.js';

const KB = 1024;
const START = Date.UTC(2026, 0, 1);

interface Bench {
  readonly clock: FakeClock;
  readonly store: Store;
  make(shape?: Partial<StoredShape>): StoredResponse;
  /** What was done is as it will be found later. */
  rest(): Promise<void>;
}

let made = 0;

/** A response that no other is like. */
function makeOther(clock: FakeClock, shape: Partial<StoredShape> = {}): StoredResponse {
  const name = `"${made++}"`;
  const body = Body.of([Buffer.alloc(shape.bodyBytes ?? 100, name)]);
  return makeStored({ bornAt: clock.now(), body, fields: Fields.of({ ETag: name }), ...shape });
}

function benchOf(clock: FakeClock, store: Store, rest: () => Promise<void>): Bench {
  return { clock, store, make: (shape) => makeOther(clock, shape), rest };
}

const STORES: Readonly<Record<string, (t: Test) => Bench>> = {
  memory: () => {
    const clock = new FakeClock(START);
    return benchOf(clock, createMemoryStore({ budgetBytes: 100 * KB, clock, events: SILENT }), async () => {});
  },
  'memory that has one key as objects': () => {
    const clock = new FakeClock(START);
    return benchOf(
      clock,
      createMemoryStore({ budgetBytes: 100 * KB, clock, events: SILENT, awakeCount: 1 }),
      async () => {},
    );
  },
  'memory over a disk': (t) => {
    const clock = new FakeClock(START);
    const disk = openDisk(t, { clock, memoryBytes: 100 * KB });
    return benchOf(clock, disk.store, async () => void (await disk.tier.settled()));
  },
  'a disk below a memory that has evicted all': (t) => {
    const clock = new FakeClock(START);
    const disk = openDisk(t, { clock, memoryBytes: 100 * KB });
    return benchOf(clock, disk.store, async () => {
      await disk.tier.settled();
      evictAll(disk);
    });
  },
  'memory to which a disk came late': (t) => {
    const clock = new FakeClock(START);
    const disk = openDisk(t, { clock, memoryBytes: 100 * KB });
    const late = new LateStore(disk.memory, clock);
    let isIn = false;
    return benchOf(clock, late, async () => {
      if (!isIn) await late.adopt(disk.tier);
      isIn = true;
      await disk.tier.settled();
      evictAll(disk);
    });
  },
};

function evictAll({ memory }: DiskBench): void {
  memory.scan(0, Number.MAX_SAFE_INTEGER, (stored) => memory.remove(stored, 'evicted'));
}

/** The entity-tags of what is stored under a key, newest first. */
function tagsOf(store: Store, key: string): (string | undefined)[] {
  return store.known(key).map(({ fields }) => fields.get('etag'));
}

const tagOf = ({ fields }: StoredResponse): string | undefined => fields.get('etag');

for (const [name, open] of Object.entries(STORES)) {
  const claim = (title: string, run: (t: Test, bench: Bench) => Promise<void>): void => {
    t.test(`${name}: ${title}`, (t) => run(t, open(t)));
  };

  claim('a response that was put is found under its key alone', async (t, { store, make, rest }) => {
    const stored = make({ key: 'http://a.test/page', bodyBytes: 5000 });
    t.ok(store.put(stored));
    await rest();
    t.same(tagsOf(store, 'http://a.test/page'), [tagOf(stored)]);
    t.ok(store.holds(stored));
    t.same(store.known('http://a.test/other'), []);
    t.same(store.known('http://a.test/pag'), []);
  });

  claim('keys that an object has of its own are keys like any other', async (t, { store, make, rest }) => {
    for (const key of ['__proto__', 'constructor', 'toString', '1']) {
      t.same(store.known(key), [], `nothing is under ${key} at first`);
      const stored = make({ key });
      t.ok(store.put(stored));
      await rest();
      t.same(tagsOf(store, key), [tagOf(stored)]);
      t.equal(store.removeKey(key, 'purged'), 1);
      await rest();
      t.same(store.known(key), []);
    }
  });

  claim('a body that is not complete is never stored', async (t, { store, make, rest }) => {
    const body = new Body({ mode: 'retain', highWaterBytes: KB });
    t.notOk(store.put(make({ body })));
    body.fail();
    t.notOk(store.put(make({ body })));
    await rest();
    t.same(store.known(make().key), []);
  });

  claim('RFC 9111 §4.1: different selections stand side by side', async (t, { clock, store, make, rest }) => {
    const english = make({ language: 'en' });
    store.put(english);
    clock.advance(1);
    const german = make({ language: 'de' });
    store.put(german);
    await rest();
    t.same(tagsOf(store, german.key), [german, english].map(tagOf), 'newest first');
    t.equal(store.removeKey(german.key, 'purged'), 2);
  });

  claim('a response with the selection of another replaces that one', async (t, { store, make, rest }) => {
    const [first, second, other] = [make({ language: 'en' }), make({ language: 'en' }), make({ language: 'de' })];
    store.put(first);
    store.put(other);
    await rest();
    store.put(second);
    await rest();
    t.same(tagsOf(store, first.key).sort(), [second, other].map(tagOf).sort());
    t.notOk(store.holds(first));
  });

  claim('what a put replaces goes in the same step, whatever its selection', async (t, { store, make, rest }) => {
    const old = make({ language: 'en' });
    store.put(old);
    await rest();
    const next = make();
    t.ok(store.put(next, old));
    t.same(tagsOf(store, next.key), [tagOf(next)]);
    await rest();
    t.same(tagsOf(store, next.key), [tagOf(next)]);
    t.ok(store.put(make(), old), 'one that is gone already hinders nothing');
  });

  claim(
    'RFC 9111 §4.3.4: a freshened record takes the place of the old one',
    async (t, { clock, store, make, rest }) => {
      const old = make({ bodyBytes: 3000 });
      store.put(old);
      await rest();
      clock.advance(5000);
      const next = freshened(old, clock.now(), Fields.of({ ETag: '"next"' }));
      t.ok(store.swap(old, next));
      await rest();
      t.same(tagsOf(store, old.key), ['"next"']);
      t.equal(store.known(old.key)[0]?.life.bornAt, clock.now());
      t.notOk(store.swap(old, freshened(old, clock.now())), 'only where it is what is stored');
      t.ok(store.holds(next));
    },
  );

  claim('DESIGN 2: a purge or an update in the meantime wins over a 304', async (t, { store, make, rest }) => {
    const [purged, updated] = [make({ key: 'http://a.test/1' }), make({ key: 'http://a.test/2' })];
    for (const stored of [purged, updated]) store.put(stored);
    await rest();
    t.ok(store.remove(purged, 'purged'));
    const update = make({ key: updated.key });
    store.put(update);
    for (const stored of [purged, updated]) t.notOk(store.swap(stored, freshened(stored, stored.fetchedAt + 1)));
    await rest();
    t.same(store.known(purged.key), []);
    t.same(tagsOf(store, updated.key), [tagOf(update)]);
    t.notOk(store.remove(purged, 'purged'), 'it is taken out once');
  });

  claim('a list that known() gave may be walked while its responses are removed', async (t, { store, make, rest }) => {
    for (const language of ['de', 'en', 'fr']) store.put(make({ language }));
    await rest();
    let count = 0;
    for (const stored of store.known(make().key)) if (store.remove(stored, 'purged')) count++;
    t.equal(count, 3);
    t.same(store.known(make().key), []);
  });

  claim('a reservation never exceeds the budget, and is given back', async (t, { store }) => {
    t.notOk(store.reserve(101 * KB));
    t.ok(store.reserve(40 * KB));
    t.equal(store.stats.reservedBytes, 40 * KB);
    store.release(40 * KB);
    t.equal(store.stats.reservedBytes, 0);
  });

  claim('a closed store takes nothing more', async (t, { store, make }) => {
    await store.close();
    t.notOk(store.put(make()));
    t.notOk(store.reserve(1));
  });
}

const KEYS = 6;
const LANGUAGES = 4;

type Step =
  | { readonly do: 'put'; key: number; language: number; bytes: number; replaces: boolean }
  | { readonly do: 'swap' | 'remove' | 'recall'; pick: number }
  | { readonly do: 'removeKey'; key: number }
  | { readonly do: 'settle' | 'evict' | 'restart' };

const key = fc.nat(KEYS - 1);
const pick = fc.nat(1000);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('put' as const),
      key,
      language: fc.nat(LANGUAGES - 1),
      bytes: fc.nat(9000),
      replaces: fc.boolean(),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({ do: fc.constantFrom('swap' as const, 'remove' as const, 'recall' as const), pick }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('removeKey' as const), key }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('settle' as const, 'evict' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('restart' as const) }) },
);

/** Memory too small for all, over a disk that has room, beside what has to be there: one tag for each key and language. */
class Walk {
  readonly clock = new FakeClock(START);
  readonly model = new Map<string, string>();
  readonly bodies = new Map<string, Buffer>();
  seen: StoredResponse[] = [];
  disk: DiskBench;

  constructor(t: Test) {
    this.disk = openDisk(t, { clock: this.clock, memoryBytes: 40 * KB });
  }

  async take(step: Step): Promise<void> {
    this.clock.advance(1);
    const { store } = this.disk;
    switch (step.do) {
      case 'put':
        this.#put(step);
        return;
      case 'settle':
        await this.disk.tier.settled();
        return;
      case 'evict':
        evictAll(this.disk);
        return;
      case 'restart':
        this.disk = await this.disk.reopened();
        this.seen = [];
        return;
      case 'removeKey': {
        const places = [...this.model.keys()].filter((place) => place.startsWith(`k${step.key} `));
        if (store.removeKey(`k${step.key}`, 'purged') !== places.length) throw new Error('removeKey() miscounts');
        for (const place of places) this.model.delete(place);
        return;
      }
      default: {
        const all = [...this.seen, ...Array.from({ length: KEYS }, (_, at) => store.known(`k${at}`)).flat()];
        const picked = all[step.pick % Math.max(1, all.length)];
        if (picked !== undefined) this.#do(step.do, picked);
      }
    }
  }

  #put({ key, language, bytes, replaces }: Step & { readonly do: 'put' }): void {
    const { store } = this.disk;
    const stored = makeOther(this.clock, { key: `k${key}`, language: `${language}`, bodyBytes: bytes });
    const old = replaces ? store.known(stored.key)[0] : undefined;
    if (!store.put(stored, old)) throw new Error('there is room on disk');
    if (old !== undefined) this.model.delete(placeOf(old));
    this.#is(stored);
  }

  #is(stored: StoredResponse): void {
    const tag = tagOf(stored) ?? '';
    this.model.set(placeOf(stored), tag);
    this.bodies.set(tag, Buffer.concat(stored.body.wholeChunks ?? []));
    this.seen.push(stored);
  }

  #do(what: 'swap' | 'remove' | 'recall', picked: StoredResponse): void {
    const { store } = this.disk;
    const isStored = this.model.get(placeOf(picked)) === tagOf(picked);
    if (what === 'remove') {
      if (store.remove(picked, 'purged') && !isStored) throw new Error('what was not stored was removed');
      if (isStored) {
        // It may have been another form of the same; then that one goes by its own name.
        for (const one of store.known(picked.key)) if (placeOf(one) === placeOf(picked)) store.remove(one, 'purged');
        this.model.delete(placeOf(picked));
      }
    } else if (what === 'swap') {
      const next = freshened(picked, this.clock.now(), Fields.of({ ETag: `"${made++}"` }));
      if (!store.swap(picked, next)) return;
      if (!isStored) throw new Error('a late 304 brought back what was not stored any more');
      const body = this.bodies.get(tagOf(picked) ?? '');
      this.model.set(placeOf(next), tagOf(next) ?? '');
      if (body !== undefined) this.bodies.set(tagOf(next) ?? '', body);
      this.seen.push(next);
    } else {
      const found = store.recall(picked.key, ([first]) => first);
      if (found === undefined) return;
      const tag = tagOf(found) ?? '';
      if (this.model.get(placeOf(found)) !== tag) throw new Error('what was recalled is not what is stored');
      const bytes = Buffer.concat(found.body.wholeChunks ?? []);
      if (!bytes.equals(this.bodies.get(tag) ?? Buffer.of(1))) throw new Error('what was recalled has another body');
      this.seen.push(found);
    }
  }

  check(): void {
    const { store } = this.disk;
    const found = new Map<string, string>();
    for (let at = 0; at < KEYS; at++) {
      for (const stored of store.known(`k${at}`)) {
        if (found.has(placeOf(stored))) throw new Error('one selection is there twice');
        found.set(placeOf(stored), tagOf(stored) ?? '');
      }
    }
    const [is, should] = [found, this.model].map((map) => JSON.stringify([...map].sort()));
    if (is !== should) throw new Error(`there is ${is}, and should be ${should}`);
    const { bytes, reservedBytes, budgetBytes } = store.stats;
    if (bytes + reservedBytes > budgetBytes) throw new Error('the budget of memory is exceeded');
  }
}

function placeOf({ key, selection }: StoredResponse): string {
  return `${key} ${selection.values[0]}`;
}

t.test('memory over a disk: whatever the order, what was put last is there, and what was purged is not', async (t) => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
      const walk = new Walk(t);
      for (const one of steps) {
        await walk.take(one);
        walk.check();
      }
      walk.disk = await walk.disk.reopened();
      walk.check();
    }),
    { numRuns: 40 },
  );
});
