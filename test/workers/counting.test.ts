// Goal: an operation on several workers acts on all of them, on the disk that they share, and on those that come meanwhile, and counts each response once. Method: engines in one process over one file, with the operations of the primary process.
import t from 'tap';
import type { RequestBody } from '../../lib/admin/body.js';
import { answerOperation, NobodyServesError } from '../../lib/admin/operate.js';
import type { Target } from '../../lib/engine/operations.js';
import { Fields } from '../../lib/http/fields.js';
import type { StoredResponse } from '../../lib/object/stored.js';
import { SILENT } from '../../lib/observe/events.js';
import type { WarmSettings } from '../../lib/warm/contract.js';
import { EngineWarmer } from '../../lib/warm/engine-warmer.js';
import { Counted, Reached } from '../../lib/workers/counted.js';
import { turns } from '../kit/lease-desk.js';
import { type SiblingCrew, type SiblingWorker, startSiblings } from '../kit/sibling-workers.js';

const LIVING = { 'Cache-Control': 'max-age=100, stale-while-revalidate=60', ETag: '"1"', 'Surrogate-Key': 'all' };
const urlOf = (path: string): string => `http://example.test${path}`;
const RULE = { tagsFrom: 'surrogate-key' } as const;
const TARGETS: readonly Target[] = [
  { kind: 'url', url: urlOf('/a') },
  { kind: 'prefix', prefix: urlOf('/') },
  { kind: 'tag', tag: 'all' },
];

function two(crew: SiblingCrew): [SiblingWorker, SiblingWorker] {
  const [one, other] = crew.workers;
  if (one === undefined || other === undefined) throw new Error('there are no two');
  return [one, other];
}

async function fill({ walk }: SiblingWorker, path: string): Promise<void> {
  const before = walk.origin.count;
  walk.get(path);
  await turns();
  if (walk.origin.count > before) walk.origin.last.respond(200, LIVING, `hello ${path}`);
  await turns();
}

function held({ walk }: SiblingWorker, path: string): StoredResponse | undefined {
  return walk.engine.parts.store.peek(urlOf(path))?.[0];
}

/** What is answered in a later turn, while the disk and the lines between processes go on. */
async function soon<T>(crew: SiblingCrew, answer: Promise<T>): Promise<T> {
  let isOver = false;
  void answer.finally(() => {
    isOver = true;
  });
  while (!isOver) {
    await turns();
    crew.clock.advance(10);
  }
  return answer;
}

for (const target of TARGETS) {
  for (const operation of ['purge', 'expire'] as const) {
    t.test(`issue 5: a response on disk alone counts once for a ${operation} by ${target.kind}`, async (t) => {
      const crew = startSiblings(t, { workers: 3, rule: RULE });
      const [one] = two(crew);
      await fill(one, '/a');
      await crew.written();
      for (const { bench } of crew.workers) bench?.memory.removeKey(urlOf('/a'), 'evicted');
      t.same(await soon(crew, crew.operations[operation](target)), { objects: 1, fills: 0 });
      const left = one.bench?.tier.find(urlOf('/a'))[0];
      t.equal(left?.expiredAt !== undefined, operation === 'expire');
    });

    t.test(`issue 5: copies in several workers count once for a ${operation} by ${target.kind}`, async (t) => {
      const crew = startSiblings(t, { workers: 3, hasDisk: false, rule: RULE });
      for (const worker of crew.workers) await fill(worker, '/a');
      t.equal(crew.asked, 1);
      t.same(await soon(crew, crew.operations[operation](target)), { objects: 1, fills: 0 });
      for (const worker of crew.workers) {
        const left = held(worker, '/a');
        t.equal(operation === 'purge' ? left : (left?.expiredAt ?? 0) > 0, operation === 'purge' ? undefined : true);
      }
    });
  }
}

t.test('issue 5: what one worker cannot do on disk yet is not done, whatever the others say', async (t) => {
  const crew = startSiblings(t, { workers: 3, rule: RULE });
  const [one] = two(crew);
  await fill(one, '/a');
  await crew.written();
  if (one.bench !== undefined) one.bench.fail = 'ENOSPC';
  const told = await soon(crew, crew.operations.expire({ kind: 'url', url: urlOf('/a') }));
  t.same(told, { objects: 1, fills: 0, pending: ['disk'] });
});

t.test('issue 5: what is on its way counts once, however many workers wait for it', async (t) => {
  const crew = startSiblings(t, { workers: 3, hasDisk: false });
  const clients = crew.workers.map(({ walk }) => walk.get('/a'));
  await turns();
  t.equal(crew.asked, 1);
  t.same(await soon(crew, crew.operations.purge({ kind: 'url', url: urlOf('/a') })), { objects: 0, fills: 1 });
  t.equal(clients.length, 3);
});

t.test('issue 5: variants are apart, and each is counted', async (t) => {
  const crew = startSiblings(t);
  const [one, other] = two(crew);
  for (const language of ['de', 'fr']) {
    for (const { walk } of [one, other]) {
      const before = walk.origin.count;
      walk.get('/a', { 'Accept-Language': language });
      await turns();
      if (walk.origin.count > before) walk.origin.last.respond(200, { ...LIVING, Vary: 'Accept-Language' }, language);
      await turns();
    }
  }
  t.same(await soon(crew, crew.operations.purge({ kind: 'url', url: urlOf('/a') })), { objects: 2, fills: 0 });
});

t.test(
  'issue 5: an ordered refresh asks about each response in one worker, and holds in all when it is over',
  async (t) => {
    const crew = startSiblings(t);
    const [one, other] = two(crew);
    for (const worker of [one, other]) for (const path of ['/a', '/b']) await fill(worker, path);
    await fill(other, '/c');
    t.equal(crew.asked, 3);
    crew.clock.advance(1_000);
    const run = await soon(crew, crew.operations.refresh({ kind: 'prefix', prefix: urlOf('/') }, { fill: false }));
    if (run === undefined || run === 'busy') throw new Error('it has not begun');
    t.equal(run.objects, 3);
    await turns();
    t.equal(crew.asked, 6);
    for (const { walk } of [one, other]) {
      for (const exchange of walk.origin.exchanges) {
        if (exchange.field('if-none-match') !== undefined) exchange.respond(304, { ...LIVING, 'X-Round': '2' });
      }
    }
    await soon(crew, run.over);
    t.same(run.ends, { 'not-modified': 3 });
    for (const { walk } of [one, other]) {
      for (const path of ['/a', '/b']) t.equal(walk.get(path).field('x-round'), '2', path);
    }
  },
);

t.test('issue 5: a purge reaches a worker that has come to serve while it went on', async (t) => {
  const crew = startSiblings(t);
  const [one] = two(crew);
  await fill(one, '/a');
  await crew.written();
  for (const { bench } of crew.workers) if (bench !== undefined) bench.isHeld = true;
  const purge = crew.operations.purge({ kind: 'url', url: urlOf('/a') });
  await turns();
  const late = crew.start();
  const found = late.walk.get('/a');
  t.equal(found.outcome, 'HIT', 'it is on disk yet');
  for (const { bench } of crew.workers) bench?.release();
  t.match(await soon(crew, purge), { objects: 1 });
  t.equal(held(late, '/a'), undefined);
});

t.test(
  'issue 5: what is pushed while a worker comes to serve is stored, and nothing older lives on there',
  async (t) => {
    const crew = startSiblings(t);
    const [one] = two(crew);
    await fill(one, '/a');
    await crew.written();
    const pushing = await soon(
      crew,
      crew.operations.update(urlOf('/a'), {
        status: 200,
        reasonPhrase: 'OK',
        fields: Fields.of({ 'Cache-Control': 'max-age=100' }),
        selecting: Fields.empty,
        bodyBytes: 6,
      }),
    );
    if ('refused' in pushing) throw new Error(pushing.refused);
    const late = crew.start();
    t.equal(late.walk.get('/a').body, 'hello /a');
    t.equal(await soon(crew, Promise.resolve(pushing.write(Buffer.from('pushed')))), undefined);
    t.match(await soon(crew, Promise.resolve(pushing.end())), { bytes: 6 });
    await crew.written();
    await turns();
    for (const { walk } of crew.workers) {
      const client = walk.get('/a');
      await turns();
      t.equal(client.body, 'pushed');
    }
    t.equal(crew.asked, 1);
  },
);

t.test('issue 4: what vanished from the sitemap is made stale in all workers, and on disk', async (t) => {
  const crew = startSiblings(t, { workers: 3 });
  const [one, other] = two(crew);
  for (const worker of [one, other]) await fill(worker, '/a');
  await crew.written();
  const settings = { fields: [], hasDisk: true } as unknown as WarmSettings;
  const warmer = new EngineWarmer(one.walk.engine, settings);
  crew.clock.advance(1_000);
  t.equal(await soon(crew, warmer.expire(urlOf('/a'))), 1);
  const now = crew.clock.now();
  for (const worker of [one, other]) t.ok((held(worker, '/a')?.life.staleAt ?? now + 1) <= now);
  t.ok((other.bench?.tier.find(urlOf('/a'))[0]?.expiredAt ?? 0) > 0);
});

t.test('issue 5: digests of places are told apart, joined, and bounded', async (t) => {
  const [mine, theirs, all] = [new Reached(), new Reached(), new Counted()];
  const place = (n: number) => ({ key: urlOf(`/${n}`), selection: { names: [], values: [] } });
  for (let n = 0; n < 100_000; n++) {
    mine.add(place(n));
    theirs.add(place(n + 50_000));
  }
  all.add(mine.digests, mine.further);
  t.equal(all.count, 100_000);
  all.add(theirs.digests, theirs.further);
  t.equal(all.count, 150_000);
  t.ok(all.has(place(7)));
  t.notOk(all.has(place(150_000)));
  const again = new Counted();
  again.add(all.digests, 0);
  t.equal(again.count, 150_000);
  for (let n = 0; n < 150_000; n++) mine.add(place(n + 200_000));
  t.equal(mine.further, 50_000);
  t.equal(mine.digests.byteLength, 200_000 * 8);
  all.add(mine.digests, mine.further);
  t.equal(all.count, 300_000, 'of those beyond, the most that one has');
});

t.test('issue 5: an operation while no worker lives is told as that, and not as a bad URL', async (t) => {
  const crew = startSiblings(t, { workers: 2, rule: RULE });
  for (const worker of crew.workers) crew.kill(worker);
  const { operations } = crew;
  for (const target of TARGETS) {
    await t.rejects(operations.purge(target), NobodyServesError);
    await t.rejects(operations.expire(target), NobodyServesError);
    await t.rejects(operations.refresh(target, { fill: false }), NobodyServesError);
  }
  const { clock } = crew;
  const bytes = Buffer.from(JSON.stringify({ url: urlOf('/a') }));
  const body: RequestBody = {
    mediaType: 'application/json',
    bytes: bytes.length,
    chunks: async function* () {
      yield bytes;
    },
  };
  for (const operation of ['purge', 'expire', 'refresh'] as const) {
    const reply = await answerOperation({ clock, events: SILENT, operations }, operation, {
      remoteAddress: '127.0.0.1',
      query: new URLSearchParams(),
      rawFields: [],
      body,
    });
    t.match(reply, { status: 503 });
    t.match(JSON.stringify(reply), 'No worker lives that has done what was asked for');
  }
});

/** The ways of workers to other machines, of which some are cut: what each is told, in order. */
function withPeers(crew: SiblingCrew, reachable: readonly boolean[]): string[] {
  const said: string[] = [];
  for (const [at, { id, walk }] of crew.workers.entries()) {
    walk.engine.parts.peers = {
      operated: (effect) => said.push(`${id} tells ${effect}`),
      noted: (effect) => said.push(`${id} notes ${effect}`),
      told: async () => reachable[at] === true,
      stored() {},
    };
  }
  return said;
}

for (const operation of ['purge', 'expire'] as const) {
  t.test(`issue 5: one worker that can tells other machines of a ${operation}, the others note it`, async (t) => {
    const crew = startSiblings(t, { workers: 3, hasDisk: false, rule: RULE });
    const said = withPeers(crew, [false, true, true]);
    await fill(two(crew)[0], '/a');
    t.same(await soon(crew, crew.operations[operation]({ kind: 'tag', tag: 'all' })), { objects: 1, fills: 0 });
    t.same(said.sort(), [
      `1 tells ${operation}`,
      `2 notes ${operation}`,
      `2 tells ${operation}`,
      `3 notes ${operation}`,
    ]);
  });
}

t.test('issue 5: where no worker can tell other machines, the answer says that they are not told', async (t) => {
  const crew = startSiblings(t, { workers: 3, hasDisk: false, rule: RULE });
  withPeers(crew, [false, false, false]);
  await fill(two(crew)[0], '/a');
  const told = await soon(crew, crew.operations.purge({ kind: 'tag', tag: 'all' }));
  t.same(told, { objects: 1, fills: 0, pending: ['shared'] });
});
