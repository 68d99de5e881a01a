// Goal: a reply that is put together as bytes is the one that its text would be. Method: replies of many kinds, packed and not, and sections at random from a seed, each written both ways.
import t, { type Test } from 'tap';
import { ONE_BUFFER_BYTES } from '../../lib/base/limits.js';
import { Slab } from '../../lib/base/slab.js';
import type { Reply } from '../../lib/engine/contract.js';
import { ReplyBytes } from '../../lib/front/reply-bytes.js';
import { plainHead } from '../../lib/front/reply-head.js';
import { Fields } from '../../lib/http/fields.js';

const BEHIND = ['Age', '12', 'Via', '1.1 patina', 'Cache-Status', 'patina; hit; ttl=-3; detail=fresh'];

function made(raw: readonly string[], more: Partial<Reply> = {}, isPacked = true, behind = BEHIND): Reply {
  const base = new Fields(raw);
  if (isPacked) base.pack(new Slab());
  return {
    status: 200,
    reasonPhrase: 'OK',
    fields: base.followedBy(behind),
    payload: bodyOf('hello ', 'there'),
    note: { outcome: 'HIT', reason: 'fresh', rule: 'defaults', ageSec: 12, collapsed: false },
    ...more,
  };
}

function bodyOf(...texts: string[]): Reply['payload'] {
  const chunks = texts.map((text) => Buffer.from(text, 'latin1'));
  return { kind: 'bytes', chunks, length: Buffer.concat(chunks).length };
}

function written(reply: Reply, isHead: boolean, debugHeader: string | undefined, isLast: boolean): string | undefined {
  return new ReplyBytes().of(reply, isHead, debugHeader, isLast)?.toString('latin1');
}

/** Writes one after the other, and knows what the one before said. */
const busy = new ReplyBytes();

/** As one text, by the common way; undefined where that refuses. */
function common(reply: Reply, isHead: boolean, debugHeader: string | undefined, isLast: boolean): string | undefined {
  const { payload, status } = reply;
  try {
    const head = plainHead(reply, isHead ? 'HEAD' : 'GET', debugHeader, isLast);
    if (isHead || status === 304 || payload.kind !== 'bytes') return head;
    return head + Buffer.concat(payload.chunks).toString('latin1');
  } catch {
    return undefined;
  }
}

/** Writes it in every way there is. Returns how often it was for here. */
function compare(t: Test, reply: Reply, name: string): number {
  let count = 0;
  for (const isHead of [false, true]) {
    for (const debugHeader of [undefined, 'CDN-Cache', 'x']) {
      for (const isLast of [false, true]) {
        const had = written(reply, isHead, debugHeader, isLast);
        const next = busy.of(reply, isHead, debugHeader, isLast)?.toString('latin1');
        const again = busy.of(reply, isHead, debugHeader, isLast)?.toString('latin1');
        t.same([next, again], [had, had], `${name}, by one that has written others`);
        if (had === undefined) continue;
        count++;
        t.equal(had, common(reply, isHead, debugHeader, isLast), `${name}, ${isHead}, ${debugHeader}, ${isLast}`);
      }
    }
  }
  return count;
}

const PLAIN = ['Date', 'Thu, 01 Jan 2026 00:00:00 GMT', 'ETag', '"v1"', 'X-Latin', 'caf\xe9', 'x-empty', ''];

t.test('decision 0016: what is written as bytes is what is written as text', async (t) => {
  const whole: Readonly<Record<string, Reply>> = {
    packed: made(PLAIN),
    'not packed': made(PLAIN, {}, false),
    'without fields': made([]),
    'without a body': made(PLAIN, { payload: bodyOf() }),
    'another status': made(PLAIN, { status: 404, reasonPhrase: 'Not Here' }),
    'no reason phrase': made(PLAIN, { reasonPhrase: '' }),
    'a debug header of a cache behind': made(['cdn-CACHE', 'MISS', ...PLAIN, 'CDN-Cache', 'HIT']),
    'a name of one letter': made([...PLAIN, 'x', 'y']),
    'names as long as those of framing': made(['Set-Cookie', 'a=b', 'X-Cache-Status', 'x', 'Xransfer-Encoding', 'y']),
  };
  for (const [name, reply] of Object.entries(whole)) t.equal(compare(t, reply, name), 6, name);
  const unchanged = { status: 304, reasonPhrase: 'Not Modified', payload: { kind: 'none' } } as const;
  t.equal(compare(t, made(PLAIN, unchanged), '304'), 12);
  const head = made(PLAIN, { payload: { kind: 'none' } }, true, [...BEHIND, 'Content-Length', '11']);
  t.equal(compare(t, head, 'HEAD'), 6, 'for HEAD alone');
  t.equal(compare(t, made(PLAIN, { payload: { kind: 'none' } }), 'HEAD of unknown length'), 6);
});

t.test('decision 0016: what takes more than to be copied is left to the common way', async (t) => {
  for (const name of ['Connection', 'keep-alive', 'CONTENT-LENGTH', 'Transfer-Encoding']) {
    for (const isPacked of [true, false])
      t.equal(written(made([name, '5'], {}, isPacked), false, undefined, false), undefined);
  }
  const unwritable: readonly (readonly [string, string])[] = [
    ['a b', 'c'],
    ['', 'c'],
    ['a', 'b\x00'],
    ['a', 'b\r'],
    ['a', 'b\x7f'],
    ['a', '\u0100'],
  ];
  for (const line of unwritable) {
    for (const isPacked of [true, false]) {
      t.equal(
        written(made([...line, 'Z', 'z'], {}, isPacked), false, undefined, false),
        undefined,
        JSON.stringify(line),
      );
    }
  }
  t.equal(written(made(PLAIN, { status: 204, reasonPhrase: 'No Content' }), false, undefined, false), undefined);
  t.equal(
    written({ ...made(PLAIN), fields: new Fields(PLAIN) }, false, undefined, false),
    undefined,
    'not of the store',
  );
  t.equal(
    written(made(PLAIN, { payload: bodyOf('x'.repeat(ONE_BUFFER_BYTES)) }), false, undefined, false)?.endsWith('xx'),
    true,
  );
  t.equal(
    written(made(PLAIN, { payload: bodyOf('x'.repeat(ONE_BUFFER_BYTES + 1)) }), false, undefined, false),
    undefined,
  );
  for (const isPacked of [true, false]) {
    const large = made(['X-Large', 'y'.repeat(30_000)], {}, isPacked);
    t.equal(written(large, false, undefined, false), undefined);
  }
});

t.test('decision 0016: at random, both ways say the same or one refuses what the other does', async (t) => {
  let seed = 20_261_128;
  const random = (below: number): number => {
    seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((seed / 2 ** 32) * below);
  };
  const text = (most: number, codes: readonly number[]): string =>
    String.fromCharCode(...Array.from({ length: random(most) }, () => codes[random(codes.length)] ?? 65));
  const names = [65, 97, 45, 95, 126, 33, 48];
  const values = [32, 9, 34, 44, 65, 97, 126, 128, 255];
  let count = 0;
  for (let i = 0; i < 3000; i++) {
    const raw: string[] = [];
    const isOdd = random(10) === 0;
    for (let lines = random(12); lines > 0; lines--) {
      raw.push(text(18, isOdd ? [...names, 32, 58] : names) || 'n', text(60, isOdd ? [...values, 0, 13, 127] : values));
    }
    const body = bodyOf(...Array.from({ length: random(3) }, () => text(2000, [0, 10, 65, 255])));
    count += compare(t, made(raw, { payload: body }, random(2) === 0), `seed step ${i}`);
  }
  t.ok(count > 10_000, `${count} were written as bytes`);
});

t.test('decision 0026: what is lent stays as it is, and what is not is written over', async (t) => {
  const bytes = new ReplyBytes();
  const first = bytes.of(made(PLAIN), false, undefined, false);
  const before = first?.toString('latin1');
  bytes.lend();
  const second = bytes.of(made(PLAIN, { payload: bodyOf('HELLO THERE') }), false, undefined, false);
  t.equal(first?.toString('latin1'), before);
  const third = bytes.of(made(PLAIN, { payload: bodyOf('other words') }), false, undefined, false);
  t.equal(second, third, 'a place of the same length');
  const joined = bytes.joined(Buffer.from('head '), [Buffer.from('a'), Buffer.from('b')], 2);
  t.equal(joined?.toString(), 'head ab');
  t.equal(bytes.joined(Buffer.alloc(10), [Buffer.alloc(ONE_BUFFER_BYTES + 1)], ONE_BUFFER_BYTES + 1), undefined);
});
