// Goal: what is packed in slabs stays byte for byte what it was, and slabs give back what is gone. Method: fast-check drives the packing beside a plain model; hand-made cases.
import fc from 'fast-check';
import t from 'tap';
import { PACK_WASTE_BYTES, PACK_WASTE_SHARE } from '../../lib/base/limits.js';
import { MAX_IN_SLAB_BYTES, SLAB_BYTES } from '../../lib/base/slab.js';
import { Fields } from '../../lib/http/fields.js';
import { Body } from '../../lib/object/body.js';
import type { StoredResponse } from '../../lib/object/stored.js';
import { Packing } from '../../lib/store/packing.js';
import { Slots } from '../../lib/store/slots.js';
import { makeStored } from './make-stored.js';

let serial = 0;

/** A body that is told from all others. */
function someBytes(length: number): Buffer {
  const bytes = Buffer.alloc(length, ++serial & 0xff);
  bytes.write(String(serial));
  return bytes;
}

interface Known {
  stored: StoredResponse;
  readonly body: string;
  raw: readonly string[];
}

class Walk {
  readonly slots = new Slots<StoredResponse>();
  readonly packing = new Packing(this.slots);
  readonly held = new Map<number, Known>();

  put(body: Body, raw: readonly string[]): number {
    const stored = makeStored({ bornAt: 0, body, fields: new Fields([...raw]) });
    const known = { stored, body: textOf(body), raw };
    const slot = this.slots.take(stored, 0, 0);
    this.packing.put(slot, stored);
    this.held.set(slot, known);
    return slot;
  }

  /** A body of bytes that are good for a moment only; without fields it is put nowhere. */
  lay(length: number, raw: readonly string[] | undefined): void {
    const lent = someBytes(Math.min(length, MAX_IN_SLAB_BYTES));
    const text = lent.toString('latin1');
    const body = this.packing.laid(lent);
    lent.fill('#');
    if (raw !== undefined) this.put(body, raw);
    if (textOf(body) !== text) throw new Error('what was laid down is not what it was');
  }

  /** What a 304 does: other fields around the same body. */
  renew(slot: number, raw: readonly string[]): void {
    const known = this.held.get(slot) as Known;
    known.stored = { ...known.stored, fields: new Fields([...raw]) };
    known.raw = raw;
    this.slots.replace(slot, known.stored, 0);
    this.packing.put(slot, known.stored);
  }

  drop(slot: number): void {
    this.packing.drop(slot);
    this.slots.give(slot);
    this.held.delete(slot);
  }

  slotAt(pick: number): number | undefined {
    return [...this.held.keys()][pick % Math.max(1, this.held.size)];
  }

  check(): void {
    let packed = 0;
    for (const { stored, body, raw } of this.held.values()) {
      if (textOf(stored.body) !== body) throw new Error('a body is not what it was');
      if (JSON.stringify(stored.fields.raw) !== JSON.stringify(raw)) throw new Error('fields are not what they were');
      if (stored.body.slab !== undefined) packed += stored.body.receivedBytes;
      const { slab, packableBytes } = stored.fields;
      // A larger section has a slab of its own, which nobody counts.
      if (slab !== undefined && packableBytes <= MAX_IN_SLAB_BYTES) packed += packableBytes;
    }
    if (packed !== this.packing.usedBytes) throw new Error(`${packed} bytes are packed, not ${this.packing.usedBytes}`);
  }
}

function textOf(body: Body): string {
  return Buffer.concat(body.wholeChunks ?? []).toString('latin1');
}

const line = fc.oneof(
  fc.string({ maxLength: 30 }),
  fc.constantFrom('a\nb', '€', 'é', '', 'x'.repeat(MAX_IN_SLAB_BYTES)),
);
const raw = fc.array(fc.tuple(line, line), { maxLength: 5 }).map((lines) => lines.flat());
const pick = fc.nat(1000);
const bytes = fc.oneof(fc.nat(200), fc.integer({ min: MAX_IN_SLAB_BYTES - 2, max: MAX_IN_SLAB_BYTES + 2 }));
const step = fc.oneof(
  { weight: 5, arbitrary: fc.record({ do: fc.constant('put' as const), bytes, raw }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('lay' as const), bytes, raw, isPut: fc.boolean() }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('share' as const), pick, raw }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('renew' as const), pick, raw }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('drop' as const), pick }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('step' as const) }) },
);

t.test('under any order of puts, 304s, removals and moves each body and each field stays what it was', (t) => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
      const walk = new Walk();
      for (const one of steps) {
        const slot = 'pick' in one ? walk.slotAt(one.pick) : undefined;
        if (one.do === 'put') walk.put(Body.of([someBytes(one.bytes)]), one.raw);
        else if (one.do === 'lay') walk.lay(one.bytes, one.isPut ? one.raw : undefined);
        else if (one.do === 'step') walk.packing.step();
        else if (slot === undefined) continue;
        else if (one.do === 'share') walk.put((walk.held.get(slot) as Known).stored.body, one.raw);
        else if (one.do === 'renew') walk.renew(slot, one.raw);
        else walk.drop(slot);
      }
      walk.check();
      for (const slot of [...walk.held.keys()]) walk.drop(slot);
      walk.check();
      return walk.packing.usedBytes === 0 && walk.packing.bytes === SLAB_BYTES;
    }),
    { numRuns: 300 },
  );
  t.end();
});

t.test('where most responses of each slab have gone, the rest is moved together until little is waste', (t) => {
  const walk = new Walk();
  const count = Math.ceil((PACK_WASTE_BYTES * 2) / 1000);
  const slots = Array.from({ length: count }, () => walk.put(Body.of([someBytes(1000)]), ['ETag', '"1"']));
  for (const slot of slots) if (slot % 3 > 0) walk.drop(slot);
  t.ok(walk.packing.wantsWork, 'two of three have gone from each slab');
  const kept = (walk.held.get(0) as Known).stored.body;
  const before = kept.slab;
  const [written] = kept.wholeChunks ?? [];
  while (walk.packing.step());
  t.notOk(walk.packing.wantsWork);
  t.ok(walk.packing.bytes * (1 - PACK_WASTE_SHARE) < walk.packing.usedBytes + SLAB_BYTES);
  walk.check();
  t.not(kept.slab, before, 'it was moved');
  for (let more = 0; more < 500; more++) walk.put(Body.of([someBytes(1000)]), []);
  t.equal(
    written?.toString('latin1'),
    (walk.held.get(0) as Known).body,
    'what was given out before the move is still true',
  );
  t.end();
});

t.test('a reader that stands within a body reads on where it stood when the body is packed and moved', (t) => {
  const walk = new Walk();
  const body = Body.of([Buffer.from('0123456789')]);
  const reader = body.open(4);
  const whole = body.open();
  t.equal(String(whole.read()), '0123456789');
  walk.put(body, []);
  t.ok(body.slab, 'it is packed');
  t.equal(String(reader.read()), '456789');
  t.equal(reader.read(), 'end');
  t.equal(whole.read(), 'end');
  t.equal(String(body.open(2, 5).read()), '234');
  t.end();
});

t.test('a body that another store has packed is packed anew: that store may let its slab go', (t) => {
  const [one, other] = [new Walk(), new Walk()];
  const body = Body.of([Buffer.from('shared')]);
  one.put(body, []);
  const first = body.slab;
  other.put(body, []);
  t.not(body.slab, first);
  one.drop(0);
  t.equal(one.packing.usedBytes, 0);
  other.check();
  t.end();
});

t.test('what was laid down goes into a slot as it lies, and is moved where its slab was let go meanwhile', (t) => {
  const walk = new Walk();
  const [body, late] = [walk.packing.laid(Buffer.from('here at once')), walk.packing.laid(Buffer.from('late'))];
  const { slab, slabAt } = body;
  walk.put(body, []);
  t.strictSame([body.slab, body.slabAt], [slab, slabAt]);
  walk.drop(0);
  for (let i = 0; i * MAX_IN_SLAB_BYTES < SLAB_BYTES; i++) walk.lay(MAX_IN_SLAB_BYTES, undefined);
  t.equal(walk.packing.bytes, SLAB_BYTES, 'slabs of what was put nowhere are let go');
  walk.put(late, []);
  t.not(late.slab, slab);
  walk.check();
  t.end();
});

t.test('a field section too large to share a slab is one piece of bytes as well, and no strings', (t) => {
  const walk = new Walk();
  const raw = ['X-Large', 'x'.repeat(MAX_IN_SLAB_BYTES + 1), 'ETag', '"1"'];
  const slot = walk.put(Body.empty, raw);
  const { fields } = (walk.held.get(slot) as Known).stored;
  t.equal(fields.slab?.bytes.length, fields.packableBytes);
  t.same(fields.raw, raw);
  t.equal(walk.packing.usedBytes, 0);
  t.end();
});
