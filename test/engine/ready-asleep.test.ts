// Goal: what is kept ready is never of something that the store has let go of, also where it keeps most responses as bytes (decisions/0016, 0028). Method: a walk whose memory keeps the objects of one key, and others that put that key to sleep between any two requests for it.
import t from 'tap';
import { READY_ASKED_TIMES, READY_PRUNE_MS } from '../../lib/base/ready-limits.js';
import { makeWalk, type Walk } from '../kit/walk.js';

const HOST = 'example.test';
const FRESH = { 'Cache-Control': 'max-age=600', ETag: '"one"' };
const OTHERS = ['/b', '/c', '/d', '/e'];

/** `/a` is stored, and asleep. */
function stored(): Walk {
  const walk = makeWalk({ awakeCount: 1 });
  for (const target of ['/a', ...OTHERS]) {
    walk.get(target);
    walk.origin.last.respond(200, FRESH, `first of ${target}`);
  }
  return walk;
}

/** What is ready for `/a`, as text; undefined where nothing is. */
function ready({ engine, clock }: Walk, isHead = false, condition?: string): string | undefined {
  const found = engine.ready(isHead, HOST, '/a', condition, clock.now());
  if (found === undefined) return undefined;
  const { payload, status } = found.reply;
  return payload.kind === 'bytes' ? Buffer.concat(payload.chunks).toString() : String(status);
}

/** Others are asked for, in this many ways to have `/a` go to sleep or not. */
function stir(walk: Walk, how: number): void {
  if (how % 3 === 0) for (const target of OTHERS) walk.get(target);
  if (how % 3 === 1) for (const target of OTHERS) walk.engine.ready(false, HOST, target, undefined, walk.clock.now());
}

const CHANGES: Readonly<Record<string, (walk: Walk) => void>> = {
  purge: ({ engine }) => void engine.purging.purgeUrl(`http://${HOST}/a`),
  replaced: (walk) => {
    walk.get('/a', { 'Cache-Control': 'no-cache' });
    walk.origin.last.respond(200, { ...FRESH, ETag: '"two"' }, 'second of /a');
  },
  forbidden: (walk) => {
    walk.get('/a', { 'Cache-Control': 'no-cache' });
    walk.origin.last.respond(304, { 'Cache-Control': 'no-store', ETag: '"one"' });
  },
  reload: ({ engine }) => {
    const { live } = engine.parts;
    engine.reconfigure({ ...live, hygiene: { ...live.hygiene, via: 'other' } });
  },
};

for (const [name, change] of Object.entries(CHANGES)) {
  t.test(`design 2: a change is seen at once, though the key was asleep when it was asked for: ${name}`, async (t) => {
    for (const isHead of [false, true]) {
      for (const condition of isHead ? [undefined] : [undefined, '"one"']) {
        for (const how of [0, 1, 2]) {
          for (const times of [1, 2, 3, 4, 5, 8, 12]) {
            const walk = stored();
            for (let i = 0; i < times; i++) {
              stir(walk, how + (times % 2 === 0 ? i : 0));
              ready(walk, isHead, condition);
            }
            stir(walk, how);
            change(walk);
            const [after, again] = [ready(walk, isHead, condition), ready(walk, isHead, condition)];
            const what = `${times} times, HEAD ${isHead}, ${condition}, way ${how}`;
            if (name === 'reload') {
              const via = walk.engine.ready(isHead, HOST, '/a', condition, walk.clock.now())?.reply.fields.get('via');
              t.match(via ?? 'nothing is ready', /other/, what);
            } else if (name === 'replaced') {
              for (const seen of [after, again]) {
                t.not(seen, 'first of /a', what);
                if (condition !== undefined) t.not(seen, '304', what);
              }
            } else t.same([after, again], [undefined, undefined], what);
            walk.engine.close();
          }
        }
      }
    }
  });
}

t.test(
  'RFC 9111 §4.2: nothing is ready any more at the instant at which it is stale and nothing allows that',
  async (t) => {
    for (const times of [1, READY_ASKED_TIMES, READY_ASKED_TIMES * 2]) {
      const walk = stored();
      for (let i = 0; i < times; i++) {
        stir(walk, 0);
        t.equal(ready(walk), 'first of /a');
      }
      walk.clock.advance(599_999 - (times > READY_ASKED_TIMES ? READY_PRUNE_MS : 0));
      t.equal(ready(walk), 'first of /a');
      walk.clock.advance(1 + (times > READY_ASKED_TIMES ? READY_PRUNE_MS : 0));
      t.equal(ready(walk), undefined);
      walk.engine.close();
    }
  },
);
