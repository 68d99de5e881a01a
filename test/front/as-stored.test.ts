// Goal: decision 0022, bytes that go out as they lie on disk are those that would be made of the response. Method: fast-check makes responses, each is put on disk, and written both ways.
import fc from 'fast-check';
import t from 'tap';
import { readConfig } from '../../lib/config/load.js';
import { makeRules } from '../../lib/config/rules.js';
import type { ReadyReply } from '../../lib/engine/contract.js';
import { bytesAsStored, lendAsStored } from '../../lib/front/as-stored.js';
import type { ClientConnection } from '../../lib/front/connection.js';
import { sendReady } from '../../lib/front/ready-hit.js';
import { Fields } from '../../lib/http/fields.js';
import { anyShape, commonBytes, storedOf } from '../kit/any-stored.js';
import { FakeClock } from '../kit/clock.js';
import { openDisk } from '../kit/disk.js';
import { makeWalk } from '../kit/walk.js';

const HOST = 'example.test';

const shape = anyShape(fc.uint8Array({ maxLength: 60 }).map((bytes) => [Buffer.from(bytes)]));

t.test('decision 0022: whatever is stored, what goes out as it is stored is what would be made of it', async (t) => {
  const clock = new FakeClock();
  const bench = openDisk(t, { clock });
  const walk = makeWalk({ clock, store: bench.store });
  const rules = makeRules(readConfig({ origin: 'http://o' }));
  walk.engine.reconfigure({ ...walk.engine.parts.live, rules });
  const rule = rules.all.at(-1);
  if (rule === undefined) throw new Error('there is always a last rule');
  const shapes = fc.sample(shape, 600);
  shapes.forEach((one, at) => {
    t.ok(bench.store.put(storedOf(one, `http://${HOST}/${at}`, clock.now(), rule)));
  });
  await bench.tier.settled();
  bench.memory.scan(0, 1000, (stored) => bench.memory.remove(stored, 'evicted'));
  clock.advance(12_345);
  const counts = { asStored: 0, leftOut: 0, made: 0 };
  for (const at of shapes.keys()) {
    for (const debugHeader of [undefined, 'CDN-Cache']) {
      const ready = walk.engine.ready(false, HOST, `/${at}`, undefined, clock.now());
      if (ready === undefined) throw new Error(`${at} is not found`);
      const { asStored, status, note } = ready;
      const bytes = asStored === undefined ? undefined : bytesAsStored(asStored, status, debugHeader, note.outcome);
      if (bytes === undefined) counts[asStored === undefined ? 'made' : 'leftOut']++;
      else counts.asStored++;
      const had = bytes?.toString('latin1');
      const expected = had === undefined ? undefined : commonBytes(ready.reply, debugHeader);
      if (had !== expected) t.equal(had, expected, JSON.stringify(shapes[at]));
      // Out of memory again, into which it may have gone.
      bench.memory.removeKey(`http://${HOST}/${at}`, 'evicted');
    }
  }
  t.ok(counts.asStored > 200, `${counts.asStored} went out as they are stored`);
  t.ok(counts.made > 50, `${counts.made} could not`);
  t.ok(counts.leftOut > 5, `${counts.leftOut} have a field of the name of ours`);
  walk.engine.close();
});

/** What is told of such a reply. */
const OWN = {
  ageSec: 7,
  ttlSec: 53,
  lines: { via: '1.1 p', beforeTtl: 'p; hit; ttl=', behindTtl: '; detail=fresh' },
};

t.test('decision 0022: bytes that are still to be written are left alone by the next reply', (t) => {
  const bytes = Buffer.from('OK\r\nA: 1\r\nfirst');
  const of = (text: string) => ({
    bytes: Buffer.from(`OK\r\nA: 1\r\n${text}`),
    headFrom: 0,
    headUntil: bytes.length - 5,
    ...OWN,
    bodyFrom: bytes.length - 5,
    bodyBytes: 5,
  });
  const own = 'Age: 7\r\nVia: 1.1 p\r\nCache-Status: p; hit; ttl=53; detail=fresh\r\n';
  const head = `HTTP/1.1 200 OK\r\nA: 1\r\n${own}Content-Length: 5\r\n\r\n`;
  const first = bytesAsStored(of('first'), 200, undefined, 'HIT');
  t.equal(first?.toString('latin1'), `${head}first`);
  lendAsStored();
  t.equal(bytesAsStored(of('other'), 200, undefined, 'HIT')?.toString('latin1'), `${head}other`);
  t.equal(first?.toString('latin1'), `${head}first`);
  t.end();
});

t.test(
  'what goes out as it is stored is made into nothing, and takes little more than its bytes while it waits for a client',
  (t) => {
    const head = 'OK\r\nA: 1\r\n';
    const asStored = {
      bytes: Buffer.from(`${head}body`),
      headFrom: 0,
      headUntil: head.length,
      ...OWN,
      bodyFrom: head.length,
      bodyBytes: 4,
    };
    const note = { outcome: 'HIT', reason: 'fresh', rule: '', ageSec: 7, collapsed: false } as const;
    const waiting: Buffer[] = [];
    const running: unknown[] = [];
    const socket = {
      _handle: null,
      writableLength: 0,
      write(bytes: Buffer) {
        waiting.push(bytes);
        socket.writableLength += bytes.length;
      },
    };
    const connection = {
      lane: { debugHeader: undefined, clock: new FakeClock(), wallLead: 0 },
      remoteAddress: '',
      socket,
      get isIdle() {
        return running.length === 0;
      },
      began: (one: unknown) => running.push(one),
    };
    let made = 0;
    const ready = {
      ...{ status: 200, note, asStored, ageSec: 7, ttlSec: 1, isSteady: false },
      get reply() {
        made++;
        return undefined;
      },
    } as unknown as ReadyReply;
    const asker = { host: HOST, fields: Fields.empty, isLast: false, userAgent: undefined, referer: undefined };
    const COUNT = 50;
    for (let i = 0; i < COUNT; i++) {
      t.ok(sendReady(connection as unknown as ClientConnection, false, '/', asker, 0, ready));
    }
    const replies = waiting.filter((bytes) => bytes.length > 0);
    t.equal(replies.length, COUNT);
    t.equal(made, 0, 'decision 0022: no reply is made of what goes out as it is stored');
    t.equal(new Set(replies.map((bytes) => bytes.toString('latin1'))).size, 1, 'each as it was made');
    const pinned = new Set(replies.map((bytes) => bytes.buffer));
    const pinnedBytes = [...pinned].reduce((sum, { byteLength }) => sum + byteLength, 0);
    t.ok(pinnedBytes < 100_000, `${pinnedBytes} bytes are held for ${COUNT} replies`);
    t.end();
  },
);
