// Goal: among caches that share an origin one asks, and the others wait for it, never on it. Method: two walks at one desk of leases.
import t from 'tap';
import type { StoredResponse } from '../../lib/object/stored.js';
import { FakeClock } from '../kit/clock.js';
import { LeaseDesk, lyingBelow, PlayedBody, turns } from '../kit/lease-desk.js';
import { makeWalk, type Walk, type WalkOptions } from '../kit/walk.js';

const LIVING = { 'Cache-Control': 'max-age=10, stale-while-revalidate=60', ETag: '"1"' };

function twoMachines(options: WalkOptions = {}) {
  const clock = new FakeClock();
  const desk = new LeaseDesk(clock);
  const here = makeWalk({ ...options, clock, leases: desk });
  const there = makeWalk({ ...options, clock, leases: desk });
  return { clock, desk, here, there };
}

/** Both have it, asked for once. */
async function bothWarm(options: WalkOptions = {}) {
  const machines = twoMachines(options);
  machines.here.get('/a');
  await turns();
  machines.here.origin.last.respond(200, LIVING, 'hello');
  machines.there.get('/a');
  await turns();
  machines.clock.advance(1);
  return machines;
}

function storedIn(walk: ReturnType<typeof makeWalk>, target: string): StoredResponse | undefined {
  return walk.engine.parts.store.peek(`http://example.test${target}`)?.[0];
}

t.test('issue 5: without leases nothing is awaited before the origin is asked', async (t) => {
  const walk = makeWalk();
  walk.get('/a');
  t.equal(walk.origin.count, 1);
});

t.test('issue 5: of two machines one asks, and the other takes the result by its phase, as a hit', async (t) => {
  const { desk, here, there } = twoMachines();
  const first = here.get('/a');
  await turns();
  const waiting = [there.get('/a'), there.get('/a')];
  await turns();
  t.equal(here.origin.count, 1);
  t.equal(there.origin.count, 0);
  t.equal(desk.waitingCount, 1, 'one of the machine, however many of its clients wait');
  here.origin.last.respond(200, LIVING, 'hello');
  await turns();
  t.equal(first.body, 'hello');
  t.same(
    waiting.map(({ body, outcome }) => [body, outcome]),
    [
      ['hello', 'HIT'],
      ['hello', 'HIT'],
    ],
  );
  t.equal(there.origin.count, 0);
  t.same(there.asked, [], 'nothing counts as asked');
  t.equal(there.get('/a').outcome, 'HIT', 'it was promoted');
  t.equal(desk.waitingCount, 0);
});

t.test('issue 5: a graced refresh that is had elsewhere does nothing, and stale is served at once', async (t) => {
  const { clock, here, there } = await bothWarm();
  clock.advance(10_000);
  here.get('/a');
  await turns();
  t.equal(here.origin.count, 2);
  const stale = there.get('/a');
  t.equal(stale.outcome, 'UPDATING', 'in the same turn');
  await turns();
  for (let n = 0; n < 5; n++) t.equal(there.get('/a').body, 'hello');
  await turns();
  t.equal(there.origin.count, 0);
  here.origin.last.respond(304, LIVING);
  await turns();
  t.equal(there.get('/a').outcome, 'HIT', 'the new header record, around the same body');
  t.equal(storedIn(there, '/a')?.body, storedIn(here, '/a')?.body);
});

t.test('issue 5: what was refreshed elsewhere a moment ago is found, not asked for', async (t) => {
  const { clock, desk, here, there } = await bothWarm();
  clock.advance(10_000);
  here.get('/a');
  await turns();
  here.origin.last.respond(200, { ...LIVING, ETag: '"2"' }, 'newer');
  there.get('/a');
  await turns();
  t.equal(there.origin.count, 0);
  t.equal(there.get('/a').body, 'newer');
  t.same(
    desk.orders.slice(-1).map(({ kind }) => kind),
    ['refresh'],
  );
});

t.test('issue 5: an uncacheable answer sends those who wait elsewhere off alone, all at once', async (t) => {
  const { here, there } = twoMachines();
  here.get('/a');
  await turns();
  const waiting = [there.get('/a'), there.get('/a'), there.get('/a')];
  await turns();
  here.origin.last.head(200, { 'Cache-Control': 'no-store' });
  await turns();
  t.equal(there.origin.count, 3, 'before the body of the first is over');
  for (const n of [1, 2, 3]) there.origin.nth(n).respond(200, { 'Cache-Control': 'no-store' }, `own ${n}`);
  t.same(
    waiting.map(({ body }) => body),
    ['own 1', 'own 2', 'own 3'],
  );
  there.get('/a');
  t.equal(there.origin.count, 4, 'the mark is taken over: nobody waits any more, not even for a lease');
});

t.test('issue 5: a failure is shared with those who wait elsewhere, and so is its backoff', async (t) => {
  const { clock, here, there } = await bothWarm();
  clock.advance(80_000);
  const leader = here.get('/a');
  await turns();
  const waiting = there.get('/a');
  await turns();
  here.origin.last.fail('origin-refused');
  await turns();
  t.equal(leader.outcome, 'STALE');
  t.equal(waiting.outcome, 'STALE');
  t.equal(waiting.reason, 'stale-origin-refused');
  t.equal(there.origin.count, 0);
  there.get('/a');
  await turns();
  t.equal(there.origin.count, 0, 'by the clock, not by traffic, here as there');
});

t.test('issue 5: a cold key whose origin fails gives everybody the error, and starts no herd', async (t) => {
  const { here, there } = twoMachines();
  here.get('/a');
  await turns();
  const waiting = [there.get('/a'), there.get('/a')];
  await turns();
  here.origin.last.respond(503, { 'Retry-After': '7' });
  await turns();
  t.same(
    waiting.map(({ status }) => status),
    [503, 503],
  );
  t.equal(there.origin.count, 0);
  t.equal(waiting[0]?.reason, 'origin-error-shared');
});

t.test('issue 5: a machine that dies with the lease delays the others by the lease time at most', async (t) => {
  const { clock, desk, here, there } = twoMachines();
  here.get('/a');
  await turns();
  const waiting = there.get('/a');
  await turns();
  clock.advance(desk.leaseMs - 1);
  await turns();
  t.equal(there.origin.count, 0);
  clock.advance(1);
  await turns();
  t.equal(there.origin.count, 1);
  there.origin.last.respond(200, LIVING, 'hello');
  t.equal(waiting.body, 'hello');
});

t.test('issue 5: nobody waits for a lease for longer than a request may wait', async (t) => {
  const { clock, desk, here, there } = twoMachines({ waitMs: 3_000 });
  here.get('/a');
  await turns();
  const waiting = there.get('/a');
  await turns();
  clock.advance(3_000);
  await turns();
  t.equal(there.origin.count, 1, 'it asks alone');
  t.equal(desk.waitingCount, 0);
  there.origin.last.respond(200, LIVING, 'hello');
  t.equal(waiting.body, 'hello');
});

t.test('issue 5: with nobody to give leases every machine asks as if it were alone', async (t) => {
  const { desk, here, there } = twoMachines();
  desk.isAway = true;
  const clients = [here.get('/a'), here.get('/a'), there.get('/a')];
  await turns();
  t.equal(here.origin.count, 1, 'still one for the machine');
  t.equal(there.origin.count, 1);
  for (const walk of [here, there]) walk.origin.last.respond(200, LIVING, 'hello');
  t.same(
    clients.map(({ body }) => body),
    ['hello', 'hello', 'hello'],
  );
});

t.test('issue 5: a client that leaves while its machine waits elsewhere leaves nothing behind', async (t) => {
  const { clock, desk, here, there } = twoMachines();
  here.get('/a');
  await turns();
  const leaving = there.get('/a');
  await turns();
  leaving.leave();
  here.origin.last.respond(200, LIVING, 'hello');
  await turns();
  t.equal(there.engine.stats.fills, 0);
  t.equal(desk.waitingCount, 0);
  t.equal(there.get('/a').outcome, 'HIT', 'what came is kept all the same');
  clock.advance(60_000);
  t.equal(there.origin.count, 0);
});

t.test(
  'issue 5: a purge while the lease is waited for wins: what is asked then is asked without conditions',
  async (t) => {
    const { clock, here, there } = await bothWarm();
    clock.advance(80_000);
    here.get('/a');
    await turns();
    const waiting = there.get('/a');
    await turns();
    there.engine.purging.purgeUrl('http://example.test/a');
    here.engine.purging.purgeUrl('http://example.test/a');
    here.origin.last.fail('origin-reset');
    await turns();
    t.equal(waiting.status, 502, 'what was purged is nobody’s any more');
  },
);

t.test('issue 5: a purge or an expiry of a tag wins over a body below that was just being opened', async (t) => {
  for (const effect of ['purge', 'expire'] as const) {
    const { desk, here, there } = twoMachines({ rule: { tagsFrom: 'surrogate-key' } });
    const made = await madeBelow(here, desk, { ...LIVING, 'Surrogate-Key': 'x' });
    const body = new PlayedBody();
    let open = (): void => {};
    const opened = new Promise<PlayedBody>((resolve) => {
      open = () => resolve(body);
    });
    desk.below = [
      { response: lyingBelow(made.response, 5, body).response, body: { bytes: 5, open: () => opened }, writer: 'here' },
    ];
    const client = there.get('/a');
    await turns();
    await there.engine.operations[effect]({ kind: 'tag', tag: 'x' });
    open();
    await turns();
    t.ok(body.isAborted);
    t.equal(there.origin.count, 1, effect);
    there.origin.last.respond(200, LIVING, 'newer');
    await turns();
    t.equal(client.body, 'newer');
    t.equal(there.get('/a').body, 'newer');
  }
});

t.test('issue 5: who found what lies below of no use, and waits, looks there again before it asks', async (t) => {
  const { desk, here, there } = twoMachines();
  const made = await madeBelow(here, desk);
  desk.below = [lyingBelow(made.response, 5, undefined)];
  here.engine.purging.purgeUrl('http://example.test/a');
  const first = here.get('/a');
  const second = there.get('/a');
  await turns();
  t.equal(here.origin.count, 2);
  here.origin.last.respond(200, LIVING, 'newer');
  await turns();
  t.same([first.body, second.body], ['newer', 'newer']);
  t.equal(there.origin.count, 0);
});

t.test('issue 5: a refresh that a purge overtook before it had the lease asks for nothing', async (t) => {
  const { clock, there } = await bothWarm();
  clock.advance(10_001);
  there.get('/a');
  there.engine.purging.purgeUrl('http://example.test/a');
  await turns();
  t.equal(there.origin.count, 0);
  t.equal(there.engine.stats.fills, 0);
});

t.test('issue 5: of two of the key’s variants each has its own lease', async (t) => {
  const { clock, here, there } = twoMachines();
  const varied = { ...LIVING, Vary: 'Accept-Language' };
  for (const language of ['de', 'fr']) {
    here.get('/a', { 'Accept-Language': language });
    await turns();
    here.origin.last.respond(200, varied, language);
  }
  for (const language of ['de', 'fr']) {
    const client = there.get('/a', { 'Accept-Language': language });
    await turns();
    t.equal(client.body, language);
  }
  clock.advance(10_001);
  here.get('/a', { 'Accept-Language': 'de' });
  await turns();
  there.get('/a', { 'Accept-Language': 'fr' });
  await turns();
  t.equal(here.origin.count, 3);
  t.equal(there.origin.count, 1);
});

t.test('issue 5: HEAD, ranges and conditions of one client go out without a lease', async (t) => {
  const { desk, here } = twoMachines();
  here.head('/a');
  here.get('/b', { Range: 'bytes=0-1' });
  await turns();
  t.equal(here.origin.count, 2);
  t.equal(desk.orders.length, 0);
});

/** What one machine got of its origin and laid below, where the other finds it. */
async function madeBelow(
  here: Walk,
  desk: LeaseDesk,
  fields: Readonly<Record<string, string>> = LIVING,
): Promise<LeaseDesk['below'][number]> {
  here.get('/a');
  await turns();
  here.origin.last.respond(200, fields, 'hello');
  const [made] = desk.below;
  if (made === undefined) throw new Error('nothing was released');
  return made;
}

t.test('issue 5: a body below is served while it arrives, and refreshed after it where it is stale', async (t) => {
  const { clock, desk, here, there } = twoMachines();
  const made = await madeBelow(here, desk);
  const body = new PlayedBody();
  desk.below = [lyingBelow(made.response, 5, body)];
  clock.advance(11_000);
  const first = there.get('/a');
  await turns();
  body.data('he');
  const second = there.get('/a');
  t.equal(first.body, 'he', 'as it comes');
  t.equal(second.body, 'he');
  t.equal(first.outcome, 'STALE');
  t.equal(first.field('age'), '11');
  body.data('llo').end();
  await turns();
  t.same([first.body, second.body], ['hello', 'hello']);
  t.equal(there.origin.count, 1, 'one refresh');
  t.equal(there.origin.last.field('if-none-match'), '"1"');
});

/** A client of what lies below, in a moment in which that breaks off behind its second byte. */
async function brokenBelow(fields?: Readonly<Record<string, string>>) {
  const { desk, here, there } = twoMachines();
  const made = await madeBelow(here, desk, fields);
  const body = new PlayedBody();
  desk.below = [lyingBelow(made.response, 5, body)];
  const client = there.get('/a');
  await turns();
  body.data('he').fail();
  return { there, client };
}

t.test('issue 5: a body below that breaks off is completed by the origin, and no client notices', async (t) => {
  const { there, client } = await brokenBelow();
  t.equal(there.origin.last.field('range'), 'bytes=2-');
  t.equal(there.origin.last.field('if-range'), '"1"');
  there.origin.last.respond(206, { 'Content-Range': 'bytes 2-4/5', ETag: '"1"' }, 'llo');
  t.equal(client.body, 'hello');
  t.equal(client.ending, 'finished');
});

t.test('issue 5: a body below that breaks off and cannot be completed never ends cleanly', async (t) => {
  const { there, client } = await brokenBelow({ 'Cache-Control': 'max-age=10' });
  t.equal(client.ending, 'broken');
  t.equal(storedIn(there, '/a'), undefined);
  t.equal(there.engine.parts.failures.pending('http://example.test/a'), undefined, 'the origin did not fail');
});

t.test('issue 5: an origin without ranges has not failed where a body below breaks off', async (t) => {
  const { there, client } = await brokenBelow();
  there.origin.last.respond(200, LIVING, 'hello');
  t.equal(client.ending, 'broken');
  t.equal(there.engine.parts.failures.count('http://example.test/a'), 0);
});

t.test('issue 5: what lies below past its grace is validated, not fetched', async (t) => {
  const { clock, desk, here, there } = twoMachines();
  const made = await madeBelow(here, desk);
  const body = new PlayedBody();
  desk.below = [lyingBelow(made.response, 5, body)];
  clock.advance(80_000);
  const client = there.get('/a');
  await turns();
  t.equal(client.ending, 'waiting');
  body.data('hello').end();
  await turns();
  t.equal(there.origin.last.field('if-none-match'), '"1"');
  there.origin.last.respond(304, LIVING);
  t.equal(client.outcome, 'REVALIDATED');
  t.equal(client.body, 'hello');
});

t.test('issue 5: what is to be validated first, and outgrows the room here, has nobody wait for its end', async (t) => {
  const { clock, desk, here, there } = twoMachines({ budgetBytes: 1024 * 1024 });
  const made = await madeBelow(here, desk);
  const body = new PlayedBody();
  const { response } = lyingBelow(made.response, 5, body);
  desk.below = [{ response, body: { bytes: undefined, open: async () => body }, writer: 'here' }];
  clock.advance(80_000);
  const clients = [there.get('/a'), there.get('/a')];
  await turns();
  for (let n = 0; n < 20 && !body.isAborted; n++) body.data('x'.repeat(64 * 1024));
  await turns();
  t.ok(body.isAborted, 'nobody reads it');
  t.equal(there.origin.count, 2, 'each asks for its own, like all who ask for what is too large');
  for (const n of [1, 2]) there.origin.nth(n).respond(200, { 'Cache-Control': 'no-store' }, `own ${n}`);
  t.same(
    clients.map((client) => client.body),
    ['own 1', 'own 2'],
  );
});

t.test(
  'issue 5: what is to be validated first, and is purged while it comes in, has nobody wait for its end',
  async (t) => {
    const { clock, desk, here, there } = twoMachines();
    const made = await madeBelow(here, desk);
    const body = new PlayedBody();
    desk.below = [lyingBelow(made.response, 5, body)];
    clock.advance(80_000);
    const clients = [there.get('/a'), there.get('/a')];
    await turns();
    body.data('he');
    desk.below = [];
    there.engine.purging.purgeUrl('http://example.test/a');
    body.data('llo').end();
    await turns();
    t.equal(there.origin.count, 1);
    t.equal(there.origin.last.field('if-none-match'), undefined);
    there.origin.last.respond(200, LIVING, 'newer');
    t.same(
      clients.map((client) => client.body),
      ['newer', 'newer'],
    );
  },
);

t.test('issue 5: what lies below but cannot be had is a miss, and asked for under a lease', async (t) => {
  const { desk, here, there } = twoMachines();
  const made = await madeBelow(here, desk);
  desk.below = [lyingBelow(made.response, 5, undefined)];
  const client = there.get('/a');
  await turns();
  t.equal(there.origin.count, 1);
  t.equal(desk.orders.at(-1)?.isBlind, true);
  there.origin.last.respond(200, LIVING, 'again');
  t.equal(client.body, 'again');
});

t.test('issue 5: an answer that arrives elsewhere is followed as it comes', async (t) => {
  const { desk, here, there } = twoMachines();
  here.get('/a');
  await turns();
  const waiting = there.get('/a');
  await turns();
  here.origin.last.head(200, { ...LIVING, 'Content-Length': '5' });
  const [response] = desk.opened;
  if (response === undefined) throw new Error('nothing was opened');
  const body = new PlayedBody();
  desk.notify({ kind: 'arriving', found: lyingBelow(response, 5, body) });
  await turns();
  body.data('he');
  t.equal(waiting.body, 'he');
  body.data('llo').end();
  t.equal(waiting.body, 'hello');
  t.equal(there.origin.count, 0);
});

t.test(
  'decision 0009: an answer that arrives elsewhere and has no room here is followed by each client at its own pace',
  async (t) => {
    const { desk, here, there } = twoMachines();
    here.get('/a');
    await turns();
    const [first, second] = [there.get('/a'), there.send({ target: '/a' }, {}, true)];
    await turns();
    here.origin.last.head(200, LIVING);
    const [response] = desk.opened;
    if (response === undefined) throw new Error('nothing was opened');
    const bodies = [new PlayedBody(), new PlayedBody()];
    const bytes = 64 * 1024 * 1024;
    for (const body of bodies) {
      desk.notify({ kind: 'arriving', found: lyingBelow(response, bytes, body) });
      await turns();
    }
    const piece = 'x'.repeat(1024 * 1024);
    for (let sent = 0; sent < bytes; sent += piece.length) bodies[0]?.data(piece);
    bodies[0]?.end();
    t.equal(first.body.length, bytes);
    for (let sent = 0; sent < bytes; sent += piece.length) {
      bodies[1]?.data(piece);
      second.read();
    }
    bodies[1]?.end();
    second.read();
    t.equal(second.body.length, bytes, 'the slower one is not cut off');
    t.equal(second.ending, 'finished');
    t.equal(there.origin.count, 0);
  },
);

t.test('issue 5: a holder who will not share sends those who wait to the origin', async (t) => {
  const { desk, here, there } = twoMachines();
  here.get('/a');
  await turns();
  there.get('/a');
  await turns();
  desk.notify({ kind: 'alone' });
  t.equal(there.origin.count, 1);
});

t.test('issue 5: a client that wants it validated is not content with what lies below', async (t) => {
  const { clock, here, there } = await bothWarm();
  clock.advance(1_000);
  here.get('/a', { 'Cache-Control': 'no-cache' });
  await turns();
  here.origin.last.respond(304, LIVING);
  clock.advance(1_000);
  const client = there.get('/a', { 'Cache-Control': 'no-cache' });
  await turns();
  t.equal(there.origin.count, 1);
  there.origin.last.respond(304, LIVING);
  t.equal(client.outcome, 'REVALIDATED');
});

t.test(
  'issue 5: a machine that ends while it asks has not seen the origin fail: one of those who wait asks',
  async (t) => {
    const { here, there } = twoMachines();
    here.get('/a');
    await turns();
    const waiting = there.get('/a');
    await turns();
    here.origin.last.fail('origin-aborted');
    await turns();
    t.equal(there.origin.count, 1);
    there.origin.last.respond(200, LIVING, 'hello');
    t.equal(waiting.body, 'hello');
  },
);

t.test('issue 5: what the holder could not store is asked for by one of those who wait', async (t) => {
  const { here, there } = twoMachines();
  here.get('/a');
  await turns();
  const waiting = there.get('/a');
  await turns();
  here.engine.purging.purgeUrl('http://example.test/a');
  here.origin.last.respond(200, LIVING, 'purged');
  await turns();
  t.equal(there.origin.count, 1, 'the purge won there: one of the others leads anew');
  there.origin.last.respond(200, LIVING, 'after');
  t.equal(waiting.body, 'after');
});
