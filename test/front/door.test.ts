// Goal: who comes with many others is not kept waiting by those who came before. Method: clients that the kernel has accepted, all at once, before the event loop turns; how many were in when each request was taken.
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import t, { type Test } from 'tap';
import {
  HANDED_GAP_MS,
  HELD_READ_MS,
  MAX_ACCEPTS_BEFORE_DRAIN_MS,
  MAX_ADMITTED_AT_ONCE,
  MAX_HELD_HEAD_BYTES,
  MAX_HOLD_MS,
  SHORT_TURN_MS,
  TURNS_BEFORE_DRAIN,
} from '../../lib/base/limits.js';
import { Door, readWhatArrived } from '../../lib/front/door.js';
import { acceptHandles, type Handle } from '../../lib/front/read-into.js';
import { turns } from '../kit/barrier.js';
import { FakeClock } from '../kit/clock.js';
import { type House, openHouse, replyOf, until } from './house.js';

const HEAD = 'GET /a HTTP/1.1\r\nHost: a\r\n\r\n';

/** For each request, how many connections there were when it was taken. */
interface Watched extends House {
  readonly thereWere: number[];
}

/** `isHanded`: its connections are accepted elsewhere, which knows of all before it gives the first. */
async function openWatched(t: Test, isHanded = false): Promise<Watched> {
  const thereWere: number[] = [];
  const house: House = await openHouse(
    t,
    ({ target }, sink) => {
      thereWere.push(house.front.connections);
      sink.reply(replyOf(`you asked for ${target}`));
    },
    { fastLane: true, isHanded },
  );
  return { ...house, thereWere, port: isHanded ? await acceptFor(t, house.front) : house.port };
}

/** Accepts all who come together, and hands them over one in each turn. Returns its port. */
async function acceptFor(t: Test, front: House['front']): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  const waiting: Handle[] = [];
  const giveOne = (): void => {
    const handle = waiting.shift();
    if (handle === undefined) return;
    front.take(handle, waiting.length > 0);
    setImmediate(giveOne);
  };
  const handovers = new Door(new FakeClock());
  acceptHandles(server, (handle) => {
    waiting.push(handle);
    if (!handovers.isHolding) handovers.hold({ release: giveOne });
    handovers.came();
    return true;
  });
  return (server.address() as AddressInfo).port;
}

/** A door, and what each turn of an event loop brings there: so many connections, in so long. Returns in which turn what was held is released. */
function releasedIn(
  turns: readonly { readonly comes: boolean; readonly ms: number; readonly reads?: number }[],
): number | undefined {
  const clock = new FakeClock();
  let next: (() => void) | undefined;
  let releasedAt: number | undefined;
  const door = new Door(clock, (run) => {
    next = run;
  });
  for (const [turn, { comes, ms, reads = 0 }] of turns.entries()) {
    clock.advance(ms);
    if (comes) door.came();
    if (turn === 0) door.hold({ release: () => (releasedAt ??= turns.length) });
    for (let n = 0; n < reads; n++) door.hold({ release: () => undefined });
    const run = next;
    next = undefined;
    run?.();
    if (releasedAt !== undefined) return turn;
  }
  return undefined;
}

t.test('decision 0047: a hold ends with the first turn that brings nobody', async (t) => {
  const comes = { comes: true, ms: 0.1 };
  t.equal(releasedIn([comes, { comes: false, ms: 0.1 }]), 1);
  t.equal(releasedIn([comes, comes, comes, { comes: false, ms: 0.1 }, comes]), 3);
});

t.test('limits: a hold is over after its time, however many come', async (t) => {
  const turns = Array.from({ length: MAX_ADMITTED_AT_ONCE }, () => ({ comes: true, ms: SHORT_TURN_MS / 2 }));
  t.equal(releasedIn(turns), (MAX_HOLD_MS / SHORT_TURN_MS) * 2);
});

t.test('limits: where turns are long by something else, nobody is held', async (t) => {
  const long = { comes: true, ms: SHORT_TURN_MS * 3 };
  // The first one began before anybody was known to come, and served whoever was there.
  t.equal(releasedIn([long, long, long, long]), 1);
  const reading = { ...long, reads: Math.ceil((SHORT_TURN_MS * 2) / HELD_READ_MS) };
  t.equal(releasedIn([long, reading, reading, { ...long, reads: 3 }]), 3, 'to read what is held takes its time');
  t.equal(releasedIn([long, { comes: true, ms: 0.1 }, { comes: true, ms: 0.1 }, long]), 3);
});

/** A door to which connections are handed over, so long one after the other, and which is told of each whether there are more. Returns how many had come when what the first said was used, or nothing where it was not held. */
function usedAfter(areMore: readonly boolean[], apartMs: number): number | undefined {
  const clock = new FakeClock();
  let next: (() => void) | undefined;
  const door = new Door(clock, (run) => {
    next = run;
  });
  let usedAt: number | undefined;
  let came = 0;
  for (const isMore of areMore) {
    door.handedOver(isMore);
    if (came++ === 0 && !door.isHolding) return undefined;
    if (came === 1) door.hold({ release: () => (usedAt = came) });
    next?.();
    next = undefined;
    clock.advance(apartMs);
    if (usedAt !== undefined) break;
  }
  clock.advance(HANDED_GAP_MS * 3);
  return usedAt;
}

const untilLast = (count: number): boolean[] => Array.from({ length: count }, (_, at) => at < count - 1);

t.test('decision 0047: a worker holds until it is handed the last of those who came together', async (t) => {
  t.equal(usedAfter(untilLast(40), 0.1), 40);
  t.equal(usedAfter(untilLast(1), 0.1), undefined, 'who comes alone is not held');
  t.equal(usedAfter([...untilLast(3), true, true], 0.1), 3);
});

t.test('limits: a worker waits for the next for no longer than that, and for all of them neither', async (t) => {
  const more = Array.from({ length: MAX_ADMITTED_AT_ONCE * 2 }, () => true);
  t.equal(usedAfter(more, HANDED_GAP_MS * 1.5), 1, 'the next goes to another, or never comes');
  t.equal(usedAfter(more, HANDED_GAP_MS * 0.9), Math.ceil(MAX_HOLD_MS / (HANDED_GAP_MS * 0.9)));
  t.equal(usedAfter(more, 1), MAX_HOLD_MS);
  t.equal(usedAfter(more, 0.05), MAX_ADMITTED_AT_ONCE);
});

t.test('decision 0047: a fault in who is released first leaves nobody behind', async (t) => {
  const due: (() => void)[] = [];
  const door = new Door(new FakeClock(), (run) => due.push(run));
  const released: string[] = [];
  door.came();
  door.hold({
    release: () => {
      throw new Error('a broken invariant');
    },
  });
  for (const name of ['second', 'third']) door.hold({ release: () => released.push(name) });
  due.shift()?.();
  t.throws(() => due.shift()?.(), /a broken invariant/);
  t.equal(door.isHolding, false);
  for (const run of due.splice(0)) run();
  t.same(released, ['second', 'third']);
});

t.test('decision 0047: of clients that are handed over together none is served before all are in', async (t) => {
  const { front, thereWere, port } = await openWatched(t, true);
  crowd(t, port, 50, HEAD);
  await until(() => thereWere.length === 50);
  t.strictSame([...new Set(thereWere)], [50]);
  t.equal(front.fastConnections, 50);
});

t.test('nobody waits for those who are refused', async (t) => {
  const { front, port } = await openHouse(t, undefined, { fastLane: true, limits: { connections: 1 } });
  crowd(t, port, 1, HEAD);
  await until(() => front.connections === 1);
  await turns(3);
  let held = 0;
  const watched = front as unknown as { isHolding: boolean };
  crowd(t, port, 20, HEAD);
  for (let turn = 0; turn < 60; turn++) {
    await turns(1);
    if (watched.isHolding) held++;
  }
  t.equal(held, 0);
});

t.test('limits: before a drain those who come all the time are let in for no longer than that', async (t) => {
  for (const [atMostMs, limitMs] of [
    [10_000, MAX_ACCEPTS_BEFORE_DRAIN_MS],
    [20, 20],
  ] as const) {
    const clock = new FakeClock();
    const begunAt = clock.now();
    let count = 0;
    const everyTurn = (): number => {
      clock.advance(1);
      return count++;
    };
    await readWhatArrived(everyTurn, clock, atMostMs);
    const tookMs = clock.now() - begunAt;
    t.ok(tookMs >= limitMs && tookMs <= limitMs + 5, `${tookMs} ms`);
  }
  let asked = 0;
  await readWhatArrived(() => (asked++ < 8 ? asked : 8), new FakeClock(), 10_000);
  // Twice in each turn, and once before.
  t.ok(asked > 8 + TURNS_BEFORE_DRAIN, `asked ${asked} times`);
});

/** Clients that have connected and sent `bytes` as far as the kernel is concerned. */
function crowd(t: Test, port: number, count: number, bytes: string): Socket[] {
  return Array.from({ length: count }, () => {
    const client = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    t.teardown(() => client.destroy());
    client.on('error', () => undefined);
    client.write(bytes);
    return client;
  });
}

async function answerTo(client: Socket): Promise<string> {
  let said = '';
  for await (const bytes of client) {
    said += (bytes as Buffer).toString('latin1');
    if (said.includes('you asked for /last')) break;
  }
  // Not all versions of Node end a client that keeps its side open when its answer has been read.
  client.destroy();
  return said;
}

t.test('decision 0047: of clients that come at once none is served before all are in', async (t) => {
  const { port, thereWere } = await openWatched(t);
  crowd(t, port, 100, HEAD);
  await until(() => thereWere.length === 100);
  t.strictSame([...new Set(thereWere)], [100]);
});

t.test('who is there already waits with them, and is answered as often as ever', async (t) => {
  const { port, thereWere, front } = await openWatched(t);
  const old = crowd(t, port, 5, HEAD);
  await until(() => thereWere.length === 5);
  crowd(t, port, 50, HEAD);
  await until(() => front.connections > 5);
  for (const client of old) client.write(HEAD);
  await until(() => thereWere.length === 60);
  t.strictSame([...new Set(thereWere.slice(5))], [55]);
});

t.test('limits: where more and more come, those who are there are served in between', async (t) => {
  const { port, thereWere } = await openWatched(t);
  const count = MAX_ADMITTED_AT_ONCE * 2 + 10;
  crowd(t, port, count, HEAD);
  await until(() => thereWere.length === count);
  t.equal(thereWere[0], MAX_ADMITTED_AT_ONCE);
  t.equal(thereWere[MAX_ADMITTED_AT_ONCE], MAX_ADMITTED_AT_ONCE * 2);
  t.equal(thereWere[count - 1], count);
});

t.test('one client that comes alone is served in the turn after that in which its request is read', async (t) => {
  const { port, handed, front } = await openWatched(t);
  const [client] = crowd(t, port, 1, HEAD) as [Socket];
  await once(client, 'connect');
  await until(() => front.connections === 1);
  await turns(2);
  t.equal(handed.length, 1);
});

t.test('what is held goes on where its client says more, ends its side, or says nothing that is whole', async (t) => {
  const { port, handed } = await openWatched(t);
  const [pipelining, ending, cutOff, splitting] = crowd(t, port, 4, '') as [Socket, Socket, Socket, Socket];
  crowd(t, port, 50, HEAD);
  pipelining.write(HEAD + HEAD + HEAD.replace('/a', '/last'));
  ending.end(HEAD);
  cutOff.end('GET /a HT');
  splitting.write(HEAD.slice(0, 10));
  const isSplit = once(splitting, 'connect').then(() =>
    splitting.write(HEAD.slice(10).replace('Host', 'X: y\r\nHost')),
  );
  await isSplit;
  t.equal((await answerTo(pipelining)).match(/you asked for/g)?.length, 3);
  t.match(await answerTo(ending), /^HTTP\/1.1 200 OK[\s\S]*you asked for \/a$/);
  t.match(await answerTo(cutOff), /^HTTP\/1.1 400 /);
  await until(() => handed.length === 55);
});

t.test('limits: a client that sends on and on meanwhile is not held beyond a head of common size', async (t) => {
  const { port, thereWere, handed } = await openWatched(t);
  const many = Math.ceil((MAX_HELD_HEAD_BYTES * 2) / HEAD.length);
  crowd(t, port, 1, HEAD.repeat(many));
  crowd(t, port, 100, HEAD);
  await until(() => handed.length >= 100);
  t.ok((thereWere[0] as number) < 100, `it was served when ${thereWere[0]} were in`);
});

t.test('a client that leaves while its request is held costs nobody else theirs', async (t) => {
  const { port, thereWere, front } = await openWatched(t);
  const [leaving] = crowd(t, port, 1, HEAD) as [Socket];
  crowd(t, port, 50, HEAD);
  await once(leaving, 'connect');
  leaving.resetAndDestroy();
  await until(() => thereWere.length >= 50 && front.connections === 50);
  await turns(5);
  t.ok(thereWere.length <= 51);
});

t.test('a connection that ends while its request is held is read on, to the end of its client', async (t) => {
  const { port, front, clock, notices } = await openWatched(t);
  const [resting] = crowd(t, port, 1, '') as [Socket];
  resting.resume();
  await until(() => front.connections === 1);
  crowd(t, port, 60, HEAD);
  resting.write(HEAD);
  await until(() => front.connections > 20);
  // It has rested for longer than it may, as far as the clock says by now.
  for (let passed = 0; passed < 120_000; passed += 1000) clock.advance(1000);
  await until(() => front.connections === 61);
  const ended = once(resting, 'end');
  await turns(5);
  resting.end();
  await Promise.race([ended, turns(50)]);
  await until(() => front.connections < 61);
  t.strictSame(notices, []);
});

t.test('a front that is closed while it holds lets go of all', async (t) => {
  const { port, front, handed } = await openWatched(t);
  crowd(t, port, 60, HEAD);
  await until(() => front.connections > 20);
  await front.close();
  await turns(5);
  t.equal(front.connections, 0);
  t.equal(handed.length, 0);
});

t.test('drain: who has connected is answered, however many the kernel has', async (t) => {
  const { port, front } = await openWatched(t);
  const clients = crowd(t, port, 300, HEAD);
  // The last of them is connected as far as it knows; the proxy has seen few of them.
  await once(clients[299] as Socket, 'connect');
  const drained = front.drain(10_000);
  const answers = await Promise.all(clients.map(answerTo));
  t.equal(answers.filter((answer) => /you asked for \/a$/.test(answer)).length, 300);
  await drained;
});

t.test('a connection that is for the full lane goes there after the hold, with all that it has said', async (t) => {
  const { port, handed, front } = await openWatched(t);
  const [posting] = crowd(t, port, 1, 'POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n') as [Socket];
  crowd(t, port, 30, HEAD);
  await until(() => handed.length === 31);
  t.equal(handed.filter(({ request }) => request.method === 'POST').length, 1);
  t.equal(front.fastConnections, 30);
  posting.end();
});
