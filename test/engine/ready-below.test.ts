// Goal: a hit that is answered from disk in one look is what the engine replies. Method: rules and stored responses of many kinds, out of memory and on disk, each asked for both ways.
import t, { type Test } from 'tap';
import { readConfig } from '../../lib/config/load.js';
import { makeRules } from '../../lib/config/rules.js';
import type { Reply } from '../../lib/engine/contract.js';
import { FakeClock } from '../kit/clock.js';
import { type DiskBench, openDisk } from '../kit/disk.js';
import { makeWalk, type Walk } from '../kit/walk.js';

type Written = Readonly<Record<string, string>>;
type Conf = Readonly<Record<string, unknown>>;

const HOST = 'example.test';
const FRESH = { 'Cache-Control': 'max-age=60', Date: 'Thu, 01 Jan 2026 00:00:00 GMT', ETag: '"v1"' };
const TARGETS = ['/a', '/b.css', '/c?x=1&y=2'];

const CONFS: Readonly<Record<string, Conf>> = {
  none: {},
  ttl: { rules: [{ name: 'css', match: { ext: ['css'] }, ttl: '5s' }] },
  grace: { defaults: { grace: '10s', keep: '1h' } },
  pass: { rules: [{ name: 'p', match: { path: '/a' }, pass: true }] },
  push: { rules: [{ name: 'p', match: { path: '/a' }, push: 'origin' }] },
  validate: { rules: [{ name: 'v', match: { path: '/a' }, validate: 'always' }] },
  'key of a header': { rules: [{ name: 'k', match: { path: '/a' }, key: { headers: ['X-Kind'] } }] },
  'key without host': { rules: [{ name: 'k', match: { path: '/a' }, key: { host: false } }] },
  'condition on the answer': { rules: [{ name: 's', match: { status: [200] }, client: { ttl: '9s' } }] },
  'query ignored': { rules: [{ name: 'q', match: { path: '/c' }, query: 'ignore' }] },
  'response edited': { defaults: { response: { set: { 'X-Served': 'here' }, append: { 'X-More': 'too' } } } },
  client: { defaults: { client: { ttl: '9s', immutable: true } } },
  etag: { defaults: { etag: 'make' } },
};

const ANSWERS: Readonly<Record<string, Written>> = {
  fresh: FRESH,
  varied: { ...FRESH, Vary: 'Accept-Language' },
  'no-cache': { ...FRESH, 'Cache-Control': 'no-cache' },
  aged: { ...FRESH, Age: '30' },
  uncacheable: { ...FRESH, 'Cache-Control': 'no-store' },
};

interface Below {
  readonly walk: Walk;
  readonly bench: DiskBench;
}

async function onDisk(t: Test, conf: Conf, answer: Written): Promise<Below> {
  const clock = new FakeClock();
  const bench = openDisk(t, { clock });
  const walk = makeWalk({ clock, store: bench.store });
  reconfigure(walk, conf);
  for (const target of TARGETS) {
    walk.get(target);
    if (walk.origin.count > 0) walk.origin.last.respond(200, answer, `body of ${target}`);
  }
  await bench.tier.settled();
  return { walk, bench };
}

function reconfigure({ engine }: Walk, conf: Conf): void {
  engine.reconfigure({ ...engine.parts.live, rules: makeRules(readConfig({ origin: 'http://o', ...conf })) });
}

/** Takes all out of memory. */
function forget({ memory }: DiskBench): void {
  memory.scan(0, 1000, (stored) => memory.remove(stored, 'evicted'));
}

/** A reply as what a client gets and what is told of it. */
function shown(reply: Reply | undefined): unknown {
  if (reply === undefined) return undefined;
  const { status, reasonPhrase, fields, payload, note } = reply;
  const body = payload.kind === 'bytes' ? Buffer.concat(payload.chunks).toString() : payload.kind;
  return { status, reasonPhrase, raw: fields.raw, body, note };
}

/** Asks both ways, with nothing in memory each time. Returns how often one look was enough. */
function compare(t: Test, { walk, bench }: Below, name: string): number {
  let count = 0;
  for (const target of [...TARGETS, '/none']) {
    for (const [method, condition] of [
      ['GET', undefined],
      ['GET', '"v1"'],
      ['GET', '"other"'],
      ['HEAD', undefined],
    ] as const) {
      forget(bench);
      const had = shown(walk.engine.ready(method === 'HEAD', HOST, target, condition, walk.clock.now())?.reply);
      if (had === undefined) continue;
      count++;
      forget(bench);
      const client = walk.send({ target, method }, condition === undefined ? {} : { 'If-None-Match': condition });
      t.strictSame(had, shown(client.replied), `${name}: ${method} ${target} ${condition}`);
    }
  }
  return count;
}

t.test(
  'decision 0022: whatever the rules and the answers, what one look at the disk gives is what handle() replies',
  async (t) => {
    const ofConf = new Map<string, number>();
    for (const [confName, conf] of Object.entries(CONFS)) {
      for (const [answerName, answer] of Object.entries(ANSWERS)) {
        const below = await onDisk(t, conf, answer);
        let count = 0;
        for (const ms of [0, 999, 4001, 20_000, 34_999, 1, 10_000]) {
          below.walk.clock.advance(ms);
          count += compare(t, below, `${confName}, ${answerName}, after ${ms} more`);
        }
        ofConf.set(confName, (ofConf.get(confName) ?? 0) + count);
        if (answerName === 'varied' || answerName === 'no-cache' || answerName === 'uncacheable') {
          t.equal(count, 0, `${confName}: ${answerName} takes more than a look`);
        }
        below.walk.engine.close();
      }
    }
    for (const [name, count] of ofConf) t.ok(count > 0, `${name}: ${count} were answered by one look`);
  },
);

t.test('decision 0022: what another rule made takes more than a look, once', async (t) => {
  const below = await onDisk(t, {}, FRESH);
  const { walk, bench } = below;
  const look = (): boolean => {
    forget(bench);
    return walk.engine.ready(false, HOST, '/a', undefined, walk.clock.now()) !== undefined;
  };
  t.ok(look());
  forget(bench);
  reconfigure(walk, { defaults: { ttl: '20s' } });
  t.notOk(look());
  walk.get('/a');
  await bench.tier.settled();
  t.ok(look(), 'it is on disk as the rule has it that holds now');
  walk.clock.advance(20_000);
  t.notOk(look(), 'for as long as that says');
  walk.engine.close();
});

t.test('decision 0022: a purge and a newer response hold at once for what is looked at below', async (t) => {
  const below = await onDisk(t, {}, FRESH);
  const { walk, bench } = below;
  const look = (): unknown => {
    forget(bench);
    return shown(walk.engine.ready(false, HOST, '/a', undefined, walk.clock.now())?.reply);
  };
  t.ok(look());
  walk.engine.purging.purgeUrl(`http://${HOST}/a`);
  t.notOk(look(), 'before it is written');
  await bench.tier.settled();
  t.notOk(look(), 'and after');
  walk.get('/a');
  walk.origin.last.respond(200, { ...FRESH, ETag: '"v2"' }, 'anew');
  t.notOk(look(), 'it waits to be written');
  await bench.tier.settled();
  t.match(look(), { body: 'anew' });
  walk.engine.close();
});
