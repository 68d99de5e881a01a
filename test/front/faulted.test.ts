// Goal: decision 0041, a fault of our own in one of several requests of a connection costs that one alone, as far as its client can be told so. Method: pipelined requests to a stub of an engine that throws where it is told to, in both lanes.
import t, { type Test } from 'tap';
import type { ClientRequest, ReplySink } from '../../lib/engine/contract.js';
import { Fields } from '../../lib/http/fields.js';
import type { BodyReader } from '../../lib/object/reader.js';
import { SILENT } from '../../lib/observe/events.js';
import { CutOff, connectRaw } from '../kit/raw-client.js';
import { type House, openHouse, replyOf, until } from './house.js';

const get = (target: string): string => `GET ${target} HTTP/1.1\r\nHost: a\r\n\r\n`;

/** A body of which nothing more comes. */
const begun = (): BodyReader => {
  let first: Buffer | undefined = Buffer.from('ab');
  return {
    read() {
      const bytes = first ?? 'later';
      first = undefined;
      return bytes;
    },
    onReadable() {},
    close() {},
  };
};

interface Late {
  readonly house: House;
  /** Replies to /late. */
  answer(): void;
}

async function open(test: Test, fastLane: boolean): Promise<Late> {
  let late: ReplySink | undefined;
  const house = await openHouse(
    test,
    ({ target }, sink) => {
      if (target === '/late') late = sink;
      else if (target === '/made') sink.reply(replyOf('made'));
      else if (target === '/begun')
        sink.reply(replyOf('', { payload: { kind: 'reader', reader: begun(), length: 9 } }));
      else if (target === '/passed') sink.pass({} as never);
      else if (target === '/unwritable') sink.reply(replyOf('bad', { fields: Fields.of({ 'X-Bad': '\n' }) }));
      else if (target !== '/bad') sink.reply(replyOf('good'));
      if (['/made', '/begun', '/bad'].includes(target)) throw new Error('broken invariant');
    },
    { fastLane },
  );
  return { house, answer: () => late?.reply(replyOf('late')) };
}

/** More than a kernel takes before its client reads. */
const LARGE = Buffer.alloc(16 * 1024 * 1024, 'x');

interface Deaf {
  readonly house: House;
  /** What each fault said. */
  readonly notices: string[];
  /** Of which requests it was told that their clients left. */
  readonly left: string[];
}

/** Whoever hears of the end of a request to ../untold breaks on it. */
async function openDeaf(test: Test, fastLane: boolean): Promise<Deaf> {
  const notices: string[] = [];
  const left: string[] = [];
  const answer = ({ target }: ClientRequest, sink: ReplySink): void => {
    sink.onGone(() => left.push(target));
    if (target === '/good') sink.reply(replyOf('good'));
    else if (target.startsWith('/large')) sink.reply(replyOf([LARGE]));
    else if (!target.startsWith('/late')) {
      if (target === '/unfailing') Object.assign(sink, { fail: breakWith('cannot fail') });
      throw new Error('broken invariant');
    }
  };
  const house = await openHouse(test, answer, {
    fastLane,
    events: {
      ...SILENT,
      answered({ target }) {
        if (target.endsWith('/untold')) breakWith('nobody hears')();
      },
      notice(_level, _code, _sentence, fields) {
        notices.push(/^Error: (.*)\n/.exec(String(fields?.['error']))?.[1] ?? '');
      },
    },
  });
  return { house, notices, left };
}

function breakWith(why: string): () => never {
  return () => {
    throw new Error(why);
  };
}

for (const fastLane of [true, false]) {
  const lane = fastLane ? 'fast' : 'full';

  t.test(
    `${lane} lane: a request that was not replied to gets a 500 in its turn, and those around it their replies`,
    async (t) => {
      for (const bad of ['/bad', '/passed']) {
        const { house, answer } = await open(t, fastLane);
        const client = await connectRaw(house.port);
        t.teardown(() => client.close());
        client.send(get('/late') + get(bad) + get('/good'));
        await house.arrivals.reached(3);
        answer();
        const statuses: unknown[] = [];
        for (let reply = 0; reply < 3; reply++) {
          const { status, body } = await client.response();
          statuses.push([status, body.toString()]);
        }
        t.same(statuses, [
          [200, 'late'],
          [500, 'The proxy failed on this request.\n'],
          [200, 'good'],
        ]);
        t.equal((await client.send(get('/next')).response()).status, 200, 'the connection stays');
        t.strictSame(house.notices, ['internal']);
        t.same(house.answered.map(({ status, ending }) => `${status} ${ending}`).sort(), [
          '200 finished',
          '200 finished',
          '200 finished',
          '500 finished',
        ]);
      }
    },
  );

  t.test(`${lane} lane: a reply that was made whole goes out in its turn all the same`, async (t) => {
    const { house, answer } = await open(t, fastLane);
    const client = await connectRaw(house.port);
    t.teardown(() => client.close());
    client.send(get('/late') + get('/made') + get('/good'));
    await house.arrivals.reached(3);
    answer();
    const bodies: string[] = [];
    for (let reply = 0; reply < 3; reply++) bodies.push((await client.response()).body.toString());
    t.same(bodies, ['late', 'made', 'good']);
    t.strictSame(house.notices, ['internal']);
  });

  t.test(`${lane} lane: where the failing of a request fails too its connection is cut, and no other`, async (t) => {
    const { house, notices } = await openDeaf(t, fastLane);
    const client = await connectRaw(house.port);
    const other = await connectRaw(house.port);
    t.teardown(() => other.close());
    client.send(get('/unfailing') + get('/good'));
    await client.ended;
    t.equal((await other.send(get('/good')).response()).status, 200);
    await until(() => house.front.connections === 1);
    t.strictSame(notices, ['broken invariant', 'cannot fail']);
  });

  t.test(
    `${lane} lane: a 500 that nobody can be told of went out all the same, and the next reply follows`,
    async (t) => {
      const { house, notices } = await openDeaf(t, fastLane);
      const client = await connectRaw(house.port);
      t.teardown(() => client.close());
      client.send(get('/untold') + get('/good'));
      t.equal((await client.response()).status, 500);
      t.equal((await client.response()).body.toString(), 'good');
      t.strictSame(notices, ['broken invariant', 'nobody hears']);
    },
  );

  t.test(
    `${lane} lane: a client that leaves is heard of by all whom it concerns, though the first of them breaks`,
    async (t) => {
      const { house, notices, left } = await openDeaf(t, fastLane);
      const client = await connectRaw(house.port);
      client.send(get('/late/untold') + get('/late'));
      await house.arrivals.reached(2);
      client.reset();
      await until(() => house.front.connections === 0);
      t.strictSame(left, ['/late/untold', '/late']);
      t.strictSame(notices, ['nobody hears']);
    },
  );

  t.test(
    `${lane} lane: a reply that nobody can be told of went out all the same, and the next one follows`,
    async (t) => {
      const { house, notices } = await openDeaf(t, fastLane);
      const client = await connectRaw(house.port);
      t.teardown(() => client.close());
      client.send(get('/large/untold') + get('/good'));
      t.equal((await client.response()).body.length, LARGE.length);
      t.equal((await client.response()).body.toString(), 'good');
      await until(() => notices.length > 0);
      t.strictSame(notices, ['nobody hears']);
    },
  );

  t.test(`${lane} lane: one that is not whole breaks off in its turn, behind those before it`, async (t) => {
    const { house, answer } = await open(t, fastLane);
    const client = await connectRaw(house.port);
    client.send(get('/late') + get('/begun') + get('/good'));
    await until(() => house.notices.length > 0);
    answer();
    t.equal((await client.response()).body.toString(), 'late');
    await t.rejects(client.response(), CutOff);
    await client.ended;
    t.strictSame(house.notices, ['internal']);
  });
}

t.test(
  'RFC 9112 §9.6: a fault in a request whose body is still to come ends its connection behind the 500',
  async (t) => {
    const { house } = await open(t, false);
    const client = await connectRaw(house.port);
    const response = await client.send('POST /bad HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab').response();
    t.equal(response.status, 500);
    t.equal(response.field('connection'), 'close');
    t.equal(await client.ended, 'finished');
  },
);

t.test('a request for a switch gets a 500 where it cannot be passed on, nor its reply written', async (t) => {
  for (const [target, protocol] of [
    ['/passed', 'h2c'],
    ['/passed', 'websocket'],
    ['/unwritable', 'h2c'],
  ]) {
    const { house } = await open(t, false);
    const client = await connectRaw(house.port);
    const upgrade = `Connection: Upgrade\r\nUpgrade: ${protocol}\r\n\r\n`;
    const response = await client.send(`GET ${target} HTTP/1.1\r\nHost: a\r\n${upgrade}`).response();
    t.equal(response.status, 500);
    t.equal(response.field('connection'), 'close');
    t.equal(await client.ended, 'finished');
  }
});
