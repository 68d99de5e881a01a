// Goal: decision 0016, a part of a stored response that goes out by the short way is the one that handle() replies with. Method: fast-check makes responses and ranges; each is stored, awake or asleep, fresh or stale, and asked for both ways.
import fc from 'fast-check';
import t, { type Test } from 'tap';
import { ONE_BUFFER_BYTES, WRITE_AT_ONCE_BYTES } from '../../lib/base/limits.js';
import { readConfig } from '../../lib/config/load.js';
import type { Rule } from '../../lib/config/rule.js';
import { makeRules } from '../../lib/config/rules.js';
import type { BytesHeld } from '../../lib/engine/contract.js';
import { partIn } from '../../lib/front/field-memo.js';
import { ReplyBytes } from '../../lib/front/reply-bytes.js';
import { Fields } from '../../lib/http/fields.js';
import { sliceChunks } from '../../lib/object/slice.js';
import { anyRange } from '../kit/any-range.js';
import { type AnyShape, anyShape, commonBytes, storedOf } from '../kit/any-stored.js';
import { FakeClock } from '../kit/clock.js';
import { makeWalk, type Walk } from '../kit/walk.js';

const HOST = 'example.test';
const MODIFIED = 'Mon, 01 Dec 2025 00:00:00 GMT';
const VALIDATORS = [
  ['ETag', '"v1"'],
  ['Last-Modified', MODIFIED],
  ['Date', 'Thu, 01 Jan 2026 00:00:00 GMT'],
  // What goes out of these with the whole, and not with a part of it.
  ['Content-Digest', 'sha-256=:eA==:'],
  ['content-MD5', 'eA=='],
] as const;

const SIZES = [0, 0, 1, 60, 4096, 4097, ONE_BUFFER_BYTES, ONE_BUFFER_BYTES + 1, 65_536];
const chunk = fc
  .tuple(fc.constantFrom(...SIZES), fc.nat(255))
  .map(([length, first]) => Buffer.from(Uint8Array.from({ length }, (_, at) => (first + at * 7 + (at >> 8)) & 0xff)));

/** Most of what has ranges is found and has validators. */
const shape = fc
  .tuple(anyShape(fc.array(chunk, { maxLength: 3 }), 1), fc.nat(7), fc.subarray([...VALIDATORS]))
  .map(([made, kind, validators]): AnyShape => {
    const lines = [...made.lines, ...validators];
    return kind === 0
      ? { ...made, lines }
      : { ...made, lines: [['X-Plain', 'v'], ...validators], status: 200, reasonPhrase: 'OK' };
  });

const asked = fc.record({
  range: anyRange(SIZES),
  ifRange: fc.option(fc.constantFrom('"v1"', 'W/"v1"', '"other"', 'v1', MODIFIED, 'Mon, 01 Dec 2014 00:00:00 GMT'), {
    nil: undefined,
    freq: 3,
  }),
});
type Asked = typeof asked extends fc.Arbitrary<infer T> ? T : never;

function under(walk: Walk): Rule {
  const { engine } = walk;
  const rules = makeRules(readConfig({ origin: 'http://o' }));
  engine.reconfigure({ ...engine.parts.live, rules });
  const rule = rules.all.at(-1);
  if (rule === undefined) throw new Error('there is always a last rule');
  return rule;
}

/** Of what differs: to have the rest compared takes minutes. */
const SHOWN = 800;

const bytes = new ReplyBytes();

/** As the bytes that go out, in one piece or as a head and chunks; undefined where it takes its text. */
function heldText(held: BytesHeld, debugHeader: string | undefined, outcome: string): string | undefined {
  const piece = bytes.held(held, debugHeader, outcome);
  if (piece !== undefined || held.bodyBytes <= ONE_BUFFER_BYTES) return piece?.toString('latin1');
  const head = bytes.headOfHeld(held, debugHeader, outcome)?.toString('latin1');
  const { from, until } = held.part ?? { from: 0, until: held.bodyBytes };
  const chunks = sliceChunks(held.sight.chunks, from, until);
  return head === undefined ? undefined : head + Buffer.concat(chunks).toString('latin1');
}

/** Asks for one part by both ways. By which it went out: as it lies in memory, as bytes of a reply, or as its text. */
function compareOne(t: Test, walk: Walk, target: string, { range, ifRange }: Asked, name: string): string {
  const { engine, clock } = walk;
  const fields = { Range: range, ...(ifRange === undefined ? {} : { 'If-Range': ifRange }) };
  const part = partIn(Fields.of(fields));
  if (part === undefined) return 'no part';
  const ready = engine.ready(false, HOST, target, undefined, clock.now(), part);
  if (ready === undefined) return 'nothing';
  const { status, held, note } = ready;
  const told = [status, { ...note }, held?.bodyBytes];
  const pieces = [undefined, 'CDN-Cache'].map((debugHeader) => {
    if (held !== undefined) return heldText(held, debugHeader, note.outcome);
    return bytes.of(ready.reply, false, debugHeader, false)?.toString('latin1');
  });
  const own = ready.reply;
  const handled = walk.get(target, fields).replied;
  const length = handled?.payload.kind === 'bytes' ? handled.payload.length : -1;
  const wanted = [handled?.status, handled?.note, held === undefined ? undefined : length];
  t.strictSame(told, wanted, `${name}: what is told of it`);
  for (const [i, debugHeader] of [undefined, 'CDN-Cache'].entries()) {
    const common = commonBytes(handled, debugHeader);
    for (const had of [commonBytes(own, debugHeader), pieces[i] ?? common])
      if (had !== common) t.fail(`${name}: ${had?.slice(0, SHOWN)} is not ${common?.slice(0, SHOWN)}`);
  }
  const way = pieces[0] === undefined ? 'as text' : length > ONE_BUFFER_BYTES ? 'in chunks' : 'as bytes';
  return `${status} ${held === undefined ? 'made' : 'held'} ${way}`;
}

/** What must have come up: of fresh responses, and of all. */
const WAYS = {
  held: ['206 held as bytes', '206 held in chunks', '200 held as bytes', '200 held in chunks'],
  made: ['206 made as bytes', '416 made as bytes', '200 made as bytes'],
};

t.test('RFC 9110 §14: whatever is stored and asked for, a part is the one that handle() gives', async (t) => {
  const all = fc.sample(fc.tuple(shape, fc.array(asked, { minLength: 3, maxLength: 3 })), 250);
  for (const awakeCount of [1, 100_000]) {
    const counts = new Map<string, number>();
    const cameUp = (ways: readonly string[]): void => {
      for (const way of ways) t.ok((counts.get(way) ?? 0) > 0, `${awakeCount}: ${way}`);
    };
    for (const aheadMs of [12_345, 61_000]) {
      const walk = makeWalk({ clock: new FakeClock(), awakeCount, budgetBytes: 256 * 1024 * 1024 });
      const rule = under(walk);
      const { store } = walk.engine.parts;
      for (const [at, [one]] of all.entries())
        t.ok(store.put(storedOf(one, `http://${HOST}/${at}`, walk.clock.now(), rule)));
      walk.clock.advance(aheadMs);
      for (const [at, [one, wanted]] of all.entries()) {
        for (const each of wanted) {
          const how = compareOne(t, walk, `/${at}`, each, `${JSON.stringify(each)} of ${JSON.stringify(one.lines)}`);
          counts.set(how, (counts.get(how) ?? 0) + 1);
        }
      }
      if (aheadMs < 60_000) cameUp(WAYS.held);
      walk.engine.close();
    }
    // Of what is fresh few are made: by chance none of them may be a 206.
    cameUp(WAYS.made);
  }
});

t.test(
  'limits: of what is too large to be written at once a part goes out so, and what is not sent is no use',
  async (t) => {
    const length = WRITE_AT_ONCE_BYTES + 10;
    for (const awakeCount of [1, 100]) {
      const walk = makeWalk({ awakeCount, budgetBytes: 64 * 1024 * 1024 });
      const { engine, clock } = walk;
      under(walk);
      for (const target of ['/a', '/b', '/c']) {
        walk.get(target);
        walk.origin.last.respond(200, { 'Cache-Control': 'max-age=60', ETag: '"v1"' }, Buffer.alloc(length, 'abc'));
      }
      const ask = (fields: Readonly<Record<string, string>>) =>
        engine.ready(false, HOST, '/a', undefined, clock.now(), partIn(Fields.of(fields)));
      const hits = () => {
        const [stored] = engine.parts.store.known(`http://${HOST}/a`);
        return stored === undefined ? undefined : engine.parts.store.usage(stored)?.hits;
      };
      t.equal(ask({}), undefined, 'the whole is written piece by piece');
      t.equal(ask({ Range: 'bytes=0-0', 'If-Range': '"v2"' }), undefined);
      t.equal(ask({ Range: 'bytes=1-' }), undefined);
      t.equal(hits(), 0);
      const part = ask({ Range: 'bytes=-3', 'If-Range': '"v1"' });
      t.equal(part?.held?.bodyBytes, 3);
      t.equal(part?.reply.fields.get('content-range'), `bytes ${length - 3}-${length - 1}/${length}`);
      t.equal(hits(), 1);
      engine.close();
    }
  },
);

t.test('RFC 9110 §13.2.2, §14.2: beside a condition a range takes more, and to HEAD it says nothing', async (t) => {
  const walk = makeWalk();
  under(walk);
  walk.get('/a');
  walk.origin.last.respond(200, { 'Cache-Control': 'max-age=60', ETag: '"v1"' }, 'body');
  const part = partIn(Fields.of({ Range: 'bytes=0-0' }));
  const ask = (isHead: boolean, condition?: string) =>
    walk.engine.ready(isHead, HOST, '/a', condition, walk.clock.now(), part)?.status;
  t.equal(ask(false), 206);
  t.equal(ask(false, '"v1"'), undefined);
  t.equal(ask(true), 200);
  t.equal(ask(true, '"v1"'), undefined);
  walk.engine.close();
});
